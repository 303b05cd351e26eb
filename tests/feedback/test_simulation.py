"""A replay's choices and its verdicts, on subjects and scores that are given."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crosspatch.dataset import Subject
from crosspatch.errors import SettingsError
from crosspatch.feedback.observe import Seen
from crosspatch.feedback.simulation import ARMS, Replay
from crosspatch.feedback.verdicts import judge, sentences, write_arms, write_curve

POOL = tuple(f"s{number:02}" for number in range(40))


def seen(labelled=(), foreground=None, uncertainty=None):
    return [
        Seen(
            Subject(name, Path(f"{name}.png"), None, None, name),
            "trained" if name in labelled else "open",
            (uncertainty or {}).get(name, 0.1), 0.5, 0.5, math.nan,
            (foreground or {}).get(name, 0.0),
            np.array([int(name[1:]) % 7, int(name[1:])], dtype=np.float32),
        )
        for name in POOL
    ]  # fmt: skip


def test_labels_grow_by_the_same_number_each_round():
    replay = Replay(POOL, share=0.05, rounds=4)
    assert [replay.labels(round_) for round_ in range(5)] == [2, 4, 6, 8, 10]
    assert replay.as_table()["labels"] == [2, 4, 6, 8, 10]


def test_chance_goes_on_where_the_first_labels_end_and_never_repeats():
    replay = Replay(POOL, share=0.1, rounds=3)
    drawn = replay.first(7)
    for round_ in (1, 2, 3):
        drawn = [*drawn, *replay.choose("random", 7, round_, [])]
    assert len(set(drawn)) == 16
    assert Replay(POOL, share=0.1, rounds=3).first(7) == drawn[:4]
    assert replay.first(8) != drawn[:4]


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm != "random"])
def test_no_arm_chooses_what_is_labelled_and_each_chooses_as_many(arm):
    replay = Replay(POOL, share=0.1, rounds=2)
    first = replay.first(0)
    chosen = replay.choose(arm, 0, 1, seen(first))
    assert len(chosen) == len(set(chosen)) == 4
    assert not set(chosen) & set(first)


def test_a_measure_takes_the_highest():
    replay = Replay(POOL, share=0.05, rounds=1)
    unsure = {"s31": 0.9, "s07": 0.8, "s02": 0.7}
    assert replay.choose("uncertainty", 0, 1, seen(["s31"], uncertainty=unsure)) == ["s07", "s02"]


def test_foreground_aware_chance_draws_two_thirds_where_foreground_is_predicted():
    replay = Replay(POOL, share=0.15, rounds=1)
    foreground = dict.fromkeys(POOL[:10], 0.5)
    drawn = [
        set(replay.choose("foreground-random", seed, 1, seen((), foreground)))
        for seed in range(200)
    ]
    inside = np.array([len(one & set(POOL[:10])) for one in drawn])
    assert inside.min() >= 4  # of six
    assert inside.max() > 4  # the evenly drawn third finds foreground too
    assert len(set.union(*drawn)) == len(POOL)  # and everything else in its turn


def test_where_no_foreground_is_predicted_chance_is_even():
    replay = Replay(POOL, share=0.15, rounds=1)
    assert len(set(replay.choose("foreground-random", 0, 1, seen()))) == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arms": ("magic",)}, "unknown way of choosing 'magic'"),
        ({"seeds": 0}, "at least one seed"),
        ({"share": 1.0}, "below 1"),
        ({"share": 0.25, "rounds": 3}, "would label them all"),
    ],
)
def test_a_replay_that_cannot_be_is_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        Replay(POOL, **settings)


def scores(replay, lift, *, groups=8, noise=0.005):
    """Rows of scores in which an arm is better than chance by ``lift[arm]``."""
    generator = np.random.default_rng(0)
    of_group = generator.normal(0.6, 0.1, groups)
    rows = []
    steps = [("start", 0)] + [(a, r) for a in replay.arms for r in range(1, replay.rounds + 1)]
    for seed in range(replay.seeds):
        for arm, round_ in steps:
            for number in range(2 * groups):
                group = number // 2
                iou = of_group[group] + 0.02 * round_ + lift.get(arm, 0)
                iou += 0.01 * seed + generator.normal(0, noise)
                rows.append({
                    "arm": arm, "seed": seed, "round": round_, "labels": replay.labels(round_),
                    "subject": f"t{number}", "group": f"g{group}", "tp": 50, "fp": 10, "fn": 10,
                    "tn": 30, "foreground": 0.6, "iou": iou, "dice": 0.5, "boundary_f": 0.5,
                    "false_positive_area": None, "average_precision": 0.5, "loss": 0.5,
                })  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"false_positive_area": pl.Float64})


REPLAY = Replay(POOL, ("random", "foreground-random", "need", "verdict"), 3, 0.1, 2, 5)


def test_what_is_better_beats_chance_and_what_is_not_does_not():
    points, comparisons = judge(REPLAY, scores(REPLAY, {"need": 0.05}))
    beats = {(one.arm, one.baseline): one.beats for one in comparisons}
    assert beats[("need", "random")]
    assert beats[("need", "foreground-random")]
    assert not beats[("verdict", "random")]
    assert not beats[("foreground-random", "random")]
    need = next(one for one in comparisons if one.arm == "need")
    assert need.difference.value == pytest.approx(0.05, abs=0.005)
    assert need.difference.low < 0.05 < need.difference.high
    said = sentences(comparisons)
    assert said[0].startswith("need (+0.0")
    assert said[0].endswith("beats random choice, over all rounds")
    assert [(one.arm, one.round, one.labels) for one in points][:3] == [
        ("start", 0, 4), ("random", 1, 8), ("random", 2, 12),
    ]  # fmt: skip
    assert points[0].score.seeds == 3


def test_one_seed_is_said_to_be_one():
    once = Replay(POOL, REPLAY.arms, 1, 0.1, 2, 5)
    said = sentences(judge(once, scores(once, {"need": 0.05}))[1])
    assert all(line.endswith("; one seed only: another may say otherwise") for line in said)


def test_what_is_worse_does_not_beat():
    _, comparisons = judge(REPLAY, scores(REPLAY, {"need": -0.05, "verdict": -0.05}))
    assert not any(one.beats for one in comparisons if one.arm in ("need", "verdict"))
    assert sentences(comparisons)[0] == "nothing beats random choice, over all rounds"


def test_few_groups_allow_no_verdict(tmp_path):
    points, comparisons = judge(REPLAY, scores(REPLAY, {"need": 0.2}, groups=4))
    assert not any(one.beats for one in comparisons)
    assert sentences(comparisons)[0] == "too few test groups to say what beats random choice"
    write_curve(tmp_path / "curve.csv", points)
    write_arms(tmp_path / "arms.csv", comparisons)
    row = pl.read_csv(tmp_path / "curve.csv").row(0, named=True)
    assert (row["arm"], row["low"], row["share"]) == ("start", None, 0.1)
    assert pl.read_csv(tmp_path / "arms.csv")["beats"].to_list() == ["no"] * 6
