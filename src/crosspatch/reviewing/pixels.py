"""What the page shows of an image: tiles of a pyramid, thumbnails, levels of probability.

A picture is kept as one 8-bit plane a channel, stretched once, so that any three of them can be
shown together at once; smaller levels are made when they are first asked for.
"""

import io
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from crosspatch.errors import InputError
from crosspatch.images import Image, pictures
from crosspatch.images.resize import resize_image, resize_mask

TILE = 512
THUMBNAIL = 240
STEPS = 100
"""The threshold slider has a place for every hundredth."""

Planes = NDArray[np.uint8]
T = TypeVar("T")


@dataclass
class Pyramid:
    """One image at full size, half, a quarter, ... until it fits into one tile."""

    levels: list[Planes]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def depth(self) -> int:
        """How many levels there are."""
        longest, depth = max(self.levels[0].shape[1:]), 1
        while longest > TILE:
            longest, depth = -(-longest // 2), depth + 1
        return depth

    @property
    def nbytes(self) -> int:
        """Memory that it takes, the levels that are still to be made included."""
        return self.levels[0].nbytes * 4 // 3

    def level(self, number: int) -> Planes:
        """Return a level, (C, h, w) uint8; 0 is the image itself."""
        with self._lock:
            while len(self.levels) <= number:
                self.levels.append(halve(self.levels[-1]))
        return self.levels[number]

    def tile(self, level: int, row: int, col: int, bands: tuple[int, ...]) -> bytes:
        """Draw a tile as PNG.

        Parameters
        ----------
        level, row, col : which; tile (0, 0) is the upper left
        bands : one channel, or three for red, green, blue; from 0

        Raises
        ------
        InputError
            There is no such tile or channel.
        """
        channels = len(self.levels[0])
        if len(bands) not in (1, 3) or not all(0 <= band < channels for band in bands):
            raise InputError(f"the image has {channels} bands, so there are no bands {bands}")
        if not 0 <= level < self.depth or row < 0 or col < 0:
            raise InputError("the image has no such tile")
        planes = self.level(level)
        part = planes[:, row * TILE : (row + 1) * TILE, col * TILE : (col + 1) * TILE]
        if 0 in part.shape:
            raise InputError("the image has no such tile")
        chosen = part[list(bands)]
        shown = chosen[0] if len(bands) == 1 else np.ascontiguousarray(chosen.transpose(1, 2, 0))
        return _encoded(shown, "PNG", compress_level=1)


def halve(planes: Planes) -> Planes:
    """Average each 2 x 2 pixels of (C, H, W); an odd last row or column counts twice."""
    _, height, width = planes.shape
    padded = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), "edge")
    total = padded[:, ::2, ::2].astype(np.uint16)
    for rows, columns in ((1, 0), (0, 1), (1, 1)):
        total += padded[:, rows::2, columns::2]
    return ((total + 2) >> 2).astype(np.uint8)


def thumbnail(image: Image, bands: list[int], mask: NDArray[np.uint8] | None) -> bytes:
    """Draw a small picture of an image, its mask (H, W) outlined on it, as JPEG.

    ``bands`` are the one or three channels to show. Each is stretched as for the tiles, so that
    a card has the colours of the large picture.
    """
    height, width = image.pixels.shape[1:]
    shrink = min(THUMBNAIL / max(height, width), 1.0)
    size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    step = max(int(1 / shrink) // 4, 1)  # four pixels a side average well, and huge images are slow
    hidden = None if image.hidden is None else image.hidden[::step, ::step]
    few = replace(image, pixels=image.pixels[:, ::step, ::step], hidden=hidden)
    planes = pictures.stretched_planes(few.pixels, known=few.valid)[bands]
    small = resize_image(planes, size).transpose(1, 2, 0)
    picture = np.ascontiguousarray(np.broadcast_to(small, (*size, 3)))
    if mask is not None and mask.shape == (height, width):
        picture = pictures.overlay(picture, resize_mask(mask, size))
    return _encoded(picture, "JPEG", quality=88)


def probability_steps(probability: NDArray[Any]) -> NDArray[np.uint8]:
    """Count, pixel by pixel, the hundredths that a probability reaches: 0 to 100; 255 for NaN.

    Cutting the steps at k gives exactly the pixels whose float32 is at least k / 100.

    Parameters
    ----------
    probability : (H, W) floats in [0, 1], nan without data
    """
    values = probability.astype(np.float32)
    marks = (np.arange(1, STEPS + 1, dtype=np.float64) / STEPS).astype(np.float32)
    steps = np.searchsorted(marks, values.ravel(), side="right").astype(np.uint8)
    steps[np.isnan(values.ravel())] = 255
    return steps.reshape(values.shape)


def vote_steps(votes: NDArray[Any], voters: int | None) -> tuple[NDArray[np.uint8], int]:
    """Turn counts (H, W) into hundredths of the voters, rounded; also return the voters.

    Where nobody wrote down how many voted, the largest count is taken for all.
    """
    largest = int(votes.max(initial=0))
    everybody = max(voters or largest, largest, 1)
    return np.rint(votes.astype(np.float32) * (STEPS / everybody)).astype(np.uint8), everybody


def packed(array: NDArray[np.uint8]) -> bytes:
    """Compress the bytes of an array with gzip, in which browsers undo it by themselves."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return squeeze.compress(np.ascontiguousarray(array).data) + squeeze.flush()


def _encoded(picture: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(picture)).save(buffer, kind, **options)
    return buffer.getvalue()


class Kept(Generic[T]):
    """The last few things that were made, up to a number of bytes; each is made once at a time.

    Parameters
    ----------
    budget : bytes
    size : tells the bytes of one
    """

    def __init__(self, budget: int, size: Callable[[T], int]) -> None:
        self._budget, self._size = budget, size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under ``key``, made now if there is nothing."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._kept:  # somebody else made it while this one waited
                    return self._kept[key]
            made = make()
            with self._lock:
                self._kept[key] = made
                self._making.pop(key, None)
                while len(self._kept) > 1 and self._total() > self._budget:
                    self._kept.popitem(last=False)
            return made

    def _total(self) -> int:
        return sum(self._size(one) for one in self._kept.values())


def cached_file(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return a small file, made and kept now if it is missing; a disk that refuses is no matter."""
    try:
        return path.read_bytes()
    except OSError:
        data = make()
    partial = path.with_suffix(f".{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
    return data
