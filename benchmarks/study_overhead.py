"""What a study costs beside its runs: the same trainings and scores by hand, without a study.

Both pack the same crops, train the same networks for the same steps and score the same subjects;
the study also names, locks, checks, resumes, hashes, logs and gathers. Interleaved, each repeat in
new folders.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import crosspatch as cp
from _bench import describe_machine, interleave, write_results
from crosspatch.config import Settings
from crosspatch.crops.generated import generate
from crosspatch.evaluation.subjects import model_method, score_rows
from crosspatch.models.runtime import choose_device
from crosspatch.studies.plan import read_plan, run_settings

AT_MOST = 0.2
PLAN = """\
seeds = {seeds}
fractions = [0.5, 1.0]
steps = 5
device = "cpu"
precision = "fp32"
baselines = []
check_steps = false

[target]
dataset = "kelp"
size = 64

[settings.network]
width = 4
depth = 4
discriminator_width = 4

[settings.training]
batch = 4
checks = 1
"""


def by_hand(plan: Path, out: Path) -> None:
    """Do the runs of the plan with the program's own functions, one after another."""
    shutil.rmtree(out, ignore_errors=True)
    told = read_plan(plan)
    dataset = cp.Dataset.open(plan.parent / "kelp")
    crops = cp.prepare(dataset, recipe="windows", size=64, out=out / "crops")
    for seed in told.seeds:
        for fraction in told.fractions:
            settings: Settings = run_settings(told, seed=seed, fraction=fraction)
            tables = settings.model_dump(exclude_none=True)
            tables["training"]["precision"] = "fp32"
            run = cp.train(crops, out=out / f"{seed}-{fraction}", overrides=tables, device="cpu")
            methods = [
                model_method(cp.Model.open(run.path / name), dataset, device=choose_device("cpu"))
                for name in ("model", "plain")
            ]
            score_rows(dataset, dataset.in_split("test"), methods)


def by_study(plan: Path, out: Path) -> None:
    """Do them as a study."""
    cp.study(plan, out=out, overwrite=out.exists())


def main() -> int:
    """Measure, write the results, and fail if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8, help="two runs each")
    parser.add_argument("--repeats", type=int, default=5)
    wishes = parser.parse_args()
    runs = 2 * wishes.seeds
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        generate("kelp", folder / "kelp", subjects=24, per_scene=2, size=(64, 64))
        plan = folder / "study.toml"
        plan.write_text(PLAN.format(seeds=list(range(wishes.seeds))), encoding="utf-8")
        timings = interleave(
            {
                "by hand": lambda: by_hand(plan, folder / "hand"),
                "as a study": lambda: by_study(plan, folder / "study"),
                "again, all done": lambda: cp.study(plan, out=folder / "study"),
            },
            wishes.repeats,
        )
    hand, study, again = timings.values()
    pairs = zip(study.seconds, hand.seconds, strict=True)
    overheads = sorted((one - other) / runs for one, other in pairs)
    overhead = overheads[len(overheads) // 2]
    write_results(
        "study_overhead",
        f"A study costs **{overhead:.3f} s** a run more than its runs by hand (at most {AT_MOST} "
        f"s); to find that all is done takes {again.median / runs:.3f} s a run.",
        [
            {
                "case": name,
                "runs": runs,
                "seconds": round(timing.median, 2),
                "fastest": round(timing.spread[0], 2),
                "slowest": round(timing.spread[1], 2),
            }
            for name, timing in timings.items()
        ],
        describe_machine("crosspatch", "torch"),
        [
            f"{wishes.repeats} interleaved repeats, wall clock, one process and one thread; the "
            f"overhead is the median over repeats of (as a study - by hand) / runs, from "
            f"{overheads[0]:.3f} to {overheads[-1]:.3f} s.",
            "Runs of 5 steps on generated images: what is measured does not grow with them.",
        ],
    )
    print(f"{overhead:.3f} s a run; all done: {again.median / runs:.3f} s a run")
    return 0 if overhead <= AT_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
