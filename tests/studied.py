"""Studies with a known truth, written as the program writes them."""

import numpy as np
import polars as pl
import tomlkit

from crosspatch.studies.cube import METRICS, Cell, Cube
from crosspatch.studies.tables import (
    LEARNING,
    LEARNING_COLUMNS,
    RESULT_COLUMNS,
    RESULTS,
    TEST_LOG,
    TEST_LOG_COLUMNS,
    TIMES,
)
from folders import half, noise, save, write_splits, write_toml
from sources import make_source

FRACTIONS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
RISING = dict(zip(FRACTIONS, (0.30, 0.40, 0.50, 0.60, 0.70, 0.74, 0.75), strict=True))
FLAT = dict.fromkeys(FRACTIONS, 0.6)


def study(
    curves,
    *,
    seeds=5,
    groups=12,
    per_group=3,
    of_group=0.06,
    of_seed=0.02,
    of_both=0.02,
    of_subject=0.01,
    random=0,
    baselines=None,
    weights=("averaged",),
):
    """Rows of results.csv whose mean IoU is known.

    ``curves`` is arm -> fraction -> true mean IoU. Groups differ alike for all arms (``of_group``);
    trainings differ by seed, arm and fraction (``of_seed``), and on each group anew (``of_both``).
    """
    generator = np.random.default_rng(random)
    hard = generator.normal(0, of_group, groups)
    rows = []
    for arm, curve in curves.items():
        for fraction, truth in curve.items():
            for seed in range(seeds):
                trained = generator.normal(0, of_seed)
                iou = truth + hard + trained + generator.normal(0, of_both, groups)
                rows += [(arm, kind_of(arm), fraction, seed, kind, iou) for kind in weights]
    for arm, truth in (baselines or {}).items():
        rows.append((arm, "baseline", 1.0, 0, "none", truth + hard))
    return frame(rows, per_group, of_subject, generator)


def kind_of(arm):
    kinds = {"scratch": "scratch", "imagenet": "pretrained", "twice-as-long": "check"}
    return kinds.get(arm, "transfer")


def frame(rows, per_group, of_subject, generator):
    groups = len(rows[0][5])
    count = len(rows) * groups * per_group
    iou = np.repeat(np.stack([row[5] for row in rows]), per_group, axis=1).ravel()
    iou = iou + generator.normal(0, of_subject, count)
    each = groups * per_group

    def column(place):
        return [row[place] for row in rows for _ in range(each)]

    tp = np.rint(np.clip(iou, 0, 1) * 1000).astype(np.int64)
    names = [f"g{g:05d}-{s}" for g in range(groups) for s in range(per_group)]
    return pl.DataFrame(
        {
            "arm": column(0),
            "kind": column(1),
            "source": pl.Series(
                [arm if kind == "transfer" else None
                 for arm, kind in zip(column(0), column(1), strict=True)], dtype=pl.String,
            ),
            "target": ["kelp"] * count,
            "fraction": column(2),
            "labels": [max(1, round(120 * fraction)) for fraction in column(2)],
            "seed": column(3),
            "fold": [0] * count,
            "weights": column(4),
            "run": [f"kelp-{arm}-{fraction:g}-{seed}"
                    for arm, fraction, seed in zip(column(0), column(2), column(3), strict=True)],
            "subject": names * len(rows),
            "group": [name.split("-")[0] for name in names] * len(rows),
            "height": [100] * count,
            "width": [50] * count,
            "counted": [5000] * count,
            "foreground": [0.2] * count,
            "tp": tp,
            "fp": np.zeros(count, dtype=np.int64),
            "fn": 1000 - tp,
            "tn": [4000] * count,
            "iou": iou,
            "dice": 2 * iou / (1 + iou),
            "boundary_f": iou,
            "matthews": iou,
            "false_positive_area": pl.Series([None] * count, dtype=pl.Float64),
            "average_precision": iou,
            "loss": (1 - np.clip(iou, 0, 1)) ** 0.75,
        }
    )  # fmt: skip


def cube_of(iou, arms, fractions=(1.0,)):
    """Lay mean IoU (arms, fractions, seeds, groups) out as a cube, one subject a group."""
    cells, seeds, groups = iou.shape[0] * iou.shape[1], iou.shape[2], iou.shape[3]
    sums = np.zeros((groups, cells, seeds, len(METRICS), 2))
    sums[..., 0] = iou.reshape(cells, seeds, groups).transpose(2, 0, 1)[..., np.newaxis]
    sums[..., 1] = 1
    return Cube(
        kinds={arm: kind_of(arm) for arm in arms},
        cells=tuple(Cell(arm, fraction) for arm in arms for fraction in fractions),
        seeds=tuple(range(seeds)),
        groups=tuple(map(str, range(groups))),
        sums=sums,
        present=np.ones((cells, seeds), dtype=bool),
        subjects=groups,
        with_foreground=groups,
        labels={},
        incomplete=(),
    )


def write_study(folder, results, *, target="kelp", dataset=None, learning=None, missing=(), **plan):
    """Write a study folder as the program does, from rows of results.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = results["run"].unique(maintain_order=True).to_list()
    results.select(list(RESULT_COLUMNS)).write_csv(folder / RESULTS, float_precision=6)
    times = pl.DataFrame({"run": runs, "seconds": [12.5] * len(runs)})
    times.write_csv(folder / TIMES)
    log = pl.DataFrame(
        {"opened": "2026-01-02T03:04:05+00:00", "run": runs, "fold": 0, "subjects": 36}
    )
    log.select(list(TEST_LOG_COLUMNS)).write_csv(folder / TEST_LOG)
    if learning is not None:
        learning.select(list(LEARNING_COLUMNS)).write_csv(folder / LEARNING)
    table = {
        "format": 1, "device": "cpu", "precision": "fp32", "runs": [*runs, *missing],
        "said": [], "target": {"name": target, "dataset": str(dataset or "nowhere"), "size": 64},
        "settings": {"network": {"width": 8, "depth": 4, "discriminator_width": 8,
                                 "discriminator_layers": 2}},
    }  # fmt: skip
    (folder / "study.toml").write_text(tomlkit.dumps(table | plan), encoding="utf-8")
    return folder


def learning_of(results, checks=12):
    """Learning curves that rise to 0.7 and stay, for every run of a study."""
    runs = results.filter(pl.col("kind") != "baseline").select(
        "arm", "fraction", "seed", "fold", "run"
    ).unique(maintain_order=True)  # fmt: skip
    steps = pl.DataFrame({"step": [10 * (place + 1) for place in range(checks)]})
    iou = pl.min_horizontal(pl.lit(0.7), pl.col("step") * 0.035)
    rows = runs.join(steps, how="cross").with_columns(averaged_iou=iou, plain_iou=iou - 0.05)
    absent = [name for name in LEARNING_COLUMNS if name not in rows.columns]
    return rows.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in absent)


def write_target(folder, results, side=48):
    """Write the data set that a study was scored on: four bands, a disc in each."""
    groups = dict(results.select("subject", "group").unique(maintain_order=True).iter_rows())
    for number, name in enumerate(groups):
        save(folder / f"images/{name}.tif", noise(number, (4, side, side + 8)))
        save(folder / f"masks/{name}.png", half(side, side + 8))
    write_splits(folder, [(name, "test", group) for name, group in groups.items()])
    write_toml(folder, channels=["blue", "green", "red", "nir"], origin="generated")
    return folder


def write_models(folder, results):
    """Give every run of a study a model that was trained on nothing."""
    runs = results.filter(pl.col("kind") != "baseline")["run"].unique(maintain_order=True)
    for run in runs:
        (folder / "runs" / run).mkdir(parents=True)
        make_source(folder / "runs" / run / "model", ("blue", "green", "red", "nir"))
