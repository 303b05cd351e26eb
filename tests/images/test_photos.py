"""PNG and JPEG: what a viewer shows, bit for bit; stored values for masks."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from crosspatch import images
from crosspatch.errors import InputError

rng = np.random.default_rng(11)
GREY = rng.integers(0, 256, (11, 17), np.uint8)
COLOUR = rng.integers(0, 256, (11, 17, 3), np.uint8)


def test_grey_and_colour_png(tmp_path):
    Pillow.fromarray(GREY).save(tmp_path / "grey.png")
    Pillow.fromarray(COLOUR).save(tmp_path / "colour.png")
    grey, colour = (images.read_image(tmp_path / name) for name in ("grey.png", "colour.png"))
    np.testing.assert_array_equal(grey.pixels, GREY[np.newaxis])
    assert grey.channel_names is None
    np.testing.assert_array_equal(colour.pixels, COLOUR.transpose(2, 0, 1))
    assert colour.channel_names == ("red", "green", "blue")
    assert colour.pixels.flags.c_contiguous
    assert colour.pixels.flags.writeable


def test_a_jpeg_is_read_upright_as_its_exif_says(tmp_path):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:8, :8] = 255  # white corner, top left as stored
    corners = {}
    for orientation in range(1, 9):
        exif = Pillow.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.jpg"
        Pillow.fromarray(pixels).save(path, exif=exif, quality=100, subsampling=0)
        read = images.read_image(path).pixels
        header = images.read_header(path)
        assert (header.channels, header.height, header.width) == read.shape
        white = read[0] > 128
        corners[orientation] = (white[0, 0], white[0, -1], white[-1, -1], white[-1, 0])
    places = {o: ("tl", "tr", "br", "bl")[found.index(True)] for o, found in corners.items()}
    # EXIF 2.3, 4.6.4: where the stored first row and first column lie when shown.
    assert places == {
        1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl",
    }  # fmt: skip


def test_broken_exif_does_not_spoil_a_photo(tmp_path):
    Pillow.fromarray(COLOUR).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert images.read_image(tmp_path / "a.jpg").pixels.shape == (3, 11, 17)


def test_a_cmyk_jpeg_is_refused(tmp_path):
    Pillow.fromarray(np.zeros((8, 8, 4), np.uint8), "CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: has colour mode CMYK"):
        images.read_header(tmp_path / "a.jpg")


def test_palette_is_colour_in_an_image_and_index_in_a_mask(tmp_path):
    indices = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    picture = Pillow.fromarray(indices, "P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / "a.png")
    image = images.read_image(tmp_path / "a.png")
    assert image.pixels[:, 0].T.tolist() == [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
    assert images.read_header(tmp_path / "a.png").channels == 3
    np.testing.assert_array_equal(images.read_mask(tmp_path / "a.png"), indices)


def test_a_transparent_palette_entry_leaves_a_masks_indices_alone(tmp_path):
    picture = Pillow.fromarray(np.array([[0, 1], [1, 1]], np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(tmp_path / "a.png", transparency=0)
    assert images.read_mask(tmp_path / "a.png").tolist() == [[0, 1], [1, 1]]
    with pytest.raises(InputError, match="transparent"):
        images.read_image(tmp_path / "a.png")


def test_a_one_bit_png_is_black_and_white_as_image_and_0_and_1_as_mask(tmp_path):
    Pillow.fromarray(np.array([[True, False, True]])).save(tmp_path / "a.png")
    assert images.read_image(tmp_path / "a.png").pixels.tolist() == [[[255, 0, 255]]]
    mask = images.read_mask(tmp_path / "a.png")
    assert mask.tolist() == [[1, 0, 1]]
    assert mask.dtype == np.uint8


@pytest.mark.parametrize("bits", [2, 4])
def test_low_bit_grey_masks_keep_their_levels(tmp_path, bits):
    levels = np.arange(2**bits, dtype=np.uint8)
    tail = {2: bytes([0b00011011]), 4: bytes(range(0x01, 0x100, 0x22))}[bits]
    (tmp_path / "a.png").write_bytes(handmade_png(len(levels), 1, bits, 0, b"\0" + tail))
    assert images.read_mask(tmp_path / "a.png").tolist() == [levels.tolist()]
    shown = images.read_image(tmp_path / "a.png").pixels[0, 0]
    assert shown.tolist() == [round(level * 255 / levels.max()) for level in levels.tolist()]


def handmade_png(width, height, bits, colour, rows, extra=b""):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_png_keeps_every_bit(tmp_path, channels):
    pixels = rng.integers(0, 2**16, (channels, 9, 14), np.uint16)
    images.write_image(tmp_path / "a.png", pixels)
    read = images.read_image(tmp_path / "a.png").pixels
    np.testing.assert_array_equal(read, pixels)
    assert images.read_header(tmp_path / "a.png").dtype == np.uint16


@pytest.mark.parametrize(("colour", "samples"), [(4, 2), (6, 4)])
def test_16_bit_alpha_that_is_opaque_is_dropped(tmp_path, colour, samples):
    pixels = rng.integers(0, 2**16, (5, 7, samples), np.uint16)
    pixels[..., -1] = 65535
    rows = pixels.astype(">u2").reshape(5, -1).view(np.uint8)
    png = handmade_png(7, 5, 16, colour, np.pad(rows, ((0, 0), (1, 0))).tobytes())
    (tmp_path / "a.png").write_bytes(png)
    read = images.read_image(tmp_path / "a.png").pixels
    np.testing.assert_array_equal(read, pixels[..., :-1].transpose(2, 0, 1))
    assert images.read_header(tmp_path / "a.png").channels == samples - 1


def test_our_16_bit_png_is_what_other_readers_see(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    pixels = rng.integers(0, 2**16, (3, 9, 14), np.uint16)
    images.write_image(tmp_path / "a.png", pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tmp_path / "a.png") as source:
            np.testing.assert_array_equal(source.read(), pixels)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_dropped_where_opaque_and_refused_where_not(tmp_path, mode):
    opaque = Pillow.fromarray(COLOUR).convert(mode)
    opaque.save(tmp_path / "opaque.png")
    channels = len(mode) - 1
    assert images.read_image(tmp_path / "opaque.png").pixels.shape == (channels, 11, 17)
    assert images.read_header(tmp_path / "opaque.png").channels == channels
    opaque.putalpha(Pillow.fromarray(GREY))
    opaque.save(tmp_path / "glass.png")
    with pytest.raises(InputError, match=r"glass\.png: has transparent pixels"):
        images.read_image(tmp_path / "glass.png")
