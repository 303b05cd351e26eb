"""Stage 2: crops of the kelp subjects, and a small network trained on them from scratch."""

import math
from typing import Any

from crosspatch.demo.journey import RATE, Journey
from crosspatch.reports.figures import Curve, learning_curve
from crosspatch.reports.page import Block, Drawing, Section, Text
from crosspatch.training.run import Run
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.train import resume, train


def train_on_kelp(journey: Journey) -> Section:
    """Prepare, train or go on training, and show how it went."""
    plan = journey.plan
    folder = journey.folder / "runs" / "kelp"
    crops = prepare(
        journey.folder / "datasets" / "kelp",
        recipe="windows",
        size=plan.crop,
        out=journey.folder / "crops" / "kelp",
        progress=journey.progress,
    )
    if folder.exists():
        run = resume(folder, progress=journey.progress)
    else:
        run = train(
            crops,
            out=folder,
            config=plan.settings(journey.seed),
            progress=journey.progress,
        )
    training = sum(split == "train" for split in crops.table["split"])
    words = [
        f"The training scenes were cut into {training} crops of {plan.crop} x {plan.crop} pixels, "
        "to be seen turned and mirrored in eight ways. Two networks learned from them, one that "
        f"draws masks and one that tells drawn from true, for {plan.steps} steps of {plan.batch} "
        "crops. Losses, optimisers and falling learning rates are the paper's; the networks have "
        f"a quarter of their usual width ({plan.width}), and the generator's learning rate is "
        f"{RATE:g} instead of 0.0005, because the schedule is so short.",
        "A few of the scenes were set aside first, and the curve shows how well their crops were "
        "outlined: by the weights as they were at that step, and by their running average, which "
        "is what the model keeps.",
    ]
    blocks: list[Block] = [Text(words)]
    return Section("A small network learns to outline kelp", blocks + _curves(run))


def _curves(run: Run) -> list[Block]:
    checks = run.metrics()
    if not any(check.get("averaged_iou") is not None for check in checks):
        return []
    scores = [
        _curve(checks, "averaged weights", "averaged_iou"),
        _curve(checks, "plain", "plain_iou"),
    ]
    losses = [
        _curve(checks, "training crops", "tversky"),
        _curve(checks, "set aside, averaged", "averaged_loss"),
    ]
    return [
        Drawing(
            learning_curve(scores, ylabel="IoU of crops set aside"),
            "Learning curve on scenes set aside from training.",
        ),
        Drawing(
            learning_curve(losses, ylabel="focal Tversky loss"),
            "The paper's loss. Training crops are seen with dropout.",
        ),
    ]


def _curve(checks: list[dict[str, Any]], name: str, key: str) -> Curve:
    known = [check for check in checks if key in check]
    values = [math.nan if check[key] is None else check[key] for check in known]
    return Curve(name, [check["step"] for check in known], values)
