"""What a push has done so far: one line of JSON before and after each call, synced to the disk.

A process may be killed between the two lines. Then the server knows more than the ledger, and every
subject carries a key (`KEY`) by which it is found there.
"""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from crosspatch.errors import CrosspatchError, InputError

KEY = "#crosspatch"
"""Metadata of a subject: which one it is. Volunteers do not see what begins with #."""


class Ledger:
    """The ledger of one push, read from its file and written line by line.

    Attributes
    ----------
    subject_set : dict or None
        ``id`` and ``created`` (the server's clock) of the subject set, once it is known.
    found_set : bool
        Whether the set was there before this ledger, and subjects of other ledgers with it.
    begun : set of str
        Keys of subjects whose making was asked for.
    subjects : dict of str to str
        Key -> number on Zooniverse, of subjects that were made.
    stored : set of str
        Keys of subjects whose images have arrived.
    gone : set of str
        Keys or numbers of subjects that Zooniverse no longer has.
    prepared, retired : set of str
        Numbers of older subjects whose priority was set; of subjects that were retired.
    media : str or None
        Number of the uploaded file of proposals; ``proposals`` its fingerprint once it was read in.
    doubts : bool
        Whether an answer was ever lost, so that a subject may stand twice.
    """

    def __init__(self, path: Path) -> None:
        self.subject_set: dict[str, str] | None = None
        self.found_set = False
        self.begun: set[str] = set()
        self.subjects: dict[str, str] = {}
        self.stored: set[str] = set()
        self.gone: set[str] = set()
        self.prepared: set[str] = set()
        self.retired: set[str] = set()
        self.media: str | None = None
        self.proposals: str | None = None
        self.doubts = False
        self._path = path
        self._read()
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise CrosspatchError(f"{path}: could not be written ({error.strerror})") from error

    def note(self, what: str, **more: Any) -> None:
        """Write a line and have it on the disk before anything else happens."""
        line = {"what": what, **more}
        self._take(line)
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise CrosspatchError(
                f"{self._path}: could not be written ({error.strerror})"
            ) from error

    @property
    def lost(self) -> set[str]:
        """Keys of subjects that may exist on the server without our knowing their number."""
        return self.begun - set(self.subjects) - self.gone

    def _read(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read ({error.strerror})") from None
        whole = data[: data.rfind(b"\n") + 1]
        for number, text in enumerate(whole.splitlines(), 1):
            try:
                line = json.loads(text)
                self._take(line)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise InputError(f"{self._path}, line {number}: is no line of a ledger") from None
        if len(whole) < len(data):  # the last line was torn: what it was to say did not happen
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        self.doubts = self.doubts or bool(self.lost)

    def _take(self, line: dict[str, Any]) -> None:
        match line["what"]:
            case "set":
                self.subject_set = {"id": str(line["id"]), "created": str(line["created"])}
                self.found_set = bool(line.get("found"))
            case "begin":
                self.begun.add(str(line["key"]))
            case "subject":
                self.subjects[str(line["key"])] = str(line["id"])
            case "stored":
                self.stored.add(str(line["key"]))
            case "gone":
                self.gone.add(str(line["key"]))
            case "prepared":
                self.prepared.add(str(line["id"]))
            case "retired":
                self.retired |= {str(one) for one in line["ids"]}
            case "media":
                self.media = str(line["id"])
            case "imported":
                self.proposals = str(line["content"])
            case "doubt":
                self.doubts = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
