import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from crosspatch.feedback.proposals import MOST_MARKS, machine_learnt, propose
from crosspatch.volunteers.proposals import Proposed
from crosspatch.volunteers.rasterize import area, fill
from crosspatch.volunteers.trace import simplify, trace


def distances(points, line):
    """From each point to the nearest of a closed line's segments, by brute force."""
    starts, stops = line, np.roll(line, -1, axis=0)
    along = stops - starts
    squares = np.maximum((along**2).sum(1), 1e-12)
    offsets = points[:, None] - starts[None]
    share = np.clip((offsets * along).sum(2) / squares, 0, 1)
    return np.sqrt(((offsets - share[..., None] * along) ** 2).sum(2)).min(axis=1)


def sampled(line, step=0.25):
    pieces = []
    for start, stop in zip(line, np.roll(line, -1, axis=0), strict=True):
        number = max(2, int(np.hypot(*(stop - start)) / step))
        pieces.append(start + np.linspace(0, 1, number)[:, None] * (stop - start))
    return np.concatenate(pieces)


def hausdorff(one, other):
    return max(distances(sampled(one), other).max(), distances(sampled(other), one).max())


def blob(seed, size=32):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 3)
    return (noise > 0.02).astype(np.uint8)


def outline_of(mark):
    assert (mark.pathX[0], mark.pathY[0]) == (mark.pathX[-1], mark.pathY[-1])
    return np.array([mark.pathY[:-1], mark.pathX[:-1]]).T


@settings(max_examples=12)
@given(seed=st.integers(0, 50), zoom=st.sampled_from([1.0, 0.5, 2.0]))
def test_marks_are_within_one_uploaded_pixel_of_the_masks_edge(seed, zoom):
    mask = blob(seed)
    size = (round(32 * zoom), round(32 * zoom))
    marks, left = propose(mask, size)
    edges = sorted((one * zoom for one in trace(mask)), key=lambda one: -area(one))
    assert len(marks) + left == len(edges)
    for mark, edge in zip(marks, edges, strict=False):
        assert hausdorff(outline_of(mark), edge) <= 1.0


def test_x_runs_along_columns():
    mask = np.zeros((20, 40), np.uint8)
    mask[4:10, 20:36] = 1
    (mark,), left = propose(mask, (20, 40))
    assert left == 0
    assert (min(mark.pathX), max(mark.pathX)) == (20, 36)
    assert (min(mark.pathY), max(mark.pathY)) == (4, 10)
    (half,), _ = propose(mask, (10, 20))
    assert (min(half.pathX), max(half.pathX)) == (10, 18)


def test_the_classifier_does_not_take_a_mark_for_a_slip():
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 1
    (mark,), _ = propose(mask, (40, 40))
    assert len(mark.pathX) >= 20


def test_simplifying_leaves_few_points_and_the_same_area():
    rows, columns = np.mgrid[:200, :200]
    disc = ((rows - 100) ** 2 + (columns - 100) ** 2 < 80**2).astype(np.uint8)
    (edge,) = trace(disc)
    plain = simplify(edge, 0.98)
    assert len(plain) < len(edge) / 10
    (mark,), _ = propose(disc, disc.shape)
    again = fill([outline_of(mark)], disc.shape)
    assert (again != disc).sum() < 0.02 * disc.sum()


@pytest.mark.parametrize("points", [[], [[0, 0]], [[0, 0], [0, 9], [1, 9]]])
def test_what_cannot_be_simpler_stays(points):
    outline = np.array(points, float).reshape(-1, 2)
    assert simplify(outline, 1).tolist() == outline.tolist()


def test_a_sliver_keeps_an_area():
    sliver = np.array([[0, 0], [0.2, 5], [0, 10], [0.1, 4], [0.05, 2]], float)
    assert len(simplify(sliver, 1)) == 3


def test_specks_are_left_and_counted_and_the_largest_come_first():
    mask = np.zeros((60, 60), np.uint8)
    mask[2:4, 2:4] = 1  # 4 pixels
    mask[10:16, 10:16] = 1
    mask[30:50, 30:50] = 1
    marks, left = propose(mask, mask.shape)
    assert left == 1
    assert [max(mark.pathX) for mark in marks] == [50, 16]
    assert propose(np.full((5, 5), 255, np.uint8), (5, 5)) == ([], 0)


def test_no_subject_gets_more_outlines_than_people_can_correct():
    mask = np.zeros((120, 120), np.uint8)
    for row in range(0, 120, 10):
        for column in range(0, 120, 10):
            mask[row : row + 6, column : column + 6] = 1
    marks, left = propose(mask, mask.shape)
    assert (len(marks), left) == (MOST_MARKS, 44)


def test_marks_are_laid_out_as_the_classifier_reads_them():
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 1
    marks, _ = propose(mask, mask.shape)
    shown = machine_learnt(Proposed("a", "77", 0, "T0", 1, 40, 40, marks), "S0")
    (mark,) = shown["data"]
    assert {key: mark[key] for key in mark if not key.startswith("path")} == {
        "stepKey": "S0", "taskIndex": 0, "taskKey": "T0", "taskType": "drawing", "toolIndex": 1,
        "toolType": "freehandLine", "frame": 0, "markId": "crosspatch-77-0",
    }  # fmt: skip
    assert mark["pathX"] == marks[0].pathX
