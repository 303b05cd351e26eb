"""Files that lie, are cut off, or are no images: refused in a sentence, before memory is taken."""

import io
import random
import struct
import subprocess
import sys
import textwrap
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from crosspatch import images
from crosspatch.errors import CrosspatchError, InputError

MILLION = 1_000_000
READERS = (images.read_header, images.read_image, images.read_mask)


def png_claiming(width, height, bits=8, colour=0, rows=b"\0" * 100):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def jpeg_claiming(width, height):
    buffer = io.BytesIO()
    Pillow.fromarray(np.zeros((8, 8), np.uint8)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, height, width)
    return bytes(data)


def tiff_claiming(width, height, **tags):
    """A little-endian TIFF of one grey 8-bit strip with 8 stored bytes; ``tags`` override."""
    entries = {
        256: width, 257: height, 258: 8, 259: 1, 262: 1,
        273: 8, 277: 1, 278: height, 279: 8,
    } | {int(code.removeprefix("t")): value for code, value in tags.items()}  # fmt: skip
    body = struct.pack("<H", len(entries))
    for code, value in sorted(entries.items()):
        body += struct.pack("<HHII", code, 4, 1, value)
    return b"II*\0" + struct.pack("<I", 16) + b"\1" * 8 + body + struct.pack("<I", 0)


def jpeg_tiff_claiming(width, height):
    """A TIFF of 16 x 16 whose one JPEG strip claims to be larger."""
    strip = jpeg_claiming(width, height)
    start = 16 + 2 + 9 * 12 + 4
    return tiff_claiming(16, 16, t259=7, t273=start, t279=len(strip)) + strip


LIES = {
    "million.png": png_claiming(MILLION, MILLION),
    "large.png": png_claiming(40_000, 40_000),
    "large16.png": png_claiming(20_000, 20_000, 16, 2),
    "bits.png": png_claiming(100_000, 10_000, 1, 0),
    "largest.jpg": jpeg_claiming(65_500, 65_500),
    "large.jpg": jpeg_claiming(20_000, 20_000),
    "million.tif": tiff_claiming(MILLION, MILLION),
    "large.tif": tiff_claiming(40_000, 40_000),
    "deflate.tif": tiff_claiming(40_000, 40_000, t259=8),
    "zstd.tif": tiff_claiming(40_000, 40_000, t259=50_000),
    "hole.tif": tiff_claiming(40_000, 40_000, t273=0, t279=0),
    "samples.tif": tiff_claiming(100, 100, t277=65_535),
    "depth.tif": tiff_claiming(100, 100, t32997=1_000_000),
    "tile.tif": tiff_claiming(10, 10, t259=8, t322=400_000, t323=400_000, t324=8, t325=8),
    "outside.tif": tiff_claiming(4, 2, t273=1_000_000),
    "short.tif": tiff_claiming(30, 30),
    "empty.tif": tiff_claiming(0, 10),
    "few.tif": tiff_claiming(4, 4, t278=1),
    "strip.tif": jpeg_tiff_claiming(65_500, 65_500),
}


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(LIES[name])
    readers = READERS[1:] if name == "strip.tif" else READERS  # this lie is inside the pixels
    for read in readers:
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert len(str(caught.value)) < len(str(path)) + 200


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space as Linux does")
def test_lies_take_no_memory(tmp_path):
    for name, data in LIES.items():
        (tmp_path / name).write_bytes(data)
    # 300 MB more than an interpreter with everything loaded; the lies ask for 1 GB to 1 TB.
    script = """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from crosspatch import images
        from crosspatch.errors import InputError

        images.write_image("warm.tif", np.zeros((3, 8, 8), np.uint8))
        images.write_image("warm.png", np.zeros((3, 8, 8), np.uint8))
        for path in (Path("warm.tif"), Path("warm.png")):
            images.read_image(path)
            path.unlink()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20, resource.RLIM_INFINITY))
        for path in images.find_images("."):
            try:
                images.read_image(path)
            except InputError as error:
                assert "llocate" not in str(error) and str(error).partition(": ")[2], error
            else:
                raise AssertionError(path)
        print(len(images.find_images(".")))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.strip() == str(len(LIES))


def test_a_large_image_of_little_content_is_no_lie(tmp_path):
    rows = np.zeros((2000, 2001), np.uint8)  # a filter byte and 2000 equal pixels a row
    (tmp_path / "a.png").write_bytes(png_claiming(2000, 2000, rows=rows.tobytes()))
    assert (tmp_path / "a.png").stat().st_size < 5000
    assert not images.read_image(tmp_path / "a.png").pixels.any()
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2000, 2000), np.uint8), compression="zlib")
    assert not images.read_image(tmp_path / "a.tif").pixels.any()


def test_a_geotiff_with_holes_is_no_lie(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=1, height=64, width=64, dtype="uint8",
        tiled=True, blockxsize=16, blockysize=16, sparse_ok=True, crs="EPSG:32610",
        transform=rasterio.Affine(30, 0, 5e5, 0, -30, 4e6),
    ) as target:  # fmt: skip
        target.write(np.full((1, 16, 16), 9, np.uint8), window=((0, 16), (0, 16)))
    pixels = images.read_image(tmp_path / "a.tif").pixels
    assert pixels.sum() == 9 * 256


def pillows(kind, **options):
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (60, 50, 3), np.uint8)
    Pillow.fromarray(noise).save(buffer, kind, **options)
    return buffer.getvalue()


def tifffiles(**options):
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (60, 50, 3), np.uint8)
    tifffile.imwrite(buffer, noise, photometric="rgb", **options)
    return buffer.getvalue()


SOUND = {
    "a.png": pillows("PNG"),
    "a.jpg": pillows("JPEG", quality=95),
    "progressive.jpg": pillows("JPEG", progressive=True),
    "plain.tif": tifffiles(),
    "deflate.tif": tifffiles(compression="zlib"),
    "tiles.tif": tifffiles(compression="lzw", tile=(16, 16)),
}


@pytest.mark.parametrize("share", [0.002, 0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("name", SOUND)
def test_a_truncated_file_is_refused(tmp_path, name, share):
    path = tmp_path / name
    path.write_bytes(SOUND[name])
    images.read_image(path)
    path.write_bytes(SOUND[name][: int(len(SOUND[name]) * share)])
    with pytest.raises(InputError, match=name):
        images.read_image(path)


@pytest.mark.parametrize("name", SOUND)
def test_damaged_bytes_give_an_image_or_an_input_error(tmp_path, name):
    chance = random.Random(name)
    path = tmp_path / name
    for _ in range(60):
        data = bytearray(SOUND[name])
        for _ in range(chance.choice((1, 3, 20))):
            place = chance.randrange(min(len(data), chance.choice((60, 400, len(data)))))
            data[place] = chance.randrange(256)
        path.write_bytes(data)
        pixels, refusal = image_or_refusal(path)
        if pixels is None:
            assert path.name in refusal
        else:
            header = images.read_header(path)
            assert pixels.shape == (header.channels, header.height, header.width)
            assert pixels.dtype == header.dtype


def image_or_refusal(path):
    try:
        return images.read_image(path).pixels, ""
    except CrosspatchError as error:
        return None, str(error)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a PNG, JPEG or TIFF"),
        (b"GIF89a" + b"\0" * 40, "is not a PNG, JPEG or TIFF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is not a PNG, JPEG or TIFF"),
        (b"\x89PNG\r\n\x1a\n", "cannot be decoded"),
        (b"\xff\xd8\xff\xd9", "cannot be decoded"),
        (b"II*\0\xff\xff\xff\x7f", "holds no image"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, data, message):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.png: {message}"):
        images.read_header(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.png: does not exist"):
        images.read_image(tmp_path / "a.png")
    with pytest.raises(InputError, match="cannot be read"):
        images.read_image(tmp_path)


def test_a_circle_of_directories_ends(tmp_path):
    data = bytearray(tiff_claiming(4, 2))
    data[-4:] = struct.pack("<I", 16)  # the next directory is the first one
    (tmp_path / "a.tif").write_bytes(data)
    pixels, refusal = image_or_refusal(tmp_path / "a.tif")
    assert "a.tif" in refusal if pixels is None else pixels.shape == (1, 2, 4)
