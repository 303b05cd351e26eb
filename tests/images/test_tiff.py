"""TIFF: every kind of file gives the channels that its tags declare."""

import builtins

import numpy as np
import pytest
import tifffile

from crosspatch import images
from crosspatch.errors import InputError, MissingExtraError

rng = np.random.default_rng(11)


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
