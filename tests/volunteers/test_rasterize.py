"""Filling is exact: hand-worked ties and self-crossings, and two other libraries as oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from skimage.draw import polygon2mask

from crosspatch.volunteers import rasterize as ours
from crosspatch.volunteers.rasterize import area, count, count_spans, fill, fill_each, spans


def outline(*points):
    return np.array(points, float)


SQUARE = outline((1, 1), (1, 3), (3, 3), (3, 1))


def drawn(mask):
    """A mask as text, to be compared by eye."""
    return ["".join(".#"[int(pixel)] for pixel in line) for line in mask]


def star_shaped(chance, points, height, width):
    """A random simple outline: corners at growing angles round a middle."""
    turn = np.sort(chance.uniform(0, 2 * np.pi, points))
    radius = chance.uniform(0.1, 1, points) * chance.uniform(1, max(height, width))
    middle = chance.uniform(0, (height, width))
    return middle + np.stack([np.sin(turn), np.cos(turn)], 1) * radius[:, None]


def by_rasterio(points, shape):
    ring = [(column, row) for row, column in [*points, points[0]]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return rasterize([(geometry, 1)], out_shape=shape, dtype="uint8").astype(bool)


def by_skimage(points, shape):
    return polygon2mask(shape, points - 0.5)  # its pixel (0, 0) has the centre (0, 0)


def test_a_square_on_pixel_edges_holds_its_pixels():
    assert drawn(fill([SQUARE], (4, 5))) == [".....", ".##..", ".##..", "....."]


def test_either_direction_and_any_start_fill_alike():
    for turned in (SQUARE[::-1], np.roll(SQUARE, 1, 0), np.roll(SQUARE, 2, 0)[::-1]):
        assert (fill([turned], (4, 5)) == fill([SQUARE], (4, 5))).all()


def test_a_repeated_last_point_changes_nothing():
    assert (fill([np.vstack([SQUARE, SQUARE[:1]])], (4, 5)) == fill([SQUARE], (4, 5))).all()


def test_a_centre_on_the_upper_or_left_edge_is_in_on_the_lower_or_right_out():
    tied = outline((0.5, 1.5), (0.5, 3.5), (2.5, 3.5), (2.5, 1.5))
    assert drawn(fill([tied], (4, 5))) == [".##..", ".##..", ".....", "....."]


def test_a_triangle_with_centres_on_its_slope_by_hand():
    # The slope runs from (0, 0) to (4, 4), through the centres (0.5, 0.5), (1.5, 1.5), ...
    lower_left = outline((0, 0), (4, 4), (4, 0))
    upper_right = outline((0, 0), (0, 4), (4, 4))
    assert drawn(fill([lower_left], (4, 4))) == ["....", "#...", "##..", "###."]
    assert drawn(fill([upper_right], (4, 4))) == ["####", ".###", "..##", "...#"]


def test_a_point_that_touches_a_row_of_centres_fills_no_row():
    tip_up = outline((1.5, 2.5), (3, 1), (3, 4))
    assert drawn(fill([tip_up], (4, 5)))[1] == "....."
    assert drawn(fill([tip_up], (4, 5)))[2] == ".##.."  # from column 1.5 to 3.5


def test_a_figure_of_eight_is_filled_on_both_sides():
    eight = outline((0, 0), (4, 4), (4, 0), (0, 4))
    assert drawn(fill([eight], (4, 4))) == ["###.", ".#..", ".#..", "###."]
    assert area(eight) == 0  # its halves turn opposite ways


def test_a_loop_that_goes_round_twice_has_no_hole():
    inner = outline((1, 1), (1, 4), (4, 4), (4, 1))
    twice = np.vstack([outline((0, 0), (0, 5), (5, 5), (5, 0), (0, 0)), inner, inner[:1]])
    assert fill([twice], (5, 5)).all()


def test_a_loop_that_turns_back_inside_itself_has_a_hole():
    inner = outline((1, 1), (1, 4), (4, 4), (4, 1))
    back = np.vstack([outline((0, 0), (0, 5), (5, 5), (5, 0), (0, 0)), inner[:1], inner[:0:-1],
                      inner[:1]])  # fmt: skip
    assert drawn(fill([back], (5, 5))) == ["#####", "#...#", "#...#", "#...#", "#####"]


def test_overlapping_outlines_of_one_volunteer_unite_whatever_their_directions():
    first, second = SQUARE, (SQUARE + 1)[::-1]
    united = fill([first], (5, 5)) | fill([second], (5, 5))
    assert (fill([first, second], (5, 5)) == united).all()
    assert count([[first, second]], (5, 5)).max() == 1
    assert count([[first], [second]], (5, 5)).max() == 2


def test_groups_with_none_and_with_several_outlines_stay_apart():
    counted = count([[], [SQUARE, SQUARE], [SQUARE]], (4, 5))
    assert counted.max() == 2
    filled = fill_each([[], [SQUARE, SQUARE + 1], []], (5, 5))
    assert filled.sum(axis=(1, 2)).tolist() == [0, 7, 0]


def test_nothing_to_fill_is_an_empty_mask():
    assert not fill([], (3, 4)).any()
    assert fill([], (3, 4)).shape == (3, 4)
    assert not fill([np.zeros((0, 2)), outline((1, 1)), outline((0, 0), (9, 9))], (3, 4)).any()
    assert fill_each([], (3, 4)).shape == (0, 3, 4)


def test_what_lies_outside_is_clipped():
    huge = outline((-5, -7), (-5, 90), (90, 90), (90, -7))
    assert fill([huge], (4, 6)).all()
    left = outline((0, -9), (0, 2), (4, 2), (4, -9))
    assert drawn(fill([left], (3, 4))) == ["##..", "##..", "##.."]
    assert not fill([SQUARE + 50, SQUARE - 50], (4, 5)).any()


def test_coordinates_a_million_pixels_off_cost_nothing():
    far = outline((-1e6, -1e6), (-1e6, 1e6), (1e6, 1e6), (1e6, -1e6))
    found = spans([[far]], (3, 4))
    assert len(found.row) == 3  # one run a row of the frame, and not one a row of the outline
    assert fill([far], (3, 4)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinity"):
        fill([outline((0, 0), (0, bad), (2, 2))], (3, 3))


def test_a_flat_array_is_refused():
    with pytest.raises(ValueError, match="row, column"):
        fill([np.zeros(6)], (3, 3))


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 60), st.integers(1, 60), st.integers(1, 60))
def test_equal_to_rasterio_and_skimage_on_random_simple_outlines(seed, points, height, width):
    one = star_shaped(np.random.default_rng(seed), points, height, width)
    mask = fill([one], (height, width))
    assert (mask == by_rasterio(one, (height, width))).all()
    assert (mask == by_skimage(one, (height, width))).all()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_neighbours_share_no_pixel_and_leave_none_out(seed):
    """A fan of triangles on half-pixel corners, ties everywhere, covers its hull exactly once."""
    chance = np.random.default_rng(seed)
    corners = chance.integers(0, 24, (5, 2)) / 2
    middle = chance.integers(0, 24, 2) / 2
    around = np.argsort(np.arctan2(*(corners - middle).T))
    ring = corners[around]
    fan = [np.stack([middle, ring[i], ring[(i + 1) % 5]]) for i in range(5)]
    signed = [np.linalg.det([b - a, c - a]) for a, b, c in fan]
    if min(signed) < 0 < max(signed):
        return  # the middle lies outside: triangles overlap by right
    assert (count([[one] for one in fan], (12, 12)) == fill([ring], (12, 12))).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_one_pass_over_many_equals_one_by_one(seed, volunteers):
    chance = np.random.default_rng(seed)
    shape = (17, 23)
    groups = [
        [chance.uniform(-8, 30, (chance.integers(3, 9), 2)) for _ in range(chance.integers(4))]
        for _ in range(volunteers)
    ]
    each = np.stack([fill(group, shape) for group in groups])
    assert (fill_each(groups, shape) == each).all()
    assert (count(groups, shape) == each.sum(axis=0)).all()
    found = spans(groups, shape)
    assert (count_spans(found) == each.sum(axis=0)).all()
    assert found.sizes(volunteers).tolist() == each.sum(axis=(1, 2)).tolist()


def test_an_outline_with_very_many_crossings_equals_the_usual_way(monkeypatch):
    chance = np.random.default_rng(3)
    scribble = chance.uniform(-5, 45, (400, 2))
    others = [star_shaped(chance, 12, 40, 30) for _ in range(5)]
    usual = fill_each([[scribble], others], (40, 30))
    monkeypatch.setattr(ours, "_MOST_CROSSINGS", 300)
    assert (fill_each([[scribble], others], (40, 30)) == usual).all()


def test_the_filled_area_is_unbiased():
    """Painting boundary pixels, as cv2 and PIL do, adds 1.5% to such outlines."""
    chance = np.random.default_rng(0)
    true, filled = 0.0, 0
    for _ in range(400):
        turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        radius = chance.uniform(30, 70) * (1 + 0.1 * np.sin(3 * turn + chance.uniform(0, 6)))
        middle = chance.uniform(90, 110, 2)
        loop = middle + np.stack([np.sin(turn), np.cos(turn)], 1) * radius[:, None]
        true += area(loop)
        filled += int(fill([loop], (200, 200)).sum())
    assert filled / true == pytest.approx(1, abs=5e-4)


def test_area_by_hand_also_far_away():
    triangle = outline((0, 0), (0, 4), (3, 0))
    assert area(triangle) == 6
    assert area(triangle[::-1] + 1e8) == 6
