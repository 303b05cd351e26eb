"""Writing: whole or not at all, and nothing that a format cannot hold."""

import io
import logging

import numpy as np
import pytest
import tifffile

from crosspatch import images
from crosspatch.errors import CrosspatchError, InputError

rng = np.random.default_rng(11)
GREY = rng.integers(0, 256, (11, 17), np.uint8)
COLOUR = rng.integers(0, 256, (11, 17, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "pixels", "options", "message"),
    [
        ("a.png", np.zeros((2, 3, 3), np.uint8), {}, "a PNG holds 1 or 3 channels"),
        ("a.png", np.zeros((1, 3, 3), np.float32), {}, "a PNG holds .* not 1 of float32"),
        ("a.png", np.zeros((1, 3, 3), np.int16), {}, "not 1 of int16; write a .tif"),
        ("a.png", np.zeros((1, 3, 3), np.uint8), {"channel_names": ["em"]}, "no channel names"),
        ("a.png", np.zeros((1, 3, 3), np.uint8),
         {"georeference": images.Georeference("", (1, 0, 0, 0, 1, 0))}, "no georeference"),
        ("a.jpg", np.zeros((1, 3, 3), np.uint8), {}, "written as .png or .tif"),
        ("a.tif", np.zeros((3, 3), np.uint8), {}, r"an image is \(C, H, W\)"),
        ("a.tif", np.zeros((1, 0, 3), np.uint8), {}, r"an image is \(C, H, W\)"),
        ("a.tif", np.zeros((1, 3, 3), np.int64), {}, "int64 pixels are not written"),
        ("a.tif", np.zeros((2, 3, 3), np.uint8), {"channel_names": ["a"]}, "1 channel names for 2"),
        ("a.tif", np.zeros((1, 3, 3), np.uint8), {"channel_names": [""]}, "name is empty"),
    ],
)  # fmt: skip
def test_what_a_format_cannot_hold_is_an_error_and_leaves_no_file(
    tmp_path, name, pixels, options, message
):
    with pytest.raises(CrosspatchError, match=rf"{name}: .*{message}"):
        images.write_image(tmp_path / name, pixels, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [np.zeros((1, 3, 3), np.uint8), np.zeros((3, 3), np.int32)])
def test_only_a_mask_is_written_as_a_mask(tmp_path, mask):
    with pytest.raises(CrosspatchError, match=r"a mask is \(H, W\) of uint8"):
        images.write_mask(tmp_path / "a.png", mask)


def test_a_colour_png_may_say_that_its_channels_are_colours(tmp_path):
    names = ("red", "green", "blue")
    images.write_image(tmp_path / "a.png", COLOUR.transpose(2, 0, 1), channel_names=names)
    assert images.read_image(tmp_path / "a.png").channel_names == names


def test_the_same_pixels_give_the_same_bytes(tmp_path):
    pixels = COLOUR.transpose(2, 0, 1)
    for name in ("a.tif", "a.png"):
        images.write_image(tmp_path / name, pixels)
        images.write_image(tmp_path / f"again_{name}", pixels.copy())
        assert (tmp_path / name).read_bytes() == (tmp_path / f"again_{name}").read_bytes()


def test_nothing_is_said_to_the_terminal(tmp_path, capfd):
    path = tmp_path / "a.tif"
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GREY, compression="zlib")
    path.write_bytes(buffer.getvalue()[:-20])
    with pytest.raises(InputError):
        images.read_image(path)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("tifffile").handlers
