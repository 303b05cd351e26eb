"""What people decided and drew: a log that only grows, and one mask file a corrected subject.

Every change has a version. A change that was made from an older version than the newest is
refused, so that two tabs, or two people, never undo each other unseen. A mask file is replaced
whole before the log tells of it: whoever is stopped between leaves a mask that is newer than its
line, never a line without its mask.
"""

import errno
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.files import to_json
from crosspatch.reviewing.blocks import paste

Decision = Literal["", "accepted", "rejected"]

FOLDER = "reviews"
LOG = "decisions.jsonl"
LOG_KEYS = {
    "time": "of the change, UTC",
    "who": "made it",
    "subject": "name of the subject",
    "version": "how many changes the subject has had, this one included",
    "what": "`mask`, `decision` or `note`: what was changed",
    "decision": "`accepted`, `rejected`, or empty: not decided",
    "corrected": "whether `masks/NAME.png` differs from the mask that was there before",
    "threshold": "the probability that the mask was cut at, where the slider was moved; else null",
    "note": "what the reviewer wrote",
    "model": "fingerprint of the model that drew the mask; empty where none did",
}
"""Keys of a line of ``decisions.jsonl``, in order; each line is the subject's whole state."""

_MEMORY = 192 * 2**20  # bytes of masks kept decoded: editing must not wait for the decoder


@dataclass(frozen=True)
class State:
    """Where the review of a subject stands; ``version`` 0 has never been touched."""

    version: int = 0
    decision: Decision = ""
    corrected: bool = False
    threshold: float | None = None
    note: str = ""
    who: str = ""
    time: str = ""


class ConflictError(CrosspatchError):
    """A change that was made from an older version than the newest."""

    def __init__(self, name: str, state: State) -> None:
        super().__init__(
            f"{name} was changed by {state.who} at {state.time} (version {state.version})"
        )
        self.state = state


class Store:
    """Decisions and corrected masks of one folder, safe for many threads of one process.

    Parameters
    ----------
    folder : the ``reviews/`` of what is reviewed; made where it is missing
    who, model : written into every line
    """

    def __init__(self, folder: Path, *, who: str, model: str = "") -> None:
        self.folder, self.who, self.model = folder, who, model
        self.said: list[str] = []
        self._lock = threading.RLock()
        self._masks: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        try:
            (folder / "masks").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CrosspatchError(f"{folder}: could not be made ({error.strerror})") from error
        for place in (folder, folder / "masks", folder / LOG):
            if not place.resolve().is_relative_to(folder.parent.resolve()):
                raise InputError(f"{place}: is a link that leads out of the folder")
        self._states = self._read_log()

    @property
    def states(self) -> Mapping[str, State]:
        """The state of every subject that was touched, by name."""
        return self._states

    def state(self, name: str) -> State:
        """Return where the review of a subject stands."""
        found = self._states.get(name, State())
        if not found.corrected and not found.version and self.mask_path(name).is_file():
            return replace(found, corrected=True)  # stopped between the mask and its line
        return found

    def mask_path(self, name: str) -> Path:
        """Path of a subject's corrected mask, whether it is there or not."""
        return self.folder / "masks" / f"{name}.png"

    def mask(self, name: str) -> NDArray[np.uint8] | None:
        """Return a subject's corrected mask, (H, W) uint8 of 0, 1, 255; None where there is none.

        The array is shared: it is not to be written to.
        """
        with self._lock:
            if name not in self._masks:
                path = self.mask_path(name)
                if not path.is_file():
                    return None
                if not path.resolve().is_relative_to(self.folder.resolve()):
                    raise InputError(f"{path}: is a link that leads out of the folder")
                self._keep(name, np.asarray(images.read_mask(path), dtype=np.uint8))
            self._masks.move_to_end(name)
            return self._masks[name]

    def save_mask(
        self,
        name: str,
        version: int,
        changes: bytes,
        *,
        original: Callable[[], NDArray[np.uint8]],
        threshold: float | None = None,
    ) -> State:
        """Put changed blocks (see ``blocks``) into a subject's mask and write it.

        Parameters
        ----------
        name : of the subject
        version : that the change was made from
        changes : the blocks that changed
        original : gives the mask as the folder has it, (H, W) uint8; all 0 where it has none
        threshold : of the slider, where it was moved

        Raises
        ------
        ConflictError
            ``version`` is not the newest.
        InputError
            ``changes`` do not fit the mask.
        CrosspatchError
            The disk refuses; the mask and the log are as before.
        """
        with self._lock:
            before = self._current(name, version)
            first = original()
            current = self.mask(name)
            if current is None or current.shape != first.shape:  # the image was replaced since
                current = first
            mask = paste(current, changes)
            images.write_mask(self.mask_path(name), mask)
            self._keep(name, mask)
            corrected = not np.array_equal(mask, first)
            return self._append(
                name, replace(before, corrected=corrected, threshold=threshold), "mask"
            )

    def decide(self, name: str, version: int, decision: Decision, note: str) -> State:
        """Write a decision and a note; errors as ``save_mask``."""
        with self._lock:
            before = self._current(name, version)
            what = "note" if before.decision == decision else "decision"
            return self._append(name, replace(before, decision=decision, note=note), what)

    def _current(self, name: str, version: int) -> State:
        state = self.state(name)
        if state.version != version:
            raise ConflictError(name, state)
        return state

    def _append(self, name: str, state: State, what: str) -> State:
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        state = replace(state, version=state.version + 1, who=self.who, time=now)
        line = {"subject": name, "what": what, "model": self.model} | asdict(state)
        self._write_line(to_json({key: line[key] for key in LOG_KEYS}).encode() + b"\n")
        self._states[name] = state
        return state

    def _write_line(self, line: bytes) -> None:
        """Append a line and wait until the disk has it; a line that did not fit is taken back.

        Where the last line was cut off by a crash it is ended first, so that the two stay apart.
        """
        path = self.folder / LOG
        try:
            with path.open("a+b", buffering=0) as file:  # a buffer would try again when closed
                end = file.seek(0, os.SEEK_END)
                file.seek(max(end - 1, 0))
                cut = file.read(1) not in (b"", b"\n")
                whole = b"\n" * cut + line
                try:
                    if file.write(whole) != len(whole):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise CrosspatchError(f"{path}: could not be written ({error.strerror})") from error

    def _read_log(self) -> dict[str, State]:
        """Read the last state of every subject; a line that was cut off is passed over and said."""
        path = self.folder / LOG
        if not path.is_file():
            return {}
        states: dict[str, State] = {}
        broken = 0
        for line in path.read_bytes().splitlines():
            read = _parse(line)
            if read is None:
                broken += bool(line.strip())
            else:
                states[read[0]] = read[1]
        if broken:
            self.said.append(f"{path}: {broken} damaged lines were passed over")
        return states

    def _keep(self, name: str, mask: NDArray[np.uint8]) -> None:
        self._masks[name] = mask
        self._masks.move_to_end(name)
        while len(self._masks) > 1 and sum(m.nbytes for m in self._masks.values()) > _MEMORY:
            self._masks.popitem(last=False)


def _parse(line: bytes) -> tuple[str, State] | None:
    try:
        read: Any = json.loads(line)
        state = State(
            int(read["version"]),
            read["decision"] if read["decision"] in ("accepted", "rejected") else "",
            bool(read["corrected"]),
            None if read["threshold"] is None else float(read["threshold"]),
            str(read["note"]),
            str(read["who"]),
            str(read["time"]),
        )
        return str(read["subject"]), state
    except (ValueError, KeyError, TypeError):
        return None
