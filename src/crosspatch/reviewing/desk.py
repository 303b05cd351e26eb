"""The reviewing desk: everything that the page can ask about the subjects of one folder.

Subjects are asked for by their number in the queue, never by a name or a path.
"""

import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.dataset.check import same_size
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.files import fingerprint_bytes
from crosspatch.images.pictures import infrared_bands, natural_bands, stretched_planes
from crosspatch.reviewing import pixels
from crosspatch.reviewing.blocks import SIDE
from crosspatch.reviewing.material import Item, Material
from crosspatch.reviewing.pixels import Kept, Pyramid
from crosspatch.reviewing.store import Decision, State, Store

LARGEST = 2**28
"""Most pixels of a mask that a page holds whole: 16,384 x 16,384."""

_DRAWN = "3"  # how thumbnails are drawn; those that an earlier program kept are not used

_DRAWN_AT_ONCE = 2  # thumbnails: each needs its whole image in memory, and a scene may be large

_MEMORY = 768 * 2**20  # bytes of decoded images that are kept


@dataclass(frozen=True)
class View:
    """An image as the page needs it."""

    pyramid: Pyramid
    channel_names: tuple[str, ...] | None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        _, height, width = self.pyramid.levels[0].shape
        return height, width


class Desk:
    """Subjects, their pictures and their reviews.

    Parameters
    ----------
    material : what is reviewed
    store : where decisions and masks go
    """

    def __init__(self, material: Material, store: Store) -> None:
        self.material, self.store = material, store
        self._drawing = threading.BoundedSemaphore(_DRAWN_AT_ONCE)
        self._views: Kept[View] = Kept(_MEMORY, lambda view: view.pyramid.nbytes)

    def item(self, number: int) -> Item:
        """Return a subject by its place in the queue, from 0."""
        if not 0 <= number < len(self.material.items):
            raise InputError(f"there is no subject number {number}")
        return self.material.items[number]

    def listing(self) -> dict[str, Any]:
        """Everything that the grid shows, but for the pictures."""
        material = self.material
        return {
            "folder": material.path.resolve().name,
            "id": fingerprint_bytes(str(material.path.resolve()).encode())[:16],
            "kind": material.kind,
            "foreground": material.foreground,
            "model": material.model[:12],
            "who": self.store.who,
            "said": [*material.said, *self.store.said],
            "subjects": [
                {
                    "name": item.name,
                    "reason": item.reason,
                    "priority": item.priority,
                    "share": item.share,
                    "problem": item.problem,
                    "state": asdict(self.store.state(item.name)),
                }
                for item in material.items
            ],
        }

    def states(self) -> dict[int, dict[str, Any]]:
        """Return the states of all touched subjects by number: what another tab has done."""
        touched = self.store.states
        return {
            number: asdict(touched[item.name])
            for number, item in enumerate(self.material.items)
            if item.name in touched
        }

    def view(self, number: int) -> View:
        """Return a subject's picture; the last ones are kept."""
        return self._views.get(number, lambda: self._read_view(self.item(number)))

    def _read_view(self, item: Item) -> View:
        image = self._read_image(item)
        planes = stretched_planes(image.pixels, known=image.valid)
        return View(Pyramid([planes]), self._names(item, image))

    def _read_image(self, item: Item) -> images.Image:
        if item.problem or item.image is None:
            raise InputError(item.problem or f"{item.name} has no image")
        if self.material.kind == "dataset":
            self.material.contained(item.image)
        return images.read_image(item.image)

    def _names(self, item: Item, image: images.Image) -> tuple[str, ...] | None:
        """Return what the image's channels are called, by its file or else by its data set."""
        names = image.channel_names or item.channel_names or self.material.channel_names
        return names if names is not None and len(names) == len(image.pixels) else None

    def describe(self, number: int) -> dict[str, Any]:
        """Everything about a subject that is no picture; ``problem`` says what is wrong with it."""
        item = self.item(number)
        facts: dict[str, Any] = {
            "name": item.name,
            "reason": item.reason,
            "state": asdict(self.store.state(item.name)),
            "threshold": self.material.threshold,
            "has_probability": item.probability is not None,
            "has_votes": item.votes is not None,
            "has_mask": item.mask is not None,
            "block": SIDE,
            "tile": pixels.TILE,
            "steps": pixels.STEPS,
        }
        try:
            view = self.view(number)
        except InputError as error:
            return facts | {"problem": self._plain(error), "height": 0, "width": 0}
        height, width = view.shape
        facts |= {
            "height": height,
            "width": width,
            "depth": view.pyramid.depth,
            "combinations": _combinations(len(view.pyramid.levels[0]), view.channel_names),
            "bands": _band_names(len(view.pyramid.levels[0]), view.channel_names),
            "problem": "",
            "warning": self._mask_warning(item, (height, width)),
        }
        if height * width > LARGEST:
            facts["problem"] = "is too large to correct in a page: cut it into tiles"
        return facts

    def _mask_warning(self, item: Item, shape: tuple[int, int]) -> str:
        """Say why the folder's mask cannot be used; empty where it can, or where there is none."""
        try:
            self._original(item, shape)
        except InputError as error:
            return self._plain(error)
        if item.mask is None and self.material.kind == "predictions":
            return "its mask is missing from the folder: draw one, or reject it"
        return ""

    def _original(self, item: Item, shape: tuple[int, int]) -> NDArray[np.uint8]:
        mask = self.material.read_mask(item)
        if mask is None:
            return np.zeros(shape, np.uint8)
        if other := same_size(shape, (mask.shape[0], mask.shape[1])):
            raise InputError(f"{item.mask}: {other}")
        return mask

    def original(self, number: int) -> NDArray[np.uint8]:
        """Return the mask as the folder has it, (H, W); all 0 where there is none of this size."""
        item, shape = self.item(number), self.view(number).shape
        try:
            return self._original(item, shape)
        except InputError:
            return np.zeros(shape, np.uint8)

    def mask(self, number: int) -> NDArray[np.uint8]:
        """Return the mask as it stands now, corrected or not; all 0 where there is none."""
        item, shape = self.item(number), self.view(number).shape
        try:
            return self.mask_now(item, shape)
        except InputError:
            return np.zeros(shape, np.uint8)

    def mask_now(self, item: Item, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Return a subject's mask as it stands now, (H, W).

        Raises
        ------
        InputError
            It cannot be read, or does not fit the image.
        """
        corrected = self.store.mask(item.name)
        if corrected is not None and corrected.shape == shape:
            return corrected
        return self._original(item, shape)

    def save_mask(
        self, number: int, version: int, changes: bytes, threshold: float | None
    ) -> State:
        """Write changed blocks; see ``Store.save_mask``."""
        item = self.item(number)
        return self.store.save_mask(
            item.name, version, changes,
            original=lambda: self.original(number), threshold=threshold,
        )  # fmt: skip

    def decide(self, number: int, version: int, decision: Decision, note: str) -> State:
        """Write a decision and a note; a mask that is not there, or does not fit, is not accepted.

        Raises
        ------
        InputError
            There is nothing to accept.
        """
        item = self.item(number)
        if decision == "accepted" and not self.store.state(item.name).corrected:
            facts = self.describe(number)
            if why := facts["problem"] or facts["warning"]:
                raise InputError(f"{item.name} cannot be accepted: {why}")
        return self.store.decide(item.name, version, decision, note)

    def probability(self, number: int) -> NDArray[np.uint8]:
        """Return the probability in hundredths, (H, W) uint8; 255 where there is no data."""
        item, shape = self.item(number), self.view(number).shape
        if item.probability is None:
            raise InputError(f"{item.name} has no probability")
        values = images.read_image(self.material.contained(item.probability)).pixels[0]
        if other := same_size(shape, (values.shape[0], values.shape[1])):
            raise InputError(f"{item.probability}: {other}")
        return pixels.probability_steps(values)

    def votes(self, number: int) -> tuple[NDArray[np.uint8], int]:
        """Return the vote fraction in hundredths, (H, W) uint8, and how many voted."""
        item, shape = self.item(number), self.view(number).shape
        if item.votes is None:
            raise InputError(f"{item.name} has no votes")
        if self.material.kind == "dataset":
            self.material.contained(item.votes)
        counts = images.read_mask(item.votes)
        if other := same_size(shape, (counts.shape[0], counts.shape[1])):
            raise InputError(f"{item.votes}: {other}")
        return pixels.vote_steps(counts, item.voters)

    def thumbnail(self, number: int) -> bytes:
        """Draw a small JPEG of a subject with its mask; kept in ``reviews/thumbnails``."""
        item = self.item(number)
        if item.problem or item.image is None:
            raise InputError(item.problem or f"{item.name} has no image")
        used = [item.image, item.mask, self.store.mask_path(item.name)]
        stamp = "\0".join([_DRAWN, item.name, *map(_stamp, used)])
        key = fingerprint_bytes(stamp.encode())[:32]
        path = self.material.contained(self.store.folder / "thumbnails" / f"{key}.jpg")
        return pixels.cached_file(path, lambda: self._draw_thumbnail(item))

    def _draw_thumbnail(self, item: Item) -> bytes:
        with self._drawing:
            image = self._read_image(item)
            bands = natural_bands(len(image.pixels), self._names(item, image))
            try:
                corrected = self.store.mask(item.name)
                mask = self.material.read_mask(item) if corrected is None else corrected
            except InputError:
                mask = None
            return pixels.thumbnail(image, bands, mask)

    def _plain(self, error: CrosspatchError) -> str:
        """Return a message with paths as they look from inside the folder."""
        return str(error).replace(f"{self.material.path}/", "")


def _stamp(path: Path | None) -> str:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        found = None
    if found is None:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def _combinations(channels: int, names: tuple[str, ...] | None) -> list[dict[str, Any]]:
    """List what can be shown, the usual first: natural colour, near infrared, each band in grey."""
    natural = natural_bands(channels, names)
    shown = [{"label": "Natural colour" if len(natural) == 3 else "Grey", "bands": natural}]
    if infrared := infrared_bands(channels, names):
        shown.append({"label": "Near infrared", "bands": infrared})
    if channels > 1:
        shown += [
            {"label": f"Band {name} only", "bands": [band]}
            for band, name in enumerate(_band_names(channels, names))
        ]
    return shown


def _band_names(channels: int, names: tuple[str, ...] | None) -> list[str]:
    """Write the bands as people number them, from 1, with their names where they have any."""
    return [f"{band + 1} {names[band]}" if names else f"{band + 1}" for band in range(channels)]
