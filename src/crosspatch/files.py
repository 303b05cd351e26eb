"""Files that are written whole or not at all, folders that say what they are, fingerprints, locks.

Every folder of ours holds a TOML file named after its kind (``dataset.toml``, ``crops.toml``, ...)
with a ``format`` number. Readers refuse a newer format instead of guessing.
"""

import hashlib
import json
import math
import os
import shutil
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape as glob_escape
from pathlib import Path
from typing import Any

import tomlkit

from crosspatch.errors import CrosspatchError, HeldError, InputError, SettingsError

PathLike = str | os.PathLike[str]

_PARTIAL = ".partial-"
_LOCK = ".lock"
_MAX_TOML_BYTES = 64 * 2**20


def _partial_sibling(path: Path) -> Path:
    return path.with_name(f".{path.name}{_PARTIAL}{uuid.uuid4().hex[:8]}")


def write_bytes(path: PathLike, data: bytes) -> None:
    """Write a file whole or not at all: beside its place, synced, then renamed.

    Inside a ``new_folder`` the folder's own renaming does that, so that a data set of thousands of
    small files does not wait for the disk at each. A killed program leaves no half folder; a power
    cut within seconds of the renaming may.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if any(_PARTIAL in part for part in path.parts):
        try:
            path.write_bytes(data)
        except OSError as error:
            raise CrosspatchError(f"{path}: could not be written ({error.strerror})") from error
        return
    partial = _partial_sibling(path)
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CrosspatchError(f"{path}: could not be written ({error.strerror})") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: PathLike, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    write_bytes(path, text.encode())


@contextmanager
def new_folder(path: PathLike, *, kind: str, overwrite: bool = False) -> Iterator[Path]:
    """Yield a hidden sibling folder to fill; it takes the name ``path`` only when all went well.

    Parameters
    ----------
    path : the folder to make
    kind : the name, without suffix, of the TOML that says what the folder is: "crops"
    overwrite : replace a folder of the same kind that holds no reviews

    Raises
    ------
    CrosspatchError
        ``path`` exists, before or after the filling, and is not to be replaced: see
        ``refuse_existing``.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link we replace
    refuse_existing(path, kind=kind, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_sibling(path)
    partial.mkdir()
    try:
        yield partial
        refuse_existing(path, kind=kind, overwrite=overwrite)  # filling it may have taken hours
        _swap_in(partial, path)
    except OSError as error:
        raise CrosspatchError(f"{path}: could not be written ({error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def resumed_folder(
    path: PathLike, *, kind: str, key: str, doing: str, overwrite: bool = False
) -> Iterator[Path]:
    """Yield a hidden sibling folder as ``new_folder`` does; a stopped one is taken up again.

    What lies in it when a run is stopped, killed or out of disk stays, and is yielded again to the
    next run of the same ``key``. A run of another key starts anew, and removes it when it has come
    to its end: one that was a mistake costs nothing. A run that is refused (``InputError``,
    ``SettingsError``) leaves nothing.

    Parameters
    ----------
    path, kind, overwrite : as for `new_folder`
    key : hex digits that say what is made of what, see `fingerprint_bytes`
    doing : what to tell a second process that wants the same, such as "predicting"
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link we replace
    refuse_existing(path, kind=kind, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{_PARTIAL}kept-{key[:12]}")
    kept = path.parent.glob(f".{glob_escape(path.name)}{_PARTIAL}kept-*")
    others = [other for other in kept if other != partial]
    for other in others:
        with locked(other, doing):
            pass
    try:
        with locked(partial, doing):
            yield partial
            refuse_existing(path, kind=kind, overwrite=overwrite)  # it may have taken hours
            for other in others:
                shutil.rmtree(other, ignore_errors=True)
        (partial / _LOCK).unlink(missing_ok=True)
        _swap_in(partial, path)
    except (InputError, SettingsError):
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except OSError as error:
        raise CrosspatchError(f"{path}: could not be written ({error})") from error
    finally:
        if partial.is_dir() and {child.name for child in partial.iterdir()} <= {_LOCK}:
            shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(path: PathLike, *, kind: str | None = None, overwrite: bool) -> None:
    """Raise if ``path`` holds something that is not to be replaced.

    An empty folder counts as free. ``overwrite`` permits to replace a folder of the same ``kind``,
    which is one that holds ``kind.toml``, and nothing else; or, without a kind, a file. Nothing
    permits to replace a folder in which people's reviews lie: no run makes those again.
    """
    path = Path(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if kind is not None and not (path / f"{kind}.toml").is_file():
        raise CrosspatchError(
            f"{path} exists already and holds no {kind}.toml, so that not even --overwrite "
            "replaces it: choose another --out"
        )
    if path.is_dir():
        _refuse_reviews(path)
    if not overwrite:
        raise CrosspatchError(f"{path} exists already: choose another --out or add --overwrite")


def _refuse_reviews(path: Path) -> None:
    """Raise if reviews lie in a folder or below it: of a demo, or of a data set in a folder."""
    for log in path.rglob("reviews/decisions.jsonl"):
        if not log.stat().st_size:
            continue
        count = len(set(_reviewed_in(log)))
        raise CrosspatchError(
            f"{path}: holds people's reviews of {count} subject{'s' * (count != 1)} "
            f"({log.parent.relative_to(path).as_posix()}/), which not even --overwrite deletes: "
            "move that folder away, or choose another --out"
        )


def _reviewed_in(log: Path) -> Iterator[str]:
    """Names in a log of reviews; a line that was cut off names nothing."""
    for line in log.read_bytes().splitlines():
        try:
            yield str(json.loads(line)["subject"])
        except (ValueError, KeyError, TypeError):
            continue


def refuse_inputs_inside(out: PathLike, *inputs: object) -> None:
    """Raise if one of ``inputs`` is ``out`` or lies in it, where it would be replaced.

    What is no path (None, settings) is passed over.
    """
    place = Path(out).resolve()
    for given in inputs:
        if isinstance(given, str | os.PathLike) and Path(given).resolve().is_relative_to(place):
            raise CrosspatchError(
                f"{os.fspath(given)} is to be read, and --out {os.fspath(out)} would replace it: "
                "choose another --out"
            )


def _swap_in(partial: Path, path: Path) -> None:
    """Put ``partial`` in the place of ``path``; the old one goes only when the new one stands."""
    if not path.exists():
        partial.rename(path)
        return
    old = _partial_sibling(path)
    path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        old.rename(path)
        raise
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink(missing_ok=True)


def write_toml(path: PathLike, table: Mapping[str, Any], *, says: str, number: int = 1) -> None:
    """Write a folder's TOML: ``says`` is its first comment line, ``number`` its ``format``."""
    document = tomlkit.document()
    document.add(tomlkit.comment(says))
    document["format"] = number
    for key, value in table.items():
        if value is not None:
            document[key] = value
    write_text(path, tomlkit.dumps(document))


def read_toml(path: PathLike, *, newest: int = 1) -> dict[str, Any]:
    """Read a folder's TOML and check its ``format``.

    Raises
    ------
    InputError
        The file is missing, no TOML, has no ``format``, or one newer than ``newest``.
    """
    path = Path(path)
    table = read_plain_toml(path)
    number = table.get("format")
    if not isinstance(number, int) or number < 1:
        raise InputError(f"{path}: has no 'format' number; it was not written by crosspatch")
    if number > newest:
        raise InputError(
            f"{path}: format {number} is newer than this crosspatch reads ({newest}): upgrade it"
        )
    return table


def read_plain_toml(path: PathLike) -> dict[str, Any]:
    """Read any TOML file, with errors for people."""
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_TOML_BYTES:
            raise InputError(f"{path}: is too large to be a TOML file of ours")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: does not exist") from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number of 5000 digits
        raise InputError(f"{path}: is not valid TOML ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def to_json(value: Any) -> str:
    """Lay out a value as one line of strict JSON: NaN and infinity are null, paths are text."""
    return json.dumps(_finite(value), default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def fingerprint_bytes(*parts: bytes) -> str:
    """SHA-256 of the parts, each preceded by its length, as 64 hex digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def fingerprint_file(path: PathLike) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inside(folder: PathLike, name: str) -> Path:
    """Join ``name`` to ``folder``, refusing a name that climbs out of it or is absolute."""
    folder = Path(folder)
    clean = name.replace("\\", "/")
    if not clean or clean.startswith("/") or ":" in clean or "\0" in clean:
        raise InputError(f"{name!r} is not a name inside {folder}")
    if any(part in ("", ".", "..") for part in clean.split("/")):
        raise InputError(f"{name!r} is not a name inside {folder}")
    return folder / clean


def relative_place(path: PathLike, folder: PathLike) -> str:
    """Name a place from inside a folder of ours, with "/", so that both can move together."""
    path, folder = Path(path).absolute(), Path(folder).absolute()
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


@contextmanager
def locked(folder: PathLike, doing: str) -> Iterator[None]:
    """Hold a folder for one process; a second one is told who holds it. A dead holder does not.

    Raises
    ------
    HeldError
        Another process holds it.
    """
    path = Path(folder) / _LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+b")
    try:
        if not _try_lock(handle.fileno()):
            raise HeldError(f"{folder}: another process is {doing} here; wait for it to end")
        yield
    finally:
        handle.close()


def _try_lock(descriptor: int) -> bool:
    """Take an advisory lock that the operating system drops with the process."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
