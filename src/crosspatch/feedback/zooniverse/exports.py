"""A project's exports: asked for, waited for, downloaded piece by piece, and checked.

What has arrived is kept beside the folder that is to be made, so that a pull that was stopped goes
on: an export that was asked for is not asked for again, and a file goes on where it broke off.
"""

import base64
import gzip
import hashlib
import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosspatch.errors import CrosspatchError, InputError
from crosspatch.feedback.zooniverse.connection import Connection
from crosspatch.feedback.zooniverse.patience import (
    NotAllowedError,
    NotThereError,
    ZooniverseError,
)
from crosspatch.files import write_text
from crosspatch.progress import Progress, silent
from crosspatch.volunteers.panoptes import NEEDED_COLUMNS
from crosspatch.volunteers.rows import read_header

KINDS: Mapping[str, tuple[str, ...]] = {
    "classifications": NEEDED_COLUMNS,
    "subjects": ("subject_id", "metadata", "locations"),
    "workflows": ("workflow_id", "version", "tasks"),
}
"""The exports that are pulled, and columns without which each is of no use."""

_BLOCK = 2**18
_READY = ("ready", "finished")


@dataclass(frozen=True)
class Export:
    """One downloaded export: its file, when Zooniverse made it, bytes and MD5 as sent."""

    kind: str
    path: Path
    made: str
    size: int
    md5: str


class Pull:
    """The exports of one project on their way into a folder.

    Parameters
    ----------
    connection
    project, workflow : ids; with a workflow, only its classifications are asked for
    folder : keeps what has arrived, also from one run to the next
    existing : take what was exported last instead of asking for new exports
    wait : minutes to wait for exports that are being made
    progress : told how far the work is
    """

    def __init__(
        self,
        connection: Connection,
        project: str,
        workflow: str | None,
        folder: Path,
        *,
        existing: bool = False,
        wait: float = 180,
        progress: Progress = silent,
    ) -> None:
        self._connection, self._project, self._workflow = connection, project, workflow
        self._folder, self._existing = folder, existing
        self._deadline, self._progress = wait * 60, progress
        self._state = _State(folder / "pull.json", f"{project}/{workflow}/{existing}")

    def run(self) -> list[Export]:
        """Get all exports.

        Raises
        ------
        ZooniverseError
            No rights, an export that is still being made, a server that does not answer; what has
            arrived stays for the next run.
        InputError
            What arrived is no export.
        """
        for kind in KINDS:
            self._ask(kind)
        exports = []
        for kind, needed in KINDS.items():
            export = self._download(kind, self._wait(kind))
            try:
                missing = read_header(export.path).missing(needed)
            except InputError:
                missing = list(needed)
            if missing:
                self._state.forget(kind, export.path)
                raise InputError(
                    f"what Zooniverse gave as the {kind} export lacks the columns "
                    f"{', '.join(missing)}; run the same command again"
                )
            exports.append(export)
        return exports

    def _path(self, kind: str) -> str:
        if kind == "classifications" and self._workflow is not None:
            return f"workflows/{self._workflow}/classifications_export"
        return f"projects/{self._project}/{kind}_export"

    def _ask(self, kind: str) -> None:
        """Have an export made, unless an earlier run of this pull did."""
        if self._existing or self._state.asked(kind):
            return
        body = {"media": {"content_type": "text/csv"}}
        try:
            self._connection.post(self._path(kind), body, repeatable=True)
        except (NotAllowedError, NotThereError) as error:
            raise self._no_rights(kind, error) from None
        self._state.note(kind, asked=True)

    def _no_rights(self, kind: str, error: ZooniverseError) -> ZooniverseError:
        name = self._connection.account.name
        return NotAllowedError(
            f"the {kind} export of project {self._project} is for its owner and collaborators, and "
            f"{name} seems to be none, or there is no such project or workflow ({error})"
        )

    def _wait(self, kind: str) -> dict[str, Any]:
        """Wait until an export is made; return what Panoptes says of its file."""
        begun = time.monotonic()
        while True:
            try:
                media = self._connection.get(self._path(kind)).body.get("media") or [{}]
            except NotAllowedError as error:
                raise self._no_rights(kind, error) from None
            except NotThereError as error:
                if not self._existing:
                    raise self._no_rights(kind, error) from None
                raise ZooniverseError(
                    f"no {kind} export has been made yet, or {self._connection.account.name} may "
                    f"not see it: leave out --existing to have one made ({error})"
                ) from None
            medium: dict[str, Any] = media[0]
            state = (medium.get("metadata") or {}).get("state")
            if medium.get("src") and (state in _READY or (state is None and self._existing)):
                return medium
            waited = time.monotonic() - begun
            if waited >= self._deadline:
                raise ZooniverseError(
                    f"the {kind} export is still being made after {self._deadline / 60:.0f} "
                    "minutes: run the same command later, it goes on from here"
                )
            what = f"waiting for the {kind} export (s)"
            self._progress(what, int(waited), int(self._deadline))
            time.sleep(min(self._connection.patience.poll, self._deadline - waited + 0.01))

    def _download(self, kind: str, medium: dict[str, Any]) -> Export:
        path, made = self._folder / f"{kind}.csv", str(medium.get("updated_at") or "")
        noted = self._state.of(kind)
        if path.exists() and noted.get("id") == _identity(medium) and noted.get("md5"):
            return Export(kind, path, made, int(noted["size"]), str(noted["md5"]))
        piece = self._folder / f"{kind}.part"
        if noted.get("id") != _identity(medium):
            piece.unlink(missing_ok=True)
            self._state.note(kind, id=_identity(medium), etag=None)
        tries = self._connection.patience.tries
        for attempt in range(tries):
            before = piece.stat().st_size if piece.exists() else 0
            try:
                told = self._fetch(kind, str(medium["src"]), piece)
                size, md5 = _checked(kind, piece, told)
            except _TornError as torn:
                if attempt + 1 == tries:
                    raise ZooniverseError(
                        f"the download of the {kind} export broke off {tries} times ({torn}): run "
                        "the same command again, it goes on from here"
                    ) from None
                gained = piece.exists() and piece.stat().st_size > before
                time.sleep(self._connection.patience.wait(0 if gained else attempt))
                continue
            _unpack(piece, path, told["encoding"])
            self._state.note(kind, size=size, md5=md5)
            return Export(kind, path, made, size, md5)
        raise AssertionError("unreachable")  # pragma: no cover

    def _fetch(self, kind: str, url: str, piece: Path) -> dict[str, Any]:
        """Download what is missing of a file; return what the server told of the whole."""
        have = piece.stat().st_size if piece.exists() else 0
        etag = self._state.of(kind).get("etag")
        headers = {"Accept-Encoding": "identity"}
        if have and etag:
            headers |= {"Range": f"bytes={have}-", "If-Range": str(etag)}
        response = self._connection.open(url, headers, allowed=(416,))
        try:
            told = _told(response, have)
            if response.status_code == 416 and told["length"] != have:
                piece.unlink()
                raise _TornError("the file on the server has changed")
            if response.status_code != 416:
                self._state.note(kind, etag=told["etag"])
                mode = "ab" if response.status_code == 206 else "wb"
                self._write(kind, response, piece, mode, told["length"])
        except self._connection.broken as error:
            raise _TornError(type(error).__name__) from None
        finally:
            response.close()
        return told

    def _write(self, kind: str, response: Any, piece: Path, mode: str, length: int | None) -> None:
        try:
            with piece.open(mode) as file:
                done = file.tell()
                # Bytes as they are stored: Zooniverse keeps its exports compressed.
                for block in response.raw.stream(_BLOCK, decode_content=False):
                    file.write(block)
                    done += len(block)
                    what = f"downloading {kind} (kB)"
                    self._progress(what, done // 1024, max(length or done, done) // 1024)
        except OSError as error:
            if isinstance(error, self._connection.broken):
                raise
            raise CrosspatchError(f"{piece}: could not be written ({error.strerror})") from error


class _TornError(Exception):
    """A download that has to be tried again."""


class _State:
    """What an earlier run of the same pull has done: one small JSON file."""

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            table = {}
        same = isinstance(table, dict) and table.get("what") == what
        self._table: dict[str, Any] = table if same else {"what": what}
        if not same:
            for piece in [*path.parent.glob("*.part"), *path.parent.glob("*.csv")]:
                piece.unlink()

    def of(self, kind: str) -> dict[str, Any]:
        noted = self._table.get(kind)
        return noted if isinstance(noted, dict) else {}

    def asked(self, kind: str) -> bool:
        return bool(self.of(kind).get("asked"))

    def note(self, kind: str, **more: Any) -> None:
        self._table[kind] = self.of(kind) | more
        write_text(self._path, json.dumps(self._table))

    def forget(self, kind: str, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._table.pop(kind, None)
        write_text(self._path, json.dumps(self._table))


def _identity(medium: Mapping[str, Any]) -> str:
    """Tell one export from the next; the address is left out, since it holds a signature."""
    return f"{medium.get('id')} {medium.get('updated_at')}"


def _told(response: Any, have: int) -> dict[str, Any]:
    """Read what the headers say of the whole file: length, MD5 (base64), ETag, encoding."""
    headers = response.headers
    length = headers.get("Content-Length", "")
    whole = int(length) if length.isdecimal() else None
    md5 = headers.get("x-ms-blob-content-md5")
    if response.status_code == 200:
        md5 = md5 or headers.get("Content-MD5")
    else:  # 206 and 416 tell the whole after a slash
        total = headers.get("Content-Range", "").rpartition("/")[2]
        whole = int(total) if total.isdecimal() else None
    etag = headers.get("ETag")
    strong = etag if etag and not etag.startswith("W/") else None
    encoding = headers.get("Content-Encoding", "").lower()
    return {"length": whole, "md5": md5, "etag": strong, "encoding": encoding, "had": have}


def _checked(kind: str, piece: Path, told: Mapping[str, Any]) -> tuple[int, str]:
    """Compare a whole file with what the server told of it: its size and MD5 in hex digits."""
    size = piece.stat().st_size
    if told["length"] is not None and size != told["length"]:
        if size > told["length"]:
            piece.unlink()
        raise _TornError(f"{size} of {told['length']} bytes arrived")
    with piece.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    if told["md5"] and base64.b64encode(digest.digest()).decode() != told["md5"]:
        piece.unlink()
        raise _TornError(f"the checksum of the {kind} export is wrong")
    return size, digest.hexdigest()


def _unpack(piece: Path, path: Path, encoding: str) -> None:
    """Turn the bytes as sent into the CSV file."""
    with piece.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if not packed:
        piece.replace(path)
        return
    plain = path.with_suffix(".plain")
    try:
        with gzip.open(piece) as source, plain.open("wb") as target:
            while block := source.read(_BLOCK):
                target.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        piece.unlink()
        plain.unlink(missing_ok=True)
        raise _TornError(f"its {encoding or 'gzip'} packing is broken") from None
    except OSError as error:
        raise CrosspatchError(f"{plain}: could not be written ({error.strerror})") from error
    plain.replace(path)
    piece.unlink()
