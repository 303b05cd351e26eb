"""Pictures: the right bands in the right places, colours that mean what they say."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from crosspatch.images import pictures

rng = np.random.default_rng(8)


def ramps(*scales, dtype=np.float32):
    """Make channels that rise along rows or columns, told apart by direction and sign."""
    rows, columns = np.indices((40, 50))
    kinds = {
        "down": rows / 39,
        "up": 1 - rows / 39,
        "right": columns / 49,
        "left": 1 - columns / 49,
    }
    return np.stack([kinds[kind] * 100 for kind in scales]).astype(dtype)


def rises(plane):
    """Say along which way a plane rises."""
    down = int(plane[-1].sum()) - int(plane[0].sum())
    right = int(plane[:, -1].sum()) - int(plane[:, 0].sum())
    if abs(down) > abs(right):
        return "down" if down > 0 else "up"
    return "right" if right > 0 else "left"


def shown(picture):
    return [rises(picture[..., channel]) for channel in range(3)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("blue", "green", "red", "nir"), ["right", "up", "down"]),
        (("red", "green", "blue", "nir"), ["down", "up", "right"]),
        (("NIR", "Red", "Blue", "Green"), ["up", "left", "right"]),
        (None, ["right", "up", "down"]),
        (("a", "b", "c", "d"), ["right", "up", "down"]),
    ],
)
def test_natural_colour_follows_the_names(names, expected):
    assert shown(pictures.to_rgb(ramps("down", "up", "right", "left"), names)) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("blue", "green", "red", "nir"), ["left", "right", "up"]),
        (("Near infrared", "red", "green", "blue"), ["down", "up", "right"]),
        (("red", "green", "blue", "near_infrared"), ["left", "down", "up"]),
        (None, ["left", "right", "up"]),
    ],
)
def test_false_colour_shows_near_infrared_as_red(names, expected):
    pixels = ramps("down", "up", "right", "left")
    assert shown(pictures.near_infrared_rgb(pixels, names)) == expected


def test_no_near_infrared_no_false_colour():
    assert pictures.near_infrared_rgb(ramps("down", "up", "right")) is None
    assert pictures.near_infrared_rgb(ramps("down", "up"), ("nir", "red")) is None


def test_one_and_two_channels_are_grey_by_the_first_and_three_are_in_order():
    grey = pictures.to_rgb(ramps("down"))
    assert (grey[..., 0] == grey[..., 2]).all()
    assert shown(pictures.to_rgb(ramps("right", "up"))) == ["right"] * 3
    assert shown(pictures.to_rgb(ramps("down", "up", "right"))) == ["down", "up", "right"]


def test_the_stretch_ignores_outliers():
    pixels = np.linspace(1000, 2000, 10_000).reshape(1, 100, 100).astype(np.int16)
    pixels[0, 0, 0], pixels[0, -1, -1] = -30_000, 30_000
    picture = pictures.to_rgb(pixels)
    assert picture.min() == 0
    assert picture.max() == 255
    assert abs(int(picture[50, 0, 0]) - 128) < 3


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "float64"])
def test_every_type_gives_the_same_picture(dtype):
    pixels = ramps("right", "down", "left")
    expected = pictures.to_rgb(np.rint(pixels))
    shift = 0 if dtype.startswith("u") else 60  # also below zero
    found = pictures.to_rgb((np.rint(pixels) - shift).astype(dtype))
    np.testing.assert_allclose(found.astype(int), expected, atol=1)


def test_a_photo_keeps_its_hue_and_a_sensors_bands_are_stretched_each():
    warm = np.stack([np.linspace(0, top, 900).reshape(30, 30) for top in (200, 100, 50)])
    photo = pictures.to_rgb(warm.astype(np.uint8))
    assert photo[-1, -1, 0] == 255
    assert photo[-1, -1, 2] < 80
    hazy = np.concatenate([warm[::-1], warm[:1]]).astype(np.uint8)
    assert (pictures.to_rgb(hazy)[-1, -1] == 255).all()


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((1, 4, 4), 51, np.uint8), 51),
        (np.full((1, 4, 4), 65535, np.uint16), 255),
        (np.full((1, 4, 4), 0.2, np.float32), 51),
        (np.full((1, 4, 4), np.nan, np.float32), 0),
    ],
)
def test_an_image_without_contrast_keeps_its_level(pixels, expected):
    assert (pictures.to_rgb(pixels) == expected).all()


def test_nan_and_infinity_are_black_and_do_not_spoil_the_stretch():
    pixels = ramps("right")
    pixels[0, 3, 30], pixels[0, 4, 30] = np.nan, np.inf
    picture = pictures.to_rgb(pixels)
    assert picture[3, 30].tolist() == picture[4, 30].tolist() == [0, 0, 0]
    assert picture[5, -1].tolist() == [255] * 3


def test_what_holds_no_data_does_not_count_in_the_stretch():
    pixels = np.array([[[-9999, 20, 40, 60]]], dtype=np.int16)
    known = pixels[0] != -9999
    expected = pictures.to_rgb(pixels[:, :, 1:])
    assert expected[0, [0, 2], 0].tolist() == [0, 255]
    assert np.array_equal(pictures.to_rgb(pixels, known=known)[:, 1:], expected)
    assert np.array_equal(
        pictures.stretched_planes(pixels, known=known)[0, :, 1:], expected[:, :, 0]
    )
    many = np.concatenate([pixels] * 4)
    infrared = pictures.near_infrared_rgb(many, known=known)
    assert np.array_equal(infrared[:, 1:], expected)


def test_an_overlay_tints_inside_outlines_the_edge_and_leaves_the_rest():
    picture = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    result = pictures.overlay(picture, mask, (200, 0, 50), 0.3)
    assert result[10, 10].tolist() == [130, 70, 85]
    assert result[5, 9].tolist() == result[14, 14].tolist() == [200, 0, 50]
    assert result[0, 0].tolist() == [100, 100, 100]
    assert (result[4, 9] < 100).all()  # the dark rim
    assert (picture == 100).all()


def test_the_border_of_the_picture_is_no_outline():
    full = pictures.overlay(
        np.full((9, 9, 3), 100, np.uint8), np.ones((9, 9), bool), (0, 0, 0), 0.5
    )
    assert (full == 50).all()


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_an_outline_is_the_same_wherever_it_lies_and_touches_the_border(seed):
    """Only the surroundings of a foreground are worked on; that is not to be seen."""
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 20, 2)
    foreground = random.random((height, width)) < random.choice([0, 0.05, 0.9, 1])
    picture = np.full((height, width, 3), 100, np.uint8)
    drawn = pictures.outline(picture, foreground, (9, 9, 9))[:, :, 0]
    padded = np.pad(foreground, 1, mode="edge")
    neighbours = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
    np.testing.assert_array_equal(drawn == 9, foreground & ~np.logical_and.reduce(neighbours))
    np.testing.assert_array_equal(drawn == 55, ~foreground & np.logical_or.reduce(neighbours))


def test_a_large_picture_has_a_wider_line():
    mask = np.zeros((400, 400), bool)
    mask[100:300, 100:300] = True
    drawn = pictures.outline(np.zeros((400, 400, 3), np.uint8), mask, (9, 9, 9))[200, :, 0]
    assert np.flatnonzero(drawn).tolist() == [100, 101, 298, 299]


def test_ignored_pixels_are_hatched_not_tinted():
    picture = np.full((30, 30, 3), 100, np.uint8)
    mask = np.full((30, 30), 255, np.uint8)
    levels = np.unique(pictures.overlay(picture, mask))
    assert levels.tolist() == [90, 178]


def test_agreement_colours():
    picture = np.zeros((1, 6, 3), np.uint8)
    prediction = np.array([[1, 1, 0, 0, 1, 0]])
    mask = np.array([[1, 0, 1, 0, 255, 255]], np.uint8)
    found = pictures.agreement(picture, prediction, mask)[0]
    for pixel, colour, share in (
        (0, pictures.TRUE_POSITIVE, 0.5),
        (1, pictures.FALSE_POSITIVE, 0.8),
        (2, pictures.FALSE_NEGATIVE, 0.8),
    ):
        np.testing.assert_allclose(found[pixel], np.array(colour) * share, atol=0.51)
    assert found[3].tolist() == [0, 0, 0]
    assert len(set(found[4].tolist())) == len(set(found[5].tolist())) == 1  # grey: ignored


def test_a_contact_sheet_has_a_cell_for_every_tile_and_room_for_captions():
    tiles = [np.full((10, 10, 3), value, np.uint8) for value in (10, 20, 30, 40, 50)]
    sheet = pictures.contact_sheet(tiles, ["a", "b", "c", "d", "e"], columns=2, cell=64)
    assert sheet.dtype == np.uint8
    colours, counts = np.unique(sheet[..., 0], return_counts=True)
    found = dict(zip(colours.tolist(), counts.tolist(), strict=True))
    for value in (10, 20, 30, 40, 50):
        assert found[value] >= 60 * 60  # magnified 6 times
    assert 2 * 64 < sheet.shape[1] < 2 * 64 + 30
    assert sheet.shape[0] > 3 * 64


def test_captions_are_drawn_under_their_own_tile_and_cut_to_its_width():
    white = np.full((64, 64, 3), 255, np.uint8)
    sheet = pictures.contact_sheet(
        [white] * 2, ["", "far too long for a cell " * 3], columns=2, cell=64
    )
    dark = np.flatnonzero((sheet[..., 0] < 200).any(axis=0))
    assert dark.min() >= sheet.shape[1] // 2
    assert dark.max() < sheet.shape[1] - 2


def test_large_and_oblong_tiles_are_shrunk_into_their_cell():
    sheet = pictures.contact_sheet([np.zeros((100, 400, 3), np.uint8)], [""], columns=1, cell=100)
    dark = sheet[..., 0] < 20
    assert dark.any(axis=0).sum() == 100
    assert dark.any(axis=1).sum() == 25


def test_every_tile_has_a_caption():
    with pytest.raises(ValueError, match="1 captions for 2 tiles"):
        pictures.contact_sheet([np.zeros((4, 4, 3), np.uint8)] * 2, ["a"], columns=2)


def test_png_bytes_and_data_uri_hold_the_picture():
    picture = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    again = np.asarray(Pillow.open(io.BytesIO(pictures.to_png_bytes(picture))))
    np.testing.assert_array_equal(again, picture)
    start, _, data = pictures.to_data_uri(picture).partition(",")
    assert start == "data:image/png;base64"
    assert base64.b64decode(data) == pictures.to_png_bytes(picture)


def test_a_png_of_few_colours_is_smaller_and_nearly_the_same():
    rows, cols = np.mgrid[:64, :64]
    smooth = np.stack([rows * 4, cols * 4, (rows + cols) * 2], axis=2)
    picture = np.clip(smooth + rng.integers(0, 12, (64, 64, 3)), 0, 255).astype(np.uint8)
    picture[:3, :3] = pictures.YELLOW  # rare, and the point of the picture
    small = pictures.to_png_bytes(picture, colours=256)
    assert len(small) < len(pictures.to_png_bytes(picture)) / 2
    again = np.asarray(Pillow.open(io.BytesIO(small)).convert("RGB")).astype(int)
    assert np.abs(again - picture).mean() < 12
    assert np.abs(again[1, 1] - pictures.YELLOW).max() < 12
