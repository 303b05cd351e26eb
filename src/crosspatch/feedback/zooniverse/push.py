"""A plan carried out on the server, step by step, so that it can be cut off after each."""

import csv
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosspatch import images
from crosspatch.errors import InputError, SettingsError
from crosspatch.feedback.proposals import machine_learnt, propose
from crosspatch.feedback.zooniverse.connection import Connection
from crosspatch.feedback.zooniverse.ledger import Ledger
from crosspatch.feedback.zooniverse.patience import (
    NotAllowedError,
    NotThereError,
    UnansweredError,
    ZooniverseError,
)
from crosspatch.feedback.zooniverse.plan import Plan, Wanted, key_of, media_of
from crosspatch.feedback.zooniverse.uploads import Uploads
from crosspatch.files import fingerprint_bytes, write_bytes
from crosspatch.progress import Progress, silent
from crosspatch.volunteers.proposals import Proposed, read_proposals, write_proposals

REDUCER = "machineLearnt"
"""The key under which the classifier looks for proposals."""

_LARGEST_PICTURE = 64 * 2**20


@dataclass(frozen=True)
class Tool:
    """Where in the workflow proposals belong: step, task and freehand tool."""

    step: str
    task_index: int
    task: str
    tool: int


@dataclass
class Pushed:
    """What a push did: numbers, and sentences worth saying."""

    uploaded: int = 0
    shown_again: int = 0
    proposals: int = 0
    retired: int = 0
    said: list[str] = field(default_factory=list)


class Push:
    """One push: everything it sends goes through here.

    Parameters
    ----------
    connection, ledger
    project, workflow : numbers
    folder : keeps ledger and proposals
    subject_set : name of the subject set
    progress : told how far the work is
    """

    def __init__(
        self,
        connection: Connection,
        ledger: Ledger,
        project: str,
        workflow: str,
        *,
        folder: Path,
        subject_set: str,
        progress: Progress = silent,
    ) -> None:
        self._connection, self._ledger = connection, ledger
        self._project, self._workflow = project, workflow
        self._folder, self._name, self._progress = folder, subject_set, progress
        self._uploads = Uploads(connection, ledger, project)
        self._done = Pushed()

    def run(self, plan: Plan, *, with_proposals: bool = True) -> Pushed:
        """Carry out a plan; what an earlier run did is not done again.

        Raises
        ------
        ZooniverseError
            The server refuses or does not answer; the same call goes on from there.
        """
        workflow = self._look_up()
        tool = freehand_tool(workflow) if with_proposals else None
        if with_proposals and plan.wanted:
            self._check_proposals(workflow, tool)
        if plan.wanted:
            key = fingerprint_bytes(self._project.encode(), self._name.encode())[:32]
            subject_set = self._uploads.subject_set(self._name, key)
            numbers, proposed = self._send(plan, tool)
            removed = self._uploads.remove_doubles()
            if removed:
                self._done.said.append(
                    f"{removed} subjects had been made twice, as answers were lost: the second "
                    "ones were deleted"
                )
            self._note_gone(self._uploads.link(subject_set, numbers))
            if with_proposals and tool is not None:
                self._propose(proposed, tool)
            self._open_to_volunteers(subject_set)
        self._note_gone(
            self._uploads.retire(self._workflow, [number for _, number in plan.retired])
        )
        self._done.retired = len(self._ledger.retired)
        return self._done

    # -- what there is

    def _look_up(self) -> dict[str, Any]:
        who = self._connection.account.name
        try:
            self._connection.get(f"projects/{self._project}")
            found = self._connection.get(f"workflows/{self._workflow}").body["workflows"][0]
        except (NotThereError, NotAllowedError, KeyError, IndexError) as error:
            raise NotAllowedError(
                f"there is no project {self._project} with a workflow {self._workflow} that {who} "
                f"may see ({error})"
            ) from None
        if str((found.get("links") or {}).get("project")) != self._project:
            raise SettingsError(
                f"workflow {self._workflow} is not of project {self._project}; nothing was sent"
            )
        if not found.get("prioritized"):
            self._done.said.append(
                "the workflow does not heed priorities: ask Zooniverse's people to set "
                "'prioritized' on it; until then subjects are shown in any order"
            )
        return dict(found)

    def _check_proposals(self, workflow: Mapping[str, Any], tool: Tool | None) -> None:
        if tool is None:
            raise SettingsError(
                f"workflow {self._workflow} has no freehand line tool, so that no outline can be "
                "proposed: add one, or push without proposals"
            )
        if not (workflow.get("configuration") or {}).get("enable_caesar_data_fetching"):
            self._done.said.append(
                "the workflow does not show proposals yet: its configuration needs "
                "enable_caesar_data_fetching (ask Zooniverse's people)"
            )
        try:
            reducers = self._connection.caesar("GET", f"workflows/{self._workflow}/reducers")
        except NotThereError:
            reducers = []
        keys = {one.get("key") for one in reducers or [] if isinstance(one, dict)}
        if REDUCER not in keys:
            self._done.said.append(
                f"Caesar has no reducer {REDUCER!r} for the workflow yet, so that proposals do not "
                "show: add one of the type first_extract with this key on its Caesar page"
            )

    # -- subjects

    def _send(self, plan: Plan, tool: Tool | None) -> tuple[list[str], list[Proposed]]:
        """Have all wanted subjects on the server; return their numbers and proposals."""
        numbers, proposed = [], []
        for done, one in enumerate(plan.wanted, 1):
            size: tuple[int, int] | None
            try:
                if one.subject_id is None:
                    number, size = self._upload(one)
                    self._done.uploaded += 1
                else:
                    number, size = self._again(one, tool is not None)
                    self._done.shown_again += 1
            except NotThereError:
                self._done.said.append(f"{one.name}: its subject was deleted on Zooniverse")
                self._ledger.note(
                    "gone", key=one.subject_id or key_of(self._project, self._name, one)
                )
                continue
            except InputError as error:
                self._done.said.append(f"{one.name}: left out, {error}")
                continue
            numbers.append(number)
            if tool is not None and size is not None:
                marks, left = propose(images.read_mask(one.mask), size)
                if left:
                    self._done.said.append(f"{one.name}: {left} objects are too small to propose")
                proposed.append(
                    Proposed(one.name, number, 0, tool.task, tool.tool, size[1], size[0], marks)
                )
            self._progress("sending subjects", done, len(plan.wanted))
        return numbers, proposed

    def _upload(self, one: Wanted) -> tuple[str, tuple[int, int]]:
        key = key_of(self._project, self._name, one)
        header = images.read_header(one.overlay)
        metadata = {
            "Filename": one.image.name,
            "Name": one.name,
            "#priority": one.priority,
            "#reason": one.reason,
        }
        number = self._uploads.upload(key, metadata, lambda: media_of(one)[0])
        return number, (header.height, header.width)

    def _again(self, one: Wanted, with_size: bool) -> tuple[str, tuple[int, int] | None]:
        number = one.subject_id or ""
        found = self._uploads.prepare(number, one.priority)
        size = None
        if with_size:
            found = self._connection.get(f"subjects/{number}").body["subjects"][0]
            size = self._size_of(found)
            if size is None:
                self._done.said.append(f"{one.name}: its picture cannot be read, so no proposals")
        return number, size

    def _size_of(self, subject: Mapping[str, Any]) -> tuple[int, int] | None:
        """Look at the uploaded picture of frame 0: proposals are in its pixels."""
        try:
            place = next(iter((subject.get("locations") or [{}])[0].values()))
            response = self._connection.open(str(place), {})
            with response, tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "picture.png"  # it is read by its content
                data = response.raw.read(_LARGEST_PICTURE, decode_content=True)
                path.write_bytes(data)
                header = images.read_header(path)
        except (StopIteration, InputError, ZooniverseError):
            return None
        except self._connection.broken:
            return None
        return header.height, header.width

    def _note_gone(self, numbers: list[str]) -> None:
        for number in numbers:
            self._done.said.append(f"subject {number} was deleted on Zooniverse")
            self._ledger.note("gone", key=number)

    # -- proposals, and the opening

    def _propose(self, proposed: list[Proposed], tool: Tool) -> None:
        """Keep the proposals for ``consensus``, and have Caesar read them in."""
        path = self._folder / "proposals.jsonl"
        before = {one.subject_id: one for one in read_proposals(path)} if path.exists() else {}
        together = {**before, **{one.subject_id: one for one in proposed}}
        write_proposals(path, together.values())
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("extractor_key", "subject_id", "data"))
        for one in together.values():
            cell = json.dumps(machine_learnt(one, tool.step, tool.task_index))
            table.writerow((REDUCER, one.subject_id, cell))
        self._done.proposals = sum(len(one.marks) for one in together.values())
        data = text.getvalue().encode()
        write_bytes(self._folder / "machine-learnt.csv", data)
        content = fingerprint_bytes(data)
        if self._ledger.proposals == content:
            return
        address = self._publish(data)
        path_there = f"workflows/{self._workflow}/extracts/import"
        self._connection.caesar("POST", path_there, {"file": address})
        self._ledger.note("imported", content=content)

    def _publish(self, data: bytes) -> str:
        """Put the table of proposals where Caesar can read it: at the project's own files."""
        what = f"projects/{self._project}/attached_images"
        body = {"media": {"content_type": "text/csv", "metadata": {"filename": "proposals.csv"}}}
        try:
            medium = self._connection.post(what, body, repeatable=True).body["media"][0]
            self._connection.upload(str(medium["src"]), data, "text/csv")
            self._ledger.note("media", id=medium["id"])
            public = self._connection.get(f"{what}/{medium['id']}").body["media"][0]
            return str(public["src"]).partition("?")[0]
        except (KeyError, IndexError):
            raise ZooniverseError("Zooniverse gave no place for the table of proposals") from None

    def _open_to_volunteers(self, subject_set: str) -> None:
        """Link the set to the workflow, last: nobody sees what is not whole."""
        patience = self._connection.patience
        for _ in range(patience.tries):
            found = self._connection.get(f"workflows/{self._workflow}").body["workflows"][0]
            if subject_set in map(str, (found.get("links") or {}).get("subject_sets") or []):
                return
            path = f"workflows/{self._workflow}/links/subject_sets"
            try:
                self._connection.post(path, {"subject_sets": [subject_set]})
            except UnansweredError:
                continue
        found = self._connection.get(f"workflows/{self._workflow}").body["workflows"][0]
        if subject_set not in map(str, (found.get("links") or {}).get("subject_sets") or []):
            raise ZooniverseError("the subject set could not be linked to the workflow; try again")


def freehand_tool(workflow: Mapping[str, Any]) -> Tool | None:
    """Find the first freehand line tool of a workflow, as Panoptes gives it."""
    tasks = workflow.get("tasks")
    tasks = tasks if isinstance(tasks, dict) else {}
    steps = workflow.get("steps")
    for name in sorted(tasks):
        task = tasks[name] if isinstance(tasks[name], dict) else {}
        for index, tool in enumerate(task.get("tools") or []):
            if isinstance(tool, dict) and tool.get("type") == "freehandLine":
                step, place = _step_of(name, steps if isinstance(steps, list) else [])
                return Tool(step, place, name, index)
    return None


def _step_of(task: str, steps: list[Any]) -> tuple[str, int]:
    """Find a task's step and its place in it; a workflow without steps has one a task."""
    for step in steps:
        if isinstance(step, list) and len(step) == 2 and isinstance(step[1], dict):
            keys = step[1].get("taskKeys") or []
            if task in keys:
                return str(step[0]), keys.index(task)
    return "S0", 0
