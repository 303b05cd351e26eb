"""Every kind of file gives the pixels that its tags declare."""

import builtins
import io
import logging
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from crosspatch import images
from crosspatch.errors import CrosspatchError, InputError, MissingExtraError

rng = np.random.default_rng(11)
GREY = rng.integers(0, 256, (11, 17), np.uint8)
COLOUR = rng.integers(0, 256, (11, 17, 3), np.uint8)


@pytest.fixture
def without(monkeypatch):
    """Make libraries impossible to import."""
    real = builtins.__import__

    def forbid(*names):
        def guarded(name, *args, **kwargs):
            if name.partition(".")[0] in names:
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", guarded)

    return forbid


# --- PNG and JPEG --------------------------------------------------------------------------------


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
    import struct
    import zlib

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


# --- TIFF ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_planar_and_interleaved_tiff_give_the_same_channels(tmp_path, order, compression, tile):
    pixels = rng.integers(-3000, 3000, (5, 19, 23)).astype(np.int16)
    options = {"photometric": "minisblack", "compression": compression, "tile": tile}
    tifffile.imwrite(
        tmp_path / "planar.tif", pixels, planarconfig="separate", byteorder=order, **options
    )
    tifffile.imwrite(
        tmp_path / "woven.tif", np.moveaxis(pixels, 0, -1), planarconfig="contig",
        byteorder=order, **options,
    )  # fmt: skip
    for name in ("planar.tif", "woven.tif"):
        read = images.read_image(tmp_path / name).pixels
        np.testing.assert_array_equal(read, pixels)
        assert read.dtype.isnative
        header = images.read_header(tmp_path / name)
        assert (header.channels, header.height, header.width) == (5, 19, 23)


def test_a_narrow_interleaved_image_is_not_taken_for_channels_first(tmp_path):
    pixels = rng.integers(0, 256, (3, 30, 4)).astype(np.uint8)  # (H, W, C): three rows
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", planarconfig="contig")
    np.testing.assert_array_equal(
        images.read_image(tmp_path / "a.tif").pixels, pixels.transpose(2, 0, 1)
    )


def test_a_fourth_band_that_is_marked_as_alpha_stays_a_channel(tmp_path):
    pixels = rng.integers(0, 256, (4, 8, 9)).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", planarconfig="separate",
        extrasamples=["unassalpha"],
    )  # fmt: skip
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.tif").pixels, pixels)


def test_one_page_a_channel_is_read_where_the_file_says_so(tmp_path):
    pixels = rng.integers(0, 256, (5, 8, 9)).astype(np.uint8)
    for name, options in {
        "axes.tif": {"metadata": {"axes": "CYX"}},
        "plain.tif": {},
        "imagej.tif": {"imagej": True, "metadata": {"axes": "CYX"}},
    }.items():
        tifffile.imwrite(tmp_path / name, pixels, photometric="minisblack", **options)
        np.testing.assert_array_equal(images.read_image(tmp_path / name).pixels, pixels)


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": {"axes": "ZYX"}},
        {"metadata": {"axes": "TYX"}},
        {"metadata": None},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
    ],
)
def test_a_stack_or_film_is_refused(tmp_path, options):
    stack = np.zeros((5, 8, 9), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", **options)
    with pytest.raises(InputError, match=r"a\.tif: holds 5 pages .* save one file a page"):
        images.read_header(tmp_path / "a.tif")


def test_an_imagej_stack_behind_one_directory_is_not_read_as_its_first_slice(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif", imagej=True) as file:
        file.write(np.zeros((5, 8, 9), np.uint8), contiguous=True, truncate=True)
    with pytest.raises(InputError, match="5 pages"):
        images.read_image(tmp_path / "a.tif")


def test_ome_metadata_that_names_other_files_is_not_followed(tmp_path):
    pixels = np.zeros((2, 8, 9), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.ome.tif", pixels, photometric="minisblack", metadata={"axes": "CYX"}
    )
    assert images.read_image(tmp_path / "a.ome.tif").pixels.shape == (2, 8, 9)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        xml = file.ome_metadata
    other = '<TiffData><UUID FileName="../secret.tif">urn:uuid:1</UUID></TiffData>'
    elsewhere = xml.replace("<TiffData", other + "<TiffData", 1)
    tifffile.imwrite(
        tmp_path / "b.ome.tif", pixels, photometric="minisblack", metadata=None,
        description=elsewhere.encode(),
    )  # fmt: skip
    with pytest.raises(InputError, match="spread over several files"):
        images.read_header(tmp_path / "b.ome.tif")


def test_overviews_are_not_channels(tmp_path):
    full = rng.integers(0, 256, (16, 18)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(full, subifds=0, metadata=None)
        file.write(full[::2, ::2], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.tif").pixels, full[np.newaxis])


def test_a_palette_tiff(tmp_path):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, 7] = (0x1100, 0x22FF, 0xFFFF)
    tifffile.imwrite(
        tmp_path / "a.tif", np.full((2, 3), 7, np.uint8), photometric="palette", colormap=colours
    )
    assert images.read_image(tmp_path / "a.tif").pixels[:, 0, 0].tolist() == [0x11, 0x22, 0xFF]
    assert images.read_mask(tmp_path / "a.tif").tolist() == [[7, 7, 7], [7, 7, 7]]
    assert images.read_header(tmp_path / "a.tif").channels == 3


def test_a_bilevel_tiff_gives_0_and_1(tmp_path):
    bits = np.array([[True, False, True] * 5])
    tifffile.imwrite(tmp_path / "a.tif", bits)
    assert images.read_mask(tmp_path / "a.tif").tolist() == bits.astype(int).tolist()


def test_nan_is_read_as_it_is(tmp_path):
    pixels = np.array([[[1.5, np.nan], [np.inf, -2.0]]], np.float32)
    images.write_image(tmp_path / "a.tif", pixels)
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("dtype", ["complex64", "int64", "uint64"])
def test_exotic_pixel_types_are_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 4), dtype))
    with pytest.raises(InputError, match=rf"a\.tif: holds .*{dtype} pixels"):
        images.read_header(tmp_path / "a.tif")


def test_jpeg_tiles_inside_a_tiff(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    smooth = np.linspace(0, 200, 64 * 48).reshape(1, 48, 64).repeat(3, 0).astype(np.uint8)
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=3, height=48, width=64, dtype="uint8",
        compress="jpeg", photometric="ycbcr", tiled=True, blockxsize=16, blockysize=16,
        crs="EPSG:32610", transform=rasterio.Affine(30, 0, 5e5, 0, -30, 4e6),
    ) as target:  # fmt: skip
        target.write(smooth)
    read = images.read_image(tmp_path / "a.tif").pixels
    assert np.abs(read.astype(int) - smooth).max() < 12


# --- Extras --------------------------------------------------------------------------------------


def lzw_file(path):
    pixels = rng.integers(0, 256, (3, 20, 30)).astype(np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", planarconfig="separate", compression="lzw")
    return pixels


def test_without_codecs_rasterio_reads_what_it_can(tmp_path, monkeypatch):
    pytest.importorskip("rasterio")
    pixels = lzw_file(tmp_path / "a.tif")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lacking_codec)
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.tif").pixels, pixels)


def test_without_codecs_and_rasterio_the_extra_is_named(tmp_path, monkeypatch, without):
    lzw_file(tmp_path / "a.tif")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lacking_codec)
    without("rasterio")
    with pytest.raises(MissingExtraError, match=r"a\.tif: .* LZW .*crosspatch\[em\]"):
        images.read_image(tmp_path / "a.tif")


def lacking_codec(self, **_):
    raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")


# --- Masks ---------------------------------------------------------------------------------------


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


# --- Finding -------------------------------------------------------------------------------------


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


# --- Writing -------------------------------------------------------------------------------------


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
