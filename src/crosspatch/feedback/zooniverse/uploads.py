"""Subjects on their way to the server: each exactly once, whatever breaks.

Making a subject is the one call that must not be repeated blindly. Its key is in the ledger before
the call; after a lost answer, or a killed process, the project's newest subjects are looked through
for the key before another attempt. Where the subject set was there before the ledger, another
folder's push may have made the subjects: then each is looked for first.
"""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from crosspatch.feedback.zooniverse.connection import Connection
from crosspatch.feedback.zooniverse.ledger import KEY, Ledger
from crosspatch.feedback.zooniverse.patience import (
    ChangedError,
    NotThereError,
    UnansweredError,
    ZooniverseError,
)

log = logging.getLogger(__name__)

_BATCH = 100

Media = list[tuple[str, bytes]]


class Uploads:
    """Subjects and their set in one project.

    Parameters
    ----------
    connection
    ledger : of this push
    project : its number
    """

    def __init__(self, connection: Connection, ledger: Ledger, project: str) -> None:
        self._connection, self._ledger, self._project = connection, ledger, project
        self._standing: dict[str, list[dict[str, Any]]] | None = None

    # -- the subject set

    def subject_set(self, name: str, key: str) -> str:
        """Return the number of the push's subject set, making it where it is not there yet."""
        if self._ledger.subject_set is not None:
            number = self._ledger.subject_set["id"]
            try:
                self._connection.get(f"subject_sets/{number}")
            except NotThereError:
                raise ZooniverseError(
                    f"the subject set {number} of this push was deleted on Zooniverse: begin a new "
                    "push in another --out folder"
                ) from None
            return number
        body = {
            "subject_sets": {
                "display_name": name,
                "metadata": {"crosspatch": key},
                "links": {"project": self._project},
            }
        }
        before = self._found_set(key)
        one = before or self._once(
            lambda: self._found_set(key),
            lambda: self._connection.post("subject_sets", body).body["subject_sets"][0],
            first_look=False,
        )
        there = before is not None
        self._ledger.note("set", id=one["id"], created=one.get("created_at") or "", found=there)
        return str(one["id"])

    def _found_set(self, key: str) -> dict[str, Any] | None:
        query: dict[str, Any] = {"project_id": self._project, "metadata.crosspatch": key}
        for page in self._connection.pages("subject_sets", **query):
            for one in page:
                # A server that does not know the filter would give all sets of the project.
                if (one.get("metadata") or {}).get("crosspatch") == key:
                    return dict(one)
        return None

    # -- new subjects

    def upload(self, key: str, metadata: dict[str, Any], draw: Callable[[], Media]) -> str:
        """Have a subject with its pictures on the server; return its number.

        Parameters
        ----------
        key : which subject this is
        metadata : what to tell of it; the key is added
        draw : makes the pictures, where they are still needed
        """
        ledger = self._ledger
        if key in ledger.stored:
            return ledger.subjects[key]
        media = draw()
        body = {
            "subjects": {
                "locations": [mime for mime, _ in media],
                "metadata": {**metadata, KEY: key},
                "links": {"project": self._project},
            }
        }
        places: list[dict[str, str]] | None = None
        if key not in ledger.subjects:
            lost = key in ledger.lost
            if not lost:
                ledger.note("begin", key=key)
            made = None if lost else self._stood_before(key)
            made = made or self._once(
                lambda: self._found_subject(key),
                lambda: self._connection.post("subjects", body).body["subjects"][0],
                first_look=lost,
            )
            ledger.note("subject", key=key, id=made["id"])
            places = _signed(made)
        number = ledger.subjects[key]
        if places is None:
            places = self._places_again(number)
        if len(places) != len(media):
            raise ZooniverseError(f"Zooniverse gave no place for the pictures of {number}")
        for place, (mime, data) in zip(places, media, strict=True):
            self._connection.upload(place[next(iter(place))], data, mime)
        ledger.note("stored", key=key)
        return number

    def _places_again(self, number: str) -> list[dict[str, str]]:
        """Ask anew where to put pictures: the answer to any update says so."""
        updated = self._update(number, {})
        return list(updated.get("locations") or [])

    def _once(
        self,
        look: Callable[[], dict[str, Any] | None],
        make: Callable[[], dict[str, Any]],
        *,
        first_look: bool,
    ) -> dict[str, Any]:
        """Make something unless it is there; after a lost answer look again before another try."""
        patience, problem = self._connection.patience, ""
        for attempt in range(patience.tries):
            found = look() if attempt or first_look else None
            if found is not None:
                return found
            try:
                return make()
            except UnansweredError as error:
                self._ledger.note("doubt")
                problem = str(error)
                time.sleep(patience.wait(attempt))
            except (KeyError, IndexError, TypeError):
                raise ZooniverseError("Zooniverse's answer is not what was asked for") from None
        raise ZooniverseError(f"{problem}, {patience.tries} times; run the same command again")

    def _found_subject(self, key: str) -> dict[str, Any] | None:
        found = self._copies({key}).get(key, [])
        if not found:
            return None
        log.info("subject %s had been made although its answer was lost", found[0]["id"])
        return found[0] | {"locations": None}

    def _stood_before(self, key: str) -> dict[str, Any] | None:
        """Find a subject that a push without this ledger made in the same set: all at one look."""
        if not self._ledger.found_set:
            return None
        if self._standing is None:
            self._standing = self._copies()
        found = self._standing.get(key)
        return found[0] | {"locations": None} if found else None

    def _copies(self, keys: set[str] | None = None) -> dict[str, list[dict[str, Any]]]:
        """Look through what was made in the project since the subject set, the newest first.

        Returns
        -------
        dict of key -> subjects of that key, the first made first; without ``keys`` of all
        """
        assert self._ledger.subject_set is not None
        since = _moment(self._ledger.subject_set["created"])
        found: dict[str, list[dict[str, Any]]] = {}
        below: int | None = None
        for page in self._connection.pages("subjects", backwards=True, project_id=self._project):
            for one in page:
                key = (one.get("metadata") or {}).get(KEY)
                if key is not None and (keys is None or key in keys):
                    found.setdefault(str(key), []).append(dict(one))
            numbers = [int(one["id"]) for one in page]
            falling = not numbers or below is None or max(numbers) < below
            below = min(numbers, default=below or 0)
            made = [_moment(one.get("created_at")) for one in page]
            old = bool(made) and since is not None and all(one and one < since for one in made)
            if old and falling:
                break  # pages go by number, so what follows is older still
        for copies in found.values():
            copies.sort(key=lambda one: int(one["id"]))
        return found

    def remove_doubles(self) -> int:
        """After lost answers: delete subjects of ours that were made twice and are in no set."""
        if not self._ledger.doubts:
            return 0
        removed = 0
        for key, copies in self._copies(set(self._ledger.subjects)).items():
            for one in copies:
                if str(one["id"]) != self._ledger.subjects[key]:
                    removed += self._remove(str(one["id"]))
        return removed

    def _remove(self, number: str) -> bool:
        """Delete a subject, unless it is in a set: people may have drawn on it."""
        try:
            body, etag = self._connection.get(f"subjects/{number}")
            links = body["subjects"][0].get("links") or {}
            if links.get("subject_sets") or self._is_member(number):
                return False
            self._connection.delete(f"subjects/{number}", etag)
        except NotThereError:
            return False
        return True

    def _is_member(self, number: str) -> bool:
        """Whether a subject is in any set; its own links need not tell."""
        body = self._connection.get("set_member_subjects", subject_id=number).body
        found = body.get("set_member_subjects") or []
        return any(str(one["links"]["subject"]) == number for one in found)

    # -- subjects that were there before

    def prepare(self, number: str, priority: int) -> dict[str, Any]:
        """Set the priority of an older subject, as it has to be before it is linked to a set."""
        found = self._update(number, {"#priority": priority})
        self._ledger.note("prepared", id=number)
        return found

    def _update(self, number: str, more: dict[str, Any]) -> dict[str, Any]:
        for attempt in range(self._connection.patience.tries):
            body, etag = self._connection.get(f"subjects/{number}")
            subject = body["subjects"][0]
            if str((subject.get("links") or {}).get("project")) != self._project:
                raise ZooniverseError(f"subject {number} is of another project")
            metadata = {**(subject.get("metadata") or {}), **more}
            try:
                changed = self._connection.put(
                    f"subjects/{number}", {"subjects": {"metadata": metadata}}, etag
                )
                return dict(changed.body["subjects"][0])
            except ChangedError:
                time.sleep(self._connection.patience.wait(attempt))
        raise ZooniverseError(
            f"subject {number} is being changed by somebody else; try again later"
        )

    # -- links and retirement

    def members(self, subject_set: str) -> set[str]:
        """Return the numbers of a set's subjects."""
        found = set()
        pages = self._connection.pages("set_member_subjects", subject_set_id=subject_set)
        for page in pages:
            found |= {str(one["links"]["subject"]) for one in page}
        return found

    def link(self, subject_set: str, numbers: Iterable[str]) -> list[str]:
        """Put subjects into a set, those that are not in it; return those that no longer exist."""
        wanted = list(dict.fromkeys(numbers))
        gone: list[str] = []
        patience = self._connection.patience
        for attempt in range(patience.tries):
            inside = self.members(subject_set)
            missing = [one for one in wanted if one not in inside and one not in gone]
            if not missing:
                return gone
            try:
                for start in range(0, len(missing), _BATCH):
                    body = {"subjects": missing[start : start + _BATCH]}
                    self._connection.post(f"subject_sets/{subject_set}/links/subjects", body)
            except UnansweredError:
                time.sleep(patience.wait(attempt))
            except ZooniverseError:
                lost = self._gone(missing)
                if not lost:
                    raise
                gone += lost
        raise ZooniverseError("subjects could not be linked to their set; run the command again")

    def _gone(self, numbers: Iterable[str]) -> list[str]:
        gone = []
        for number in numbers:
            try:
                self._connection.get(f"subjects/{number}")
            except NotThereError:
                gone.append(number)
        return gone

    def retire(self, workflow: str, numbers: Iterable[str]) -> list[str]:
        """Retire subjects; return those that no longer exist."""
        todo = [one for one in numbers if one not in self._ledger.retired | self._ledger.gone]
        gone: list[str] = []
        for start in range(0, len(todo), _BATCH):
            batch = todo[start : start + _BATCH]
            try:
                self._retire(workflow, batch)
            except NotThereError:
                lost = self._gone(batch)
                if not lost:
                    raise
                gone += lost
                self._retire(workflow, [one for one in batch if one not in lost])
        return gone

    def _retire(self, workflow: str, numbers: list[str]) -> None:
        if numbers:
            body = {"subject_ids": numbers, "retirement_reason": "other"}
            self._connection.post(f"workflows/{workflow}/retired_subjects", body, repeatable=True)
            self._ledger.note("retired", ids=numbers)


def _signed(made: dict[str, Any]) -> list[dict[str, str]] | None:
    locations = made.get("locations")
    return list(locations) if locations else None


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
