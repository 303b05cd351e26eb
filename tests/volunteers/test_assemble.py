"""Closing outlines: pieces joined by their nearest ends, and what has no area is named."""

import numpy as np
import pytest

from crosspatch.volunteers import assemble as module
from crosspatch.volunteers.assemble import assemble, why_no_area
from crosspatch.volunteers.marks import Path
from crosspatch.volunteers.rasterize import area


def line(*points, closed=False):
    return Path(np.array(points, float), closed)


def arc(begin, end, radius=10.0, middle=(20.0, 20.0), points=40):
    """Part of a circle, from ``begin`` to ``end`` degrees."""
    turn = np.radians(np.linspace(begin, end, points))
    return Path(np.stack([middle[0] + radius * np.sin(turn), middle[1] + radius * np.cos(turn)], 1),
                False)  # fmt: skip


def test_a_closed_path_stays_as_it_is_without_its_repeated_point():
    ((one,), dropped) = assemble([line((0, 0), (0, 4), (3, 0), (0, 0), closed=True)])
    assert one.outline.tolist() == [[0, 0], [0, 4], [3, 0]]
    assert one.parts == (0,)
    assert dropped == []


def test_one_open_path_is_closed_by_its_ends():
    ((one,), _) = assemble([line((0, 0), (0, 4), (3, 4))])
    assert area(one.outline) == 6


@pytest.mark.parametrize("turned", [(), (0,), (1,), (0, 2), (0, 1, 2)])
def test_three_pieces_of_a_circle_become_one_whatever_way_they_were_drawn(turned):
    pieces = [arc(0, 110), arc(240, 355), arc(118, 235)]
    pieces = [
        Path(piece.points[::-1], False) if place in turned else piece
        for place, piece in enumerate(pieces)
    ]
    ((one,), dropped) = assemble(pieces)
    assert area(one.outline) == pytest.approx(np.pi * 100, rel=0.01)
    assert sorted(one.parts) == [0, 1, 2]
    assert dropped == []


def test_two_sloppy_loops_stay_two():
    outlines, _ = assemble([arc(0, 345), arc(10, 350, middle=(20, 60))])
    assert [one.parts for one in outlines] == [(0,), (1,)]
    assert [area(one.outline) for one in outlines] == pytest.approx([np.pi * 100] * 2, rel=0.02)


def test_a_loop_and_the_pieces_of_another_do_not_mix():
    outlines, _ = assemble([arc(0, 170), arc(5, 350, middle=(70, 70)), arc(180, 350)])
    assert [one.parts for one in outlines] == [(0, 2), (1,)]


def test_closed_paths_take_no_part_in_stitching():
    outlines, _ = assemble([arc(0, 175), line((0, 0), (0, 4), (3, 0), closed=True), arc(185, 355)])
    assert sorted(one.parts for one in outlines) == [(0, 2), (1,)]


def test_what_has_no_area_is_dropped_with_all_its_parts():
    outlines, dropped = assemble(
        [
            line((0, 0), (1, 1), closed=True),
            line((0, 0), (2, 2), (4, 4), closed=True),
            line((9, 9), (9, 9), (9, 9), (9, 9), closed=True),
            line((0, 0), (0, 4), (3, 0), closed=True),
        ]
    )
    assert [one.parts for one in outlines] == [(3,)]
    assert dropped == [
        (0, "it has fewer than 3 points"),
        (1, "it has no area"),
        (2, "it has no area"),
    ]


def test_two_pieces_on_one_line_are_dropped_both():
    outlines, dropped = assemble([line((0, 0), (0, 5)), line((0, 6), (0, 9))])
    assert outlines == []
    assert [part for part, _ in dropped] == [0, 1]


def test_a_figure_of_eight_has_an_area_although_its_halves_cancel():
    assert why_no_area(np.array([[0, 0], [4, 4], [4, 0], [0, 4]], float)) is None


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_a_sliver_is_an_area_a_slanted_line_is_none(far):
    sliver = np.array([[0, 0], [50, 100], [100, 200.01]]) + far
    assert why_no_area(sliver) is None
    assert why_no_area(np.array([[0, 0], [50, 100], [100, 200], [1, 2]]) + far) == "it has no area"


def test_very_many_open_paths_are_closed_each_by_itself(monkeypatch):
    monkeypatch.setattr(module, "_MOST_PIECES", 2)
    outlines, _ = assemble([arc(0, 110), arc(240, 355), arc(118, 235)])
    assert [one.parts for one in outlines] == [(0,), (1,), (2,)]


def test_nothing_drawn_gives_nothing():
    assert assemble([]) == ([], [])
