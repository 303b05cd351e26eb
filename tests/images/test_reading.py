"""Masks, folders of images, and files whose suffix is wrong."""

import numpy as np
import pytest
from PIL import Image as Pillow

from crosspatch import images
from crosspatch.errors import InputError

rng = np.random.default_rng(11)
GREY = rng.integers(0, 256, (11, 17), np.uint8)
COLOUR = rng.integers(0, 256, (11, 17, 3), np.uint8)


def test_a_mask_with_equal_channels_is_one_mask(tmp_path):
    mask = (GREY > 100).astype(np.uint8)
    images.write_image(tmp_path / "a.png", np.stack([mask] * 3))
    np.testing.assert_array_equal(images.read_mask(tmp_path / "a.png"), mask)
    Pillow.fromarray(mask).convert("RGBA").save(tmp_path / "b.png")
    np.testing.assert_array_equal(images.read_mask(tmp_path / "b.png"), mask)


def test_a_mask_of_16_bits_keeps_its_values(tmp_path):
    mask = np.array([[0, 300, 65535]], np.uint16)
    images.write_image(tmp_path / "a.png", mask[np.newaxis])
    np.testing.assert_array_equal(images.read_mask(tmp_path / "a.png"), mask)


def test_a_mask_whose_channels_differ_is_refused(tmp_path):
    Pillow.fromarray(COLOUR).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: a mask has one channel; this one has 3"):
        images.read_mask(tmp_path / "a.png")


def test_a_mask_of_floats_is_refused(tmp_path):
    images.write_image(tmp_path / "a.tif", np.zeros((1, 3, 3), np.float32))
    with pytest.raises(InputError, match=r"a\.tif: a mask holds whole numbers, this one float32"):
        images.read_mask(tmp_path / "a.tif")


def test_a_jpeg_mask_is_refused(tmp_path):
    Pillow.fromarray(GREY).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: is a JPEG, .* use PNG or TIFF"):
        images.read_mask(tmp_path / "a.jpg")


def test_find_images_sorts_by_name_and_leaves_out_what_is_none(tmp_path):
    for name in ("b.PNG", "a.tif", "c.jpeg", "notes.txt", ".hidden.png", "d.png/inner.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in images.find_images(tmp_path)] == ["a.tif", "b.PNG", "c.jpeg"]


def test_find_images_wants_a_folder(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        images.find_images(tmp_path / "nowhere")


def test_the_content_decides_not_the_suffix(tmp_path):
    Pillow.fromarray(GREY).save(tmp_path / "a.jpg", format="PNG")
    assert images.read_header(tmp_path / "a.jpg").format == "PNG"
