"""Fits the simulated volunteers to Floating Forests' real ones.

    python docs/results/consensus/calibrate.py --data DIR/floating_forests [--rounds 0]

Ten minutes on a core; with ``--rounds 0`` it compares the defaults only, in 10 seconds.

The experts' kelp is the true mask; as many simulated volunteers outline each subject as real ones
did. Compared are, as means over the 7 subjects: IoU and Matthews correlation of "at least k" with
the expert for k = 1 ... 10, Dice between volunteers, the share of the expert's kelp that nobody
marked, and each volunteer's area over the expert's. The fit minimises the root mean square
difference by a seeded random walk; the table is made with other seeds than the fit.
"""

import argparse
import csv
from dataclasses import asdict, replace
from pathlib import Path

import figures
import legacy
import numpy as np
from numpy.typing import NDArray

from crosspatch.volunteers.agreement import pairwise_dice
from crosspatch.volunteers.consensus import count_votes
from crosspatch.volunteers.expert import subject_curve
from crosspatch.volunteers.patterns import vote_patterns
from crosspatch.volunteers.rasterize import fill
from crosspatch.volunteers.simulate import VolunteerSettings, simulate

FITTED = ("outward", "outward_spread", "grouping", "jitter", "missed", "invented", "sloppy",
          "shared", "shared_edge")  # fmt: skip
KS = range(1, 11)
NAMES = [f"iou at least {k}" for k in KS] + [f"matthews at least {k}" for k in KS] + [
    "dice between volunteers", "kelp that nobody marked", "log10 of area over expert's",
]  # fmt: skip
# The walk began here, not at the defaults, which are its end.
START = VolunteerSettings(
    outward=0.002, outward_spread=0.004, grouping=0.012, jitter=0.003, smoothing=0.008,
    missed=0.05, invented=0.15, blank=0.0, sloppy=0.3, shared=0.5, shared_edge=0.1,
)  # fmt: skip
FIT_SEEDS, CHECK_SEEDS = tuple(range(100, 108)), tuple(range(12))


def describe(filled: NDArray[np.bool_], expert: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the figures of ``NAMES`` for one subject."""
    curve = subject_curve("", count_votes(filled), expert)
    at_k = np.zeros((2, len(KS)))  # 0 where fewer than k people voted
    known = min(curve.voters, len(KS))
    at_k[0, :known], at_k[1, :known] = curve.scores("iou")[:known], curve.scores("matthews")[:known]
    dice = pairwise_dice(vote_patterns(filled)[0])
    pairs = dice[np.triu_indices(len(dice), 1)]
    kelp = (expert == 1).sum()
    unmarked = ((expert == 1) & ~filled.any(axis=0)).sum() / kelp
    areas = filled.sum(axis=(1, 2))
    area = np.log10(np.median(areas[areas > 0]) / kelp) if areas.any() else -1.0
    return np.concatenate([at_k.ravel(), [pairs.mean(), unmarked, area]])


def simulated(
    subjects: list[legacy.Subject], settings: VolunteerSettings, seed: int
) -> NDArray[np.float64]:
    """Return the mean figures of simulated volunteers on the same subjects, blanks left out."""
    masks = {one.name: np.where(one.expert == 1, 1, 0).astype(np.uint8) for one in subjects}
    numbers = {one.name: len(one.volunteers) for one in subjects}
    drawn = simulate(masks, volunteers=numbers, seed=seed, settings=settings, people=75)
    found = []
    for one in subjects:
        votes = [fill(c.outlines, legacy.SHAPE) for c in drawn if c.name == one.name]
        found.append(describe(np.stack(votes), one.expert))
    return np.mean(found, axis=0)


def fit(
    subjects: list[legacy.Subject], real: NDArray[np.float64], rounds: int
) -> VolunteerSettings:
    """Walk at random, keep what is nearer, and take smaller steps as time goes."""
    random = np.random.default_rng(FIT_SEEDS)
    best = START
    least = np.inf
    for step in range(rounds):
        size = 0.4 * (1 - step / rounds) if step else 0.0
        values = {
            name: float(getattr(best, name) * np.exp(random.normal(0, size))) for name in FITTED
        }
        values |= {
            name: min(values[name], 0.95) for name in ("missed", "sloppy", "shared", "shared_edge")
        }
        trial = replace(best, **values)
        drawn = np.mean([simulated(subjects, trial, seed) for seed in FIT_SEEDS], axis=0)
        away = np.sqrt(np.mean((drawn - real) ** 2))
        if away < least:
            best, least = trial, away
            print(f"{step:4d}  {least:.4f}", flush=True)
    return best


def main() -> None:
    """Fit, then compare on other seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder floating_forests")
    parser.add_argument("--rounds", type=int, default=120, help="0: compare the defaults only")
    arguments = parser.parse_args()
    subjects = [one for one in legacy.read(arguments.data) if one.expert is not None]
    real = np.mean([describe(one.filled, one.expert) for one in subjects], axis=0)
    settings = VolunteerSettings(blank=0.0)
    if arguments.rounds:
        settings = fit(subjects, real, arguments.rounds)
        print({name: round(value, 4) for name, value in asdict(settings).items()})
    runs = np.array([simulated(subjects, settings, seed) for seed in CHECK_SEEDS])
    print("rms difference", np.sqrt(np.mean((runs.mean(axis=0) - real) ** 2)).round(4))
    out = Path(__file__).parent / "calibration.csv"
    with out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["figure", "real", "simulated_mean", "simulated_low", "simulated_high"])
        for name, truth, seeds in zip(NAMES, real, runs.T, strict=True):
            values = (truth, seeds.mean(), seeds.min(), seeds.max())
            table.writerow([name, *(f"{value:.3f}" for value in values)])
    figures.calibration(real[: len(KS)], runs[:, : len(KS)], out.with_suffix(".svg"))
    inside = (runs.min(axis=0) <= real) & (real <= runs.max(axis=0))
    print(f"{inside.sum()} of {len(real)} real figures lie between the lowest and the highest seed")


if __name__ == "__main__":
    main()
