"""Simulated volunteers err as they are told to: each setting shows in what they draw."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from crosspatch.errors import SettingsError
from crosspatch.metrics import confusion
from crosspatch.volunteers import consensus
from crosspatch.volunteers.rasterize import fill
from crosspatch.volunteers.simulate import VolunteerSettings, simulate

EXACT = VolunteerSettings(
    outward=0, outward_spread=0, grouping=0, jitter=0, smoothing=0, missed=0, invented=0,
    blank=0, sloppy=0, shared=0, shared_edge=0, anonymous=0,
)  # fmt: skip


def scene(side=100):
    """A large block, a second near it, and six small ones of 0.05 of the side."""
    mask = np.zeros((side, side + 20), np.uint8)
    mask[20:50, 20:60] = 1
    mask[20:50, 63:80] = 1
    for column in range(10, 115, 20):
        mask[70:75, column : column + 5] = 1
    return mask


def drawn(settings, volunteers=12, seed=0, masks=None, **more):
    masks = masks or {"a": scene()}
    made = simulate(masks, volunteers=volunteers, seed=seed, settings=settings, **more)
    return {
        name: np.stack([fill(one.outlines, mask.shape) for one in made if one.name == name])
        for name, mask in masks.items()
    }


def test_without_errors_everybody_draws_the_truth():
    assert (drawn(EXACT)["a"] == (scene() == 1)).all()


def test_same_seed_same_drawings_and_another_seed_others():
    def points(seed):
        return [
            (one.volunteer, [line.tolist() for line in one.outlines])
            for one in simulate({"a": scene()}, volunteers=5, seed=seed)
        ]

    assert points(3) == points(3)
    assert points(3) != points(4)


def test_a_subjects_drawings_do_not_depend_on_the_other_subjects():
    alone = drawn(VolunteerSettings(), masks={"b": scene()})["b"]
    among = drawn(VolunteerSettings(), masks={"a": scene()[:50], "b": scene()})["b"]
    assert np.array_equal(alone.sum(axis=0), among.sum(axis=0))


def test_every_subject_gets_its_number_of_different_people():
    masks = {"a": scene(), "b": scene(), "c": scene()}
    made = simulate(masks, volunteers={"a": 3, "b": 7, "c": 1}, seed=1)
    per_subject = {name: [one.volunteer for one in made if one.name == name] for name in masks}
    assert {name: len(set(people)) for name, people in per_subject.items()} == {
        "a": 3, "b": 7, "c": 1,
    }  # fmt: skip
    assert sum(map(len, per_subject.values())) == len(made) == 11
    assert len({one.classification_id for one in made}) == 11
    assert [one.created_at for one in made] == sorted(one.created_at for one in made)


def test_rows_of_a_subject_are_scattered_and_some_people_do_much_more():
    masks = {f"s{n}": scene()[:60] for n in range(30)}
    made = simulate(masks, volunteers=4, seed=0, settings=EXACT)
    names = [one.name for one in made]
    assert sum(a == b for a, b in pairwise(names)) < len(names) / 4
    counts = Counter(one.volunteer for one in made).most_common()
    assert counts[0][1] > 5 * counts[-1][1]


def test_some_are_not_logged_in_and_have_no_number():
    masks = {f"s{n}": scene()[:60] for n in range(20)}
    made = simulate(masks, volunteers=10, seed=0, settings=replace(EXACT, anonymous=0.4))
    anonymous = {one.volunteer: one.user_id for one in made if one.user_id is None}
    people = {one.volunteer for one in made}
    assert 0.2 < len(anonymous) / len(people) < 0.6
    assert all(len(name) == len("not-logged-in-") + 20 for name in anonymous)


def test_outward_draws_outside_of_the_edge_by_that_much():
    """A block of 30 x 40 drawn 3 px outside has its straight edges there, its corners rounded."""
    mask = np.zeros((100, 100), np.uint8)
    mask[30:60, 30:70] = 1
    wide = drawn(replace(EXACT, outward=0.03), 1, masks={"a": mask})["a"][0]
    rows, columns = np.nonzero(wide)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (27, 63, 27, 73)
    narrow = drawn(replace(EXACT, outward=-0.03), 1, masks={"a": mask})["a"][0]
    assert narrow.sum() == pytest.approx(24 * 34, abs=4)


def test_outward_spread_differs_between_people_and_not_within_one():
    settings = replace(EXACT, outward_spread=0.02)
    masks = {"a": scene(), "b": scene()}
    areas = {}
    for one in simulate(masks, volunteers=8, people=8, seed=0, settings=settings):
        areas.setdefault(one.volunteer, []).append(fill(one.outlines, scene().shape).sum())
    assert len(areas) == 8
    assert all(first == second for first, second in areas.values())
    assert len({first for first, _ in areas.values()}) >= 7


def test_grouping_draws_one_outline_around_what_is_near():
    apart = simulate({"a": scene()}, volunteers=1, settings=EXACT)[0]
    together = simulate({"a": scene()}, volunteers=1, settings=replace(EXACT, grouping=0.02))[0]
    assert len(apart.outlines) == 8
    assert len(together.outlines) == 7
    filled = fill(together.outlines, scene().shape)
    assert filled[25:45, 60:63].all()  # the gap of 3 px
    assert not filled[15:19].any()  # but nothing grows outwards
    assert filled.sum() == pytest.approx(
        scene().sum() + 30 * 3, abs=15
    )  # the corners of the gap stay open


def test_jitter_moves_points_by_that_standard_deviation():
    mask = np.zeros((200, 200), np.uint8)
    mask[40:160, 40:160] = 1
    truth = simulate({"a": mask}, volunteers=1, settings=EXACT)[0].outlines[0]
    moved = [
        one.outlines[0] - truth
        for one in simulate({"a": mask}, volunteers=60, settings=replace(EXACT, jitter=0.02))
    ]
    assert np.std(moved) == pytest.approx(0.02 * 200, rel=0.1)


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_shared_edge_is_the_correlation_of_two_peoples_jitter(shared):
    mask = np.zeros((200, 200), np.uint8)
    mask[20:180, 20:180] = 1
    settings = replace(EXACT, jitter=0.02, shared_edge=shared)
    truth = simulate({"s0": mask}, volunteers=1, settings=EXACT)[0].outlines[0]
    masks = {f"s{n}": mask for n in range(40)}
    by_subject = {}
    for one in simulate(masks, volunteers=2, settings=settings, people=2):
        by_subject.setdefault(one.name, []).append((one.outlines[0] - truth).ravel())
    pairs = np.array(list(by_subject.values()))  # (subjects, 2, coordinates)
    first, second = pairs[:, 0].ravel(), pairs[:, 1].ravel()
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(shared, abs=0.1)


def test_small_things_are_missed_more_often_than_large_ones():
    """Chances of 0.5 ** sqrt(d / 0.05): 0.16 at d = 0.36 and 0.5 at 0.05 of the side."""
    masks = {f"s{n}": scene() for n in range(10)}
    settings = replace(EXACT, missed=0.5)
    votes = np.mean([one.mean(axis=0) for one in drawn(settings, 20, masks=masks).values()], axis=0)
    assert votes[35, 40] == pytest.approx(0.84, abs=0.06)
    assert votes[72, 12::20].mean() == pytest.approx(0.5, abs=0.06)


def test_shared_misses_are_what_votes_cannot_average_away():
    """As many misses either way; only when they are each person's own does a majority mend them."""
    masks = {f"s{n}": scene() for n in range(12)}
    settings = replace(EXACT, missed=0.35)

    def missed(shared):
        filled = drawn(replace(settings, shared=shared), 9, masks=masks)
        lone, together = [], []
        for name, one in filled.items():
            truth = masks[name] == 1
            lone.append((truth & ~one).sum() / one.shape[0])
            mask = consensus.at_threshold(consensus.count_votes(one), 0.5)
            together.append((truth & (mask == 0)).sum())
        return np.mean(lone), np.mean(together)

    own_lone, own_together = missed(0.0)
    shared_lone, shared_together = missed(0.95)
    assert own_lone == pytest.approx(shared_lone, rel=0.4)
    assert own_together < 0.5 * own_lone
    assert shared_together > 0.8 * shared_lone


def test_invented_objects_lie_where_nothing_is():
    made = simulate({"a": scene()}, volunteers=40, settings=replace(EXACT, invented=2.0))
    extra = [len(one.outlines) - 8 for one in made]
    assert np.mean(extra) == pytest.approx(2, abs=0.6)
    false = [confusion(fill(one.outlines, scene().shape), scene()).fp for one in made]
    assert np.mean(false) > 10


def test_people_who_are_misled_alike_invent_the_same_things():
    def most_votes(shared):
        settings = replace(EXACT, invented=2.0, shared=shared)
        empty = {"a": np.zeros((200, 200), np.uint8)}
        return drawn(settings, 20, masks=empty)["a"].sum(axis=0).max()

    assert most_votes(1.0) > 2 * most_votes(0.0)


def test_blanks():
    masks = {f"s{n}": scene()[:60] for n in range(40)}
    made = simulate(masks, volunteers=10, settings=replace(EXACT, blank=0.25))
    assert np.mean([not one.outlines for one in made]) == pytest.approx(0.25, abs=0.05)
    nobody = simulate({"a": scene()}, volunteers=5, settings=replace(EXACT, blank=1.0))
    assert not any(one.outlines for one in nobody)


def test_sloppy_people_agree_less_with_the_truth():
    settings = replace(EXACT, jitter=0.01, sloppiness=4)
    careful = drawn(replace(settings, sloppy=0))["a"]
    sloppy = drawn(replace(settings, sloppy=1))["a"]

    def mean_iou(filled):
        return np.mean([confusion(one, scene()).iou for one in filled])

    assert mean_iou(sloppy) < mean_iou(careful) - 0.1


def test_an_empty_picture_gives_blanks_without_inventions():
    made = simulate({"a": np.zeros((30, 40), np.uint8)}, volunteers=3, settings=EXACT)
    assert [one.outlines for one in made] == [(), (), ()]
    full = simulate({"a": np.ones((30, 40), np.uint8)}, volunteers=3)
    assert len(full) == 3


def test_ignored_pixels_are_nothing_to_draw():
    mask = scene()
    mask[70:75] *= 255
    made = simulate({"a": mask}, volunteers=1, settings=EXACT)[0]
    assert len(made.outlines) == 2


def test_marks_have_more_points_than_the_classifier_discards():
    made = simulate({"a": scene()}, volunteers=10)
    assert min(len(line) for one in made for line in one.outlines) >= 20


@pytest.mark.parametrize(
    ("name", "value"),
    [("missed", 1.1), ("blank", -0.1), ("shared", float("nan")), ("jitter", -1.0),
     ("invented", float("inf")), ("outward", 0.5)],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(name, value):
    with pytest.raises(SettingsError, match=name):
        replace(EXACT, **{name: value})


@pytest.mark.parametrize("volunteers", [0, 9])
def test_a_crowd_too_small_is_refused(volunteers):
    with pytest.raises(SettingsError, match="out of 8 people"):
        simulate({"a": scene()}, volunteers=volunteers, people=8)
