"""Measure which uncertainty finds wrong pixels, and ranks images by how wrong they are.

    python docs/results/uncertainty/run.py --work DIR

``--work`` is the folder of ``docs/results/transfer-pilot/run.py`` after its stage ``qualify``: for
every target and fold a model that was trained on the other folds' groups, and the data set whose
``test`` split is the fold. Nothing is trained, and no set's own test split is opened. For every
model, each image of its fold is predicted as it is, in eight views, and in eight passes with
dropout left on; the tables beside this file compare what can be made of them.
"""

import argparse
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import rankdata, spearmanr
from torch import nn

import crosspatch as cp
from crosspatch.dataset import read_pair
from crosspatch.files import write_text
from crosspatch.prediction.scene import predict_probability
from crosspatch.prediction.uncertainty import VIEWS, unview, view

HERE = Path(__file__).parent
PASSES = 8
FOREGROUND = {"buildings": "building", "roads": "road", "built-up": "built-up"}
Map = NDArray[np.float32]


class Dropping(nn.Module):
    """A generator with its dropout on and its batch norms as in prediction."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.multiple = network, network.multiple
        for module in self.network.modules():
            module.train(not isinstance(module, nn.BatchNorm2d))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of one draw."""
        return self.network(image)


def main() -> None:
    """Measure every model there is and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--most", type=int, default=16, help="images of a fold")
    parser.add_argument("--targets", nargs="+")
    parser.add_argument("--percents", nargs="+", default=["100"], help="of the labels")
    parser.add_argument("--out", type=Path, default=HERE)
    wishes = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for run in sorted((wishes.work / "runs").glob("*-scratch-*-[0-9]")):
        target, _, percent, fold = run.name.rsplit("-", 3)
        if percent not in wishes.percents or target not in (wishes.targets or [target]):
            continue
        if not (run / "model" / "model.toml").exists():
            continue
        rows += measure(run, wishes.work / "datasets" / f"{target}-{fold}", target, percent, fold,
                        wishes.most)  # fmt: skip
        write(wishes.out / "models.csv", rows)
        print(run.name, flush=True)
    write(wishes.out / "summary.csv", summary(rows))


def measure(
    run: Path, dataset: Path, target: str, percent: str, fold: str, most: int
) -> list[dict[str, Any]]:
    """Score every candidate on one model's held-out fold."""
    model = cp.Model.open(run / "model")
    data = cp.Dataset.open(dataset, foreground=FOREGROUND.get(target))
    wrong: list[NDArray[np.bool_]] = []
    distance: list[float] = []
    maps: dict[str, list[Map]] = {}
    means: dict[str, list[tuple[float, float]]] = {}
    subjects = data.in_split("test")
    chosen = np.random.default_rng(0).permutation(len(subjects))[:most]
    for number in sorted(chosen):
        image, mask = read_pair(data, subjects[number])
        known = mask != 255
        plain, views, dropped = passes(model, image.pixels, int(number))
        claimed = plain >= model.facts.threshold
        wrong.append((claimed != (mask == 1))[known])
        distance.append(1 - iou(claimed[known], (mask == 1)[known]))
        for name, made in candidates(plain, views, dropped).items():
            maps.setdefault(name, []).append(made[known].astype(np.float32))
            total = float(made[known].sum(dtype=np.float64))
            claim = max(float(plain[known].sum(dtype=np.float64)), 1.0)
            means.setdefault(name, []).append((total / np.count_nonzero(known), total / claim))
    far = np.array(distance)
    scored = ~np.isnan(far)
    shared = {
        "target": target, "labels": f"{percent}%", "fold": fold, "images": len(wrong),
        "with_foreground": int(scored.sum()), "wrong": np.concatenate(wrong).mean(),
        "distance": far[scored].mean() if scored.any() else np.nan,
    }  # fmt: skip
    return [
        shared
        | {
            "uncertainty": name,
            "auroc": auroc(np.concatenate(maps[name]), np.concatenate(wrong)),
            "rho_mean": correlation(np.array(means[name])[scored, 0], far[scored]),
            "rho_per_claimed": correlation(np.array(means[name])[scored, 1], far[scored]),
        }
        for name in maps
    ]


def passes(model: cp.Model, pixels: NDArray[Any], seed: int) -> tuple[Map, Map, Map]:
    """Predict an image as it is, (H, W); in all views, (8, H, W); with dropout, (8, H, W)."""
    network = model.load_generator()
    views = [unview(predict_probability(model, network, view(pixels, *one)), *one) for one in VIEWS]
    torch.manual_seed(seed)
    dropping = Dropping(network)
    dropped = [predict_probability(model, dropping, pixels) for _ in range(PASSES)]
    return views[0], np.stack(views), np.stack(dropped)


def candidates(plain: Map, views: Map, dropped: Map) -> dict[str, Map]:
    """Everything that could be called uncertainty."""
    return {
        "entropy of the map": entropy(plain),
        "dropout, entropy of the mean": entropy(dropped.mean(axis=0)),
        "dropout, standard deviation": dropped.std(axis=0),
        "4 flips, standard deviation": views[[0, 2, 4, 6]].std(axis=0),
        "8 views, entropy of the mean": entropy(views.mean(axis=0)),
        "8 views, standard deviation": views.std(axis=0),
        "8 views and dropout, standard deviation": np.concatenate([views, dropped]).std(axis=0),
        **{f"8 views, standard deviation, smoothed by {sigma}": ndimage.gaussian_filter(
            views.std(axis=0), sigma) for sigma in (1, 2, 4)},
        "entropy of the map, smoothed by 2": ndimage.gaussian_filter(entropy(plain), 2.0),
        "dropout, standard deviation, smoothed by 2": ndimage.gaussian_filter(
            dropped.std(axis=0), 2.0),
    }  # fmt: skip


def entropy(probability: Map) -> Map:
    """Entropy in bits of probabilities."""
    p = np.clip(probability.astype(np.float64), 1e-12, 1 - 1e-12)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def iou(one: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """IoU; nan where there is no foreground to find."""
    return np.count_nonzero(one & truth) / np.count_nonzero(one | truth) if truth.any() else np.nan


def auroc(score: Map, wrong: NDArray[np.bool_]) -> float:
    """Chance that a wrong pixel is more uncertain than a right one; ties count half."""
    bad = np.count_nonzero(wrong)
    if bad in (0, wrong.size):
        return np.nan
    ranks = rankdata(score)[wrong].sum()
    return (ranks - bad * (bad + 1) / 2) / (bad * (wrong.size - bad))


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's, where there are enough images to speak of."""
    return float(spearmanr(one, other).statistic) if len(one) >= 8 else np.nan


def summary(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Medians and ranges over models, a row a candidate and target."""
    for target in [*dict.fromkeys(row["target"] for row in rows), "all"]:
        for name in dict.fromkeys(row["uncertainty"] for row in rows):
            chosen = [
                r for r in rows if r["uncertainty"] == name and target in ("all", r["target"])
            ]
            made: dict[str, Any] = {"target": target, "uncertainty": name, "models": len(chosen)}
            for key in ("auroc", "rho_mean", "rho_per_claimed"):
                values = np.array([row[key] for row in chosen])
                values = values[~np.isnan(values)]
                some = len(values) > 0
                made[key] = float(np.median(values)) if some else np.nan
                made[f"{key}_least"] = float(values.min()) if some else np.nan
                made[f"{key}_most"] = float(values.max()) if some else np.nan
            yield made


def write(path: Path, rows: Any) -> None:
    """Write dictionaries as CSV."""
    rows = list(rows)
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(rows[0])
    for row in rows:
        table.writerow(f"{v:.4g}" if isinstance(v, float) else v for v in row.values())
    write_text(path, text.getvalue())


if __name__ == "__main__":
    main()
