"""The other two exports of a project: which file a subject is, and what the tools are called."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from crosspatch.errors import InputError
from crosspatch.volunteers.marks import REGION_TOOLS
from crosspatch.volunteers.rows import Row, blocks, read_block, read_header

_MOST_FRAMES = 100


def read_locations(path: Path) -> dict[str, list[str]]:
    """Read a subjects export: subject id -> the last part of each of its locations.

    A subject stands there once for each of its sets and workflows; damaged rows are passed over,
    since all they could add is a name to look for.

    Raises
    ------
    InputError
        The file cannot be read or is no subjects export.
    """
    locations: dict[str, list[str]] = {}
    for cells in _rows(path, ("subject_id", "locations")):
        urls = _json(cells["locations"])
        if isinstance(urls, dict):
            names = [url.rsplit("/", 1)[-1] for url in urls.values() if isinstance(url, str)]
            locations[cells["subject_id"]] = names[:_MOST_FRAMES]
    return locations


@dataclass(frozen=True)
class Tool:
    """A drawing tool: its type as Panoptes names it, and its label for people ("" if unknown)."""

    kind: str
    label: str


Tasks = dict[str, list[Tool]]


@dataclass(frozen=True)
class ToolTable:
    """The drawing tools of workflows, by version.

    A workflow's tools change only with the major version, so that is what is looked up; a version
    that the export does not hold is taken for the newest.
    """

    versions: dict[tuple[str, str], Tasks] = field(default_factory=dict)
    newest: dict[str, Tasks] = field(default_factory=dict)

    def tool(self, workflow: str, version: str, task: str, index: int) -> Tool | None:
        """Return the tool at a position of a drawing task, None where the table does not know."""
        major = version.split(".")[0]
        tasks = self.versions.get((workflow, major), self.newest.get(workflow, {}))
        tools = tasks.get(task, [])
        return tools[index] if 0 <= index < len(tools) else None

    def region_tasks(self, workflow: str, tools: frozenset[int] | None) -> set[str]:
        """Return the tasks in which one of the wanted tools draws areas, in any version."""
        found = set()
        for (where, _), tasks in self.versions.items():
            if where == workflow:
                for task, listed in tasks.items():
                    found |= {
                        task
                        for index, tool in enumerate(listed)
                        if tool.kind in REGION_TOOLS and (tools is None or index in tools)
                    }
        return found


def read_tools(path: Path) -> ToolTable:
    """Read a workflows export.

    Raises
    ------
    InputError
        The file cannot be read or is no workflows export.
    """
    table = ToolTable()
    newest: dict[str, int] = {}
    for cells in _rows(path, ("workflow_id", "version", "tasks")):
        tasks = _json(cells["tasks"])
        major = cells["version"].split(".")[0]
        if not isinstance(tasks, dict) or not major.isdecimal():
            continue
        strings = _json(cells.get("strings", ""))
        read = {
            str(key): _tools(task, strings if isinstance(strings, dict) else {})
            for key, task in tasks.items()
            if isinstance(task, dict) and isinstance(task.get("tools"), list)
        }
        workflow = cells["workflow_id"]
        table.versions[workflow, major] = read
        if int(major) >= newest.get(workflow, -1):
            newest[workflow] = int(major)
            table.newest[workflow] = read
    return table


def _tools(task: dict[str, Any], strings: dict[str, Any]) -> list[Tool]:
    """Read a task's tools; a label is a key into the workflow's strings, in old exports text."""
    tools = []
    for listed in task["tools"]:
        kind = listed.get("type") if isinstance(listed, dict) else None
        label = listed.get("label") if isinstance(listed, dict) else None
        label = strings.get(label, label) if isinstance(label, str) else ""
        tools.append(Tool(kind if isinstance(kind, str) else "", str(label)[:80]))
    return tools


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    header = read_header(path)
    missing = header.missing(needed)
    if missing:
        raise InputError(f"{path}: lacks the columns {', '.join(missing)}; is it another export?")
    for block in blocks(path, header):
        for row in read_block(path, block, header):
            if isinstance(row, Row):
                yield dict(zip(header.names, map(str.strip, row.cells), strict=True))


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
