"""Score trained networks of the pilot in windows of several sizes.

    python docs/results/transfer-pilot/windows.py --data DIR --work DIR

They were trained on crops of 128 pixels. In a larger window their deepest layers see more than they
ever learned from.
"""

import argparse
from pathlib import Path

from data import FOLDS, TARGETS, target_crops
from tables import write_rows

import crosspatch as cp

SIDES = (128, 256, 512)


def main() -> None:
    """Score every start of every target that was trained, at both shares of the labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    wishes = parser.parse_args()
    rows = []
    for target, facts in TARGETS.items():
        for start in ("scratch", "photos", "em"):
            for percent in (10, 100):
                for seed in range(FOLDS):
                    model = wishes.work / "runs" / f"{target}-{start}-{percent}-{seed}" / "model"
                    if not model.exists():
                        continue
                    dataset, _ = target_crops(facts, seed, wishes.data, wishes.work)
                    scores = {
                        f"windows of {side}": _iou(model, dataset, facts.foreground, seed, side)
                        for side in SIDES
                    }
                    rows.append(
                        {"target": target, "start": start, "percent": percent, "repeat": seed}
                        | scores
                    )
                    print(rows[-1], flush=True)
    write_rows("windows.csv", rows)


def _iou(model: Path, dataset: Path, foreground: str | None, seed: int, side: int) -> float:
    scores = cp.evaluate(
        model, dataset, foreground=foreground, seed=seed, window=side, device="cpu"
    )
    return round(scores.summary["iou"].value, 4)


if __name__ == "__main__":
    main()
