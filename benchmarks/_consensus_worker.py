"""One way from an export to consensus masks: each line names an export and a folder to fill.

``ours`` is the whole command, pictures and tables included; ``arrays`` ours up to votes and masks
as arrays, nothing drawn or written; ``naive`` the script that anybody would write, likewise up to
arrays; ``aggregation`` is panoptes_aggregation's extract and reduce, in its own environment.
"""

import contextlib
import csv
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

WORKERS = 2


def ours(export: Path, out: Path) -> None:
    """Run the whole command."""
    from crosspatch.workflows.consensus import consensus

    consensus(export, out=out, workers=WORKERS)


def arrays(export: Path, out: Path) -> None:
    """Read, sort out who counts, fill, vote, compare volunteers; write no picture."""
    from crosspatch.volunteers.ballots import Choice
    from crosspatch.volunteers.gather import each, gather
    from crosspatch.volunteers.subjects import Frames, Rules

    with tempfile.TemporaryDirectory(dir=out.parent) as spill:
        found = gather(export, Path(spill), Choice(), workers=WORKERS, reject=lambda rejected: None)
        rules = Rules(found.workflow, found.region_tasks)
        for _ in each(partial(_vote, rules, Frames()), found.buckets, WORKERS):
            pass


def _vote(rules: object, frames: object, bucket: Path) -> int:
    import numpy as np

    from crosspatch.volunteers.agreement import subject_agreement
    from crosspatch.volunteers.methods import Judge, Rule
    from crosspatch.volunteers.runs import vote_runs
    from crosspatch.volunteers.subjects import subjects_in

    judge, marked = Judge(Rule()), 0
    for read in subjects_in(bucket, rules, frames):
        people = read.subject.volunteers
        runs = vote_runs([one.outlines for one in people], read.subject.shape)
        names = [one.volunteer for one in people]
        alike = subject_agreement(read.subject.name, runs.patterns, names, [True] * len(names))
        votes = runs.paint(runs.counts.astype(np.uint8))
        mask = runs.paint(judge.decide(runs.patterns, alike))
        marked += int(votes.size and mask[0, 0])
    return marked


def naive(export: Path, out: Path) -> None:
    """Do as a script of thirty lines does: json, PIL, a sum of arrays, half of the votes."""
    import numpy as np
    from PIL import Image, ImageDraw

    csv.field_size_limit(2**31 - 1)
    subjects: dict[str, list[dict[str, str]]] = {}
    with export.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            subjects.setdefault(row["subject_ids"], []).append(row)
    for rows in subjects.values():
        size = json.loads(rows[0]["metadata"])["subject_dimensions"][0]
        width, height = size["naturalWidth"], size["naturalHeight"]
        votes = np.zeros((height, width), int)
        for row in rows:
            picture = Image.new("L", (width, height))
            pen = ImageDraw.Draw(picture)
            for task in json.loads(row["annotations"]):
                for mark in task["value"]:
                    pen.polygon(list(zip(mark["pathX"], mark["pathY"], strict=True)), fill=1)
            votes += np.array(picture)
        assert (votes >= len(rows) / 2).shape == (height, width)  # the mask, not written


def aggregation(export: Path, out: Path) -> None:
    """Extract and reduce, with the configuration that its ``config`` makes for freehand lines."""
    from panoptes_aggregation.scripts import (  # type: ignore[import-not-found]
        extract_csv,
        reduce_csv,
    )

    out.mkdir()
    (out / "extract.yaml").write_text(
        "workflow_id: 28090\nworkflow_version: '13.19'\nextractor_config:\n  polygon_extractor:\n"
        "  - task: T0\n    tools: [0]\n    details: {}\n"
    )
    (out / "reduce.yaml").write_text("reducer_config:\n  polygon_reducer: {}\n")
    with contextlib.redirect_stdout(io.StringIO()):
        extract_csv(str(export), str(out / "extract.yaml"), output_dir=str(out), cpu_count=WORKERS,
                    hide_progressbar=True)  # fmt: skip
        (extracted,) = out.glob("polygon_extractor*.csv")
        reduce_csv(str(extracted), str(out / "reduce.yaml"), output_dir=str(out),
                   cpu_count=WORKERS, hide_progressbar=True)  # fmt: skip


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "ours": ours, "arrays": arrays, "naive": naive, "aggregation": aggregation,
}  # fmt: skip

if __name__ == "__main__":
    way = WAYS[sys.argv[1]]
    for line in sys.stdin:
        export, out = (Path(word) for word in line.rstrip("\n").split("\t"))
        start = time.perf_counter()
        way(export, out)
        print(time.perf_counter() - start, flush=True)
