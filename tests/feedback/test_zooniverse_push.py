import csv
import io
import json
import logging
import random
import subprocess
import sys
import time
from collections import Counter

import pytest
from PIL import Image

from crosspatch.cli import main
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.feedback.zooniverse import plan as plans
from crosspatch.feedback.zooniverse.connection import Connection
from crosspatch.feedback.zooniverse.ledger import KEY, Ledger
from crosspatch.feedback.zooniverse.patience import NotAllowedError, Patience
from crosspatch.volunteers.proposals import read_proposals
from crosspatch.workflows.info import info
from crosspatch.workflows.zooniverse import push, summary
from panoptes_server import PASSWORD, PROJECT, WORKFLOW, Server
from pushes import make_predictions, make_queue

QUICK = Patience(tries=5, first_wait=0.01, longest_wait=0.05, timeout=5, poll=0.01)
NAMES = ["kelp one", "kelp-2", "kelp'3"]


@pytest.fixture
def server(monkeypatch, tmp_path):
    with Server() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        yield running


@pytest.fixture
def given(tmp_path):
    """Predictions and queue: all three need people."""
    predictions = make_predictions(tmp_path / "maps", NAMES)
    queue = make_queue(tmp_path / "queue.csv", [(name, "people") for name in NAMES])
    return {
        "predictions": predictions,
        "queue": queue,
        "project": PROJECT,
        "workflow": WORKFLOW,
        "out": tmp_path / "push",
        "patience": QUICK,
    }


def by_key(world):
    """Subjects on the server by key: each list should hold one."""
    found = {}
    for one in world.subjects.values():
        if KEY in one["metadata"]:
            found.setdefault(one["metadata"][KEY], []).append(one)
    return found


def check_whole(world, names=NAMES):
    """Each subject exactly once, whole, in one set that the workflow shows, with its proposal."""
    found = by_key(world)
    assert sorted(len(copies) for copies in found.values()) == [1] * len(names)
    subjects = [copies[0] for copies in found.values()]
    assert sorted(one["metadata"]["Name"] for one in subjects) == sorted(names)
    (subject_set,) = world.sets
    assert world.workflow["links"]["subject_sets"] == [subject_set]
    for one in subjects:
        assert world.members[subject_set, one["id"]] == one["metadata"]["#priority"]
        for place in (0, 1):
            data = world.blobs[f"/storage/subject/{one['id']}-{place}"]
            assert Image.open(io.BytesIO(data)).size == (32, 24)
        assert world.extracts[one["id"], "machineLearnt"]["data"][0]["toolType"] == "freehandLine"
    assert len(world.members) == len(names)


def test_without_yes_nothing_leaves_the_machine(server, given, tmp_path, capsys):
    made = push(**given)
    assert made.done is None
    assert [one.name for one in made.plan.new] == NAMES
    assert server.requests == []
    assert not (tmp_path / "push").exists()
    words = ["zooniverse", "push", str(given["predictions"]), str(given["queue"]), "--project",
             PROJECT, "--workflow", WORKFLOW, "--out", str(given["out"])]  # fmt: skip
    assert main([*words, "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "3 subjects to upload, 0 to show again, 0 to retire, 0 to leave" in said
    assert "10  kelp one: the model is unsure" in said
    assert "nothing was sent: add --yes" in said
    assert server.requests == []
    assert main([*words, "--quiet", "--json", "--yes"]) == 0
    assert json.loads(capsys.readouterr().out)["sent"] is True
    check_whole(server.world)


def test_a_push_sends_subjects_with_priorities_pictures_and_proposals(server, given):
    made = push(**given, yes=True)
    check_whole(server.world)
    assert (made.done.uploaded, made.done.proposals) == (3, 3)
    one = next(iter(server.world.subjects.values()))
    assert one["metadata"]["#priority"] == 10
    assert one["metadata"]["Filename"] == "kelp one.tif"
    assert one["metadata"]["#reason"] == "the model is unsure"
    assert [next(iter(place)) for place in one["locations"]] == ["image/png", "image/png"]
    assert info(given["out"]).kind == "push"
    order = [one for one in server.requests if one.startswith("POST /api")]
    assert order[-1].endswith("links/subject_sets")  # opened to volunteers last of all
    assert order[-3].endswith("links/subjects")


def test_proposals_are_the_masks_outlines_in_uploaded_pixels(server, given, tmp_path):
    push(**given, yes=True)
    first = read_proposals(tmp_path / "push/proposals.jsonl")[0]
    assert (first.name, first.width, first.height, first.task) == ("kelp one", 32, 24, "T0")
    (mark,) = first.marks
    assert (min(mark.pathX), max(mark.pathX)) == (3, 15)  # the columns of the square
    assert (min(mark.pathY), max(mark.pathY)) == (4, 14)
    (shown,) = server.world.extracts[first.subject_id, "machineLearnt"]["data"]
    assert (shown["pathX"], shown["stepKey"]) == (mark.pathX, "S0")


def test_a_second_run_sends_nothing_again(server, given):
    push(**given, yes=True)
    server.requests.clear()
    push(**given, yes=True)
    check_whole(server.world)
    assert not any(one.startswith(("POST /api/sub", "PUT")) for one in server.requests)
    assert server.world.imports == 1


@pytest.mark.parametrize("lost", [True, False])
def test_without_its_ledger_a_push_finds_its_set_and_subjects_again(server, given, tmp_path, lost):
    """The ledger was lost, or the push is begun anew in another folder of the same name."""
    push(**given, yes=True)
    numbers = set(server.world.subjects)
    if lost:
        (tmp_path / "push/ledger.jsonl").unlink()
    else:
        given["out"] = tmp_path / "other" / "push"
    server.trouble("PUT /storage/subject", "status", status=503, times=5, skip=2)
    with pytest.raises(CrosspatchError):
        push(**given, yes=True)
    looks = server.count("GET /api/subjects$")
    push(**given, yes=True)  # now the ledger knows the set, and still that it was there before
    assert set(server.world.subjects) == numbers
    assert server.count("GET /api/subjects$") == looks + 1
    assert server.count("DELETE") == 0
    check_whole(server.world)


def test_a_new_subject_set_costs_no_looking_for_subjects(server, given):
    push(**given, yes=True)
    assert server.count("GET /api/subjects$") == 0


@pytest.mark.parametrize("kind", ["refuse", "lose", "cut", "status"])
@pytest.mark.parametrize("what", ["POST /api/subjects", "POST /api/subject_sets$", "PUT /storage",
                                  "links/subjects", "links/subject_sets", "extracts/import",
                                  "POST /api/projects/12/attached"])  # fmt: skip
def test_any_call_may_fail_and_each_subject_is_there_once(server, given, what, kind):
    server.trouble(what, kind, times=2)
    push(**given, yes=True)
    check_whole(server.world)
    assert len(server.world.subjects) == 3
    assert server.count("DELETE") == 0  # none was made twice and cleared away afterwards


def test_a_push_that_gives_up_goes_on_later(server, given, tmp_path):
    server.trouble("PUT /storage/subject", "status", status=503, times=99, skip=3)
    with pytest.raises(CrosspatchError, match="answered 503, 5 times; try again later"):
        push(**given, yes=True)
    assert server.world.workflow["links"]["subject_sets"] == []  # nobody sees half a push
    server.troubles.clear()
    push(**given, yes=True)
    check_whole(server.world)


def test_a_push_that_ended_while_a_subject_was_made_finds_it_again(server, given, monkeypatch):
    """As a killed process: the server made it, nobody heard the answer, nothing was written."""
    real = Connection.post

    def die_after(self, path, body, **more):
        answer = real(self, path, body, **more)
        if path == "subjects":
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(Connection, "post", die_after)
    for made in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            push(**given, yes=True)
        assert len(server.world.subjects) == made
    monkeypatch.setattr(Connection, "post", real)
    push(**given, yes=True)
    check_whole(server.world)
    assert server.count("POST /api/subjects$") == 3
    assert server.count("DELETE") == 0


def test_a_lost_answer_among_many_older_subjects_is_found(server, given):
    for number in range(1, 251):
        server.world.subjects[str(number)] = {
            "id": str(number), "metadata": {}, "locations": [], "links": {"project": PROJECT},
            "created_at": "2020-01-01T00:00:00Z",
        }  # fmt: skip
    server.trouble("POST /api/subjects", "lose", times=1)
    push(**given, yes=True)
    check_whole(server.world)
    assert server.count("GET /api/subjects$") <= 6  # and not all pages, each time


def test_a_subject_that_was_made_twice_is_deleted_once(server, given):
    """A server that makes a subject long after it hung up."""
    real = server.world.ids

    push_once = push(**given, yes=True)
    assert push_once.done.uploaded == 3
    first = next(iter(server.world.subjects.values()))
    double = first | {"id": str(next(real))}
    server.world.subjects[double["id"]] = double
    with Ledger(given["out"] / "ledger.jsonl") as ledger:
        ledger.note("doubt")
    made = push(**given, yes=True)
    assert any("1 subjects had been made twice" in one for one in made.said)
    check_whole(server.world)


@pytest.mark.parametrize("told_by", ["links", "members"])
def test_a_double_that_is_in_a_set_is_never_deleted(server, given, told_by):
    """People may have drawn on it."""
    push(**given, yes=True)
    first = next(iter(server.world.subjects.values()))
    double = first | {"id": str(next(server.world.ids))}
    server.world.subjects[double["id"]] = double
    if told_by == "links":
        double["links"] = {"project": PROJECT, "subject_sets": ["77"]}
    else:
        server.world.members["77", double["id"]] = 10
    with Ledger(given["out"] / "ledger.jsonl") as ledger:
        ledger.note("doubt")
    made = push(**given, yes=True)
    assert double["id"] in server.world.subjects
    assert not any("made twice" in one for one in made.said)


def subjects_csv(tmp_path, rows):
    path = tmp_path / "subjects.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("subject_id", "metadata", "locations"))
        table.writerows((number, json.dumps(metadata), "{}") for number, metadata in rows)
    return path


def older(server, number, name):
    """A subject that is on Zooniverse already, shown at half size."""
    picture = io.BytesIO()
    Image.new("RGB", (16, 12)).save(picture, "PNG")
    place = f"/storage/old/{number}"
    server.world.blobs[place], server.world.types[place] = picture.getvalue(), "image/png"
    server.world.subjects[number] = {
        "id": number, "metadata": {"Filename": f"{name}.tif", "depth": "3 m"},
        "locations": [{"image/png": f"{server.url}{place}"}],
        "links": {"project": PROJECT}, "created_at": "2020-01-01T00:00:00Z",
    }  # fmt: skip


def test_what_is_on_zooniverse_is_shown_again_not_uploaded(server, given, tmp_path):
    older(server, "501", NAMES[0])
    given["subjects"] = subjects_csv(tmp_path, [(501, {"Filename": f"{NAMES[0]}.tif"})])
    made = push(**given, yes=True)
    assert (made.done.uploaded, made.done.shown_again) == (2, 1)
    assert len(server.world.subjects) == 3
    metadata = server.world.subjects["501"]["metadata"]
    assert (metadata["#priority"], metadata["depth"]) == (10, "3 m")
    assert server.world.members[next(iter(server.world.sets)), "501"] == 10
    (mark,) = server.world.extracts["501", "machineLearnt"]["data"]
    assert (min(mark["pathX"]), max(mark["pathX"])) == (1.5, 7.5)  # in its own, smaller pixels


def test_only_what_the_queue_retires_is_retired(server, given, tmp_path):
    for number, name in zip(("501", "502"), NAMES, strict=False):
        older(server, number, name)
    make_queue(given["queue"], [(NAMES[0], "retire"), (NAMES[1], "people"), (NAMES[2], "retire"),
                                ("done", "labelled")])  # fmt: skip
    given["subjects"] = subjects_csv(
        tmp_path, [(501, {"Filename": f"{NAMES[0]}.tif"}), (502, {"Filename": f"{NAMES[1]}.tif"})]
    )
    made = push(**given, yes=True)
    assert server.world.retired == {"501": ["other"]}
    assert made.plan.left == [
        (NAMES[2], "can be retired, and is not on Zooniverse"), ("done", "has a mask already"),
    ]  # fmt: skip
    push(**given, yes=True)
    assert server.world.retired == {"501": ["other"]}


def test_subjects_deleted_on_zooniverse_are_said_and_the_others_go_on(server, given, tmp_path):
    older(server, "502", NAMES[1])
    make_queue(given["queue"], [(NAMES[0], "people"), (NAMES[1], "retire"), (NAMES[2], "retire")])
    rows = [(501, {"Filename": f"{NAMES[0]}.tif"}), (502, {"Filename": f"{NAMES[1]}.tif"}),
            (503, {"Filename": f"{NAMES[2]}.tif"})]  # fmt: skip
    given["subjects"] = subjects_csv(tmp_path, rows)
    made = push(**given, yes=True)
    assert f"{NAMES[0]}: its subject was deleted on Zooniverse" in made.said
    assert "subject 503 was deleted on Zooniverse" in made.said
    assert server.world.retired == {"502": ["other"]}


def test_a_new_subject_deleted_before_it_was_linked_is_said(server, given):
    server.trouble("links/subjects", "status", status=503, times=5)
    with pytest.raises(CrosspatchError):
        push(**given, yes=True)
    number = min(server.world.subjects)
    del server.world.subjects[number]
    made = push(**given, yes=True)
    assert f"subject {number} was deleted on Zooniverse" in made.said
    assert len(server.world.members) == 2


def test_a_priority_is_set_although_somebody_edits_the_subject(server, given, tmp_path):
    older(server, "501", NAMES[0])
    given["subjects"] = subjects_csv(tmp_path, [(501, {"Filename": f"{NAMES[0]}.tif"})])
    server.trouble("PUT /api/subjects/501", "status", status=412, times=2)
    push(**given, yes=True)
    assert server.world.subjects["501"]["metadata"]["#priority"] == 10


def test_names_of_several_subjects_are_not_guessed(tmp_path):
    path = subjects_csv(tmp_path, [(1, {"Filename": "a.tif"}), (2, {"file": "A.png"}), (3, {})])
    standing = plans.read_standing(path, WORKFLOW)
    assert standing.known == {"1": "1", "2": "2", "3": "3"}
    assert standing.ambiguous == {"a"}


def test_a_name_of_several_subjects_is_left_and_not_uploaded_yet_again(given, tmp_path):
    rows = [(number, {"Filename": f"{NAMES[0].upper()}.tif"}) for number in (501, 502)]
    rows += [(number, {"Filename": f"{NAMES[1]}.tif"}) for number in (503, 504)]
    given["subjects"] = subjects_csv(tmp_path, rows)
    make_queue(given["queue"], [(NAMES[0], "people"), (NAMES[1], "retire"), (NAMES[2], "people")])
    plan = push(**given, limit=1).plan
    assert [one.name for one in plan.new] == [NAMES[2]]
    assert plan.left == [
        (name, "stands for several subjects on Zooniverse") for name in (NAMES[0], NAMES[1])
    ]


def test_what_is_retired_in_this_workflow_is_not_said_to_be_shown_again(given, tmp_path):
    """A subject has a row a workflow, and is retired in each by itself."""
    path = tmp_path / "subjects.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("subject_id", "workflow_id", "metadata", "retired_at"))
        for number, workflow, name, retired in [
            (501, WORKFLOW, NAMES[0], "2026-01-01 00:00:00 UTC"),
            (501, 99, NAMES[0], ""),
            (502, WORKFLOW, NAMES[1], ""),
            (502, 99, NAMES[1], "2026-01-01 00:00:00 UTC"),
            (503, WORKFLOW, NAMES[2], "2026-01-01 00:00:00 UTC"),
        ]:
            table.writerow((number, workflow, json.dumps({"Filename": f"{name}.tif"}), retired))
    decisions = zip(NAMES, ("people", "people", "retire"), strict=True)
    make_queue(given["queue"], list(decisions))
    plan = push(**given, subjects=path).plan
    assert [(one.name, one.subject_id) for one in plan.older] == [(NAMES[1], "502")]
    assert plan.left == [(NAMES[0], "is retired in this workflow: take it back there first")]
    assert plan.retired == [(NAMES[2], "503")]


def test_it_is_said_which_files_would_be_uploaded(given, tmp_path):
    (tmp_path / "private").mkdir()
    secret = tmp_path / "private" / "letter.tif"
    (tmp_path / "images" / f"{NAMES[1]}.tif").rename(secret)
    table = tmp_path / "maps/predictions.csv"
    there = str(tmp_path / "images" / f"{NAMES[1]}.tif")
    table.write_text(table.read_text().replace(there, str(secret)))
    given["subjects"] = subjects_csv(tmp_path, [(501, {"Filename": f"{NAMES[2]}.tif"})])
    plan = push(**given).plan
    folders = f"{tmp_path / 'images'}, {tmp_path / 'private'}"
    assert f"images to upload are read from {folders}" in summary(plan)
    plans.write_plan(tmp_path / "plan.csv", plan)
    with (tmp_path / "plan.csv").open(newline="") as file:
        told = {row["name"]: (row["action"], row["file"]) for row in csv.DictReader(file)}
    assert told == {
        NAMES[0]: ("upload", str(tmp_path / "images" / f"{NAMES[0]}.tif")),
        NAMES[1]: ("upload", str(secret)),
        NAMES[2]: ("show again", ""),
    }
    make_queue(given["queue"], [(NAMES[2], "people")])
    assert not any("read from" in line for line in summary(push(**given).plan))


def test_a_project_or_workflow_without_rights_is_said(server, given):
    server.world.rights.clear()
    with pytest.raises(NotAllowedError, match="403"):
        push(**given, yes=True)
    with pytest.raises(NotAllowedError, match="no project 99 with a workflow"):
        push(**given | {"project": 99, "out": given["out"].with_name("p2")}, yes=True)
    server.world.workflow["links"]["project"] = "77"
    with pytest.raises(SettingsError, match="is not of project 12"):
        push(**given | {"out": given["out"].with_name("p3")}, yes=True)
    assert server.world.subjects == {}


def test_a_workflow_that_cannot_show_proposals_is_said(server, given):
    server.world.workflow["configuration"] = {}
    server.world.workflow["prioritized"] = False
    server.world.reducers.clear()
    made = push(**given, yes=True)
    text = "\n".join(made.said)
    assert "enable_caesar_data_fetching" in text
    assert "no reducer 'machineLearnt'" in text
    assert "set 'prioritized' on it" in text
    server.world.workflow["tasks"] = {}
    with pytest.raises(SettingsError, match="no freehand line tool"):
        push(**given, yes=True)
    assert push(**given, yes=True, proposals=False).done.proposals == 0


def test_another_push_needs_another_folder(server, given, tmp_path):
    push(**given, yes=True)
    with pytest.raises(CrosspatchError, match="holds a push with subject_set"):
        push(**given, subject_set="other", yes=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with pytest.raises(CrosspatchError, match=r"holds no push\.toml"):
        push(**given | {"out": tmp_path / "mine"}, yes=True)


def test_what_cannot_be_sent_is_said_before_anything_is(server, given, tmp_path):
    make_queue(given["queue"], [("nobody", "people"), (NAMES[0], "next"), (NAMES[1], "people")])
    (tmp_path / "images" / f"{NAMES[1]}.tif").rename(tmp_path / "elsewhere.tif")
    made = push(**given, limit=1)
    assert [one.name for one in made.plan.wanted] == [NAMES[0]]
    assert dict(made.plan.left) == {"nobody": "has no prediction", NAMES[1]: "beyond the limit"}
    (_, why) = push(**given).plan.left[-1]
    assert "is not there" in why
    (tmp_path / "moved").mkdir()
    (tmp_path / "elsewhere.tif").rename(tmp_path / "moved" / f"{NAMES[1]}.tif")
    assert [one.name for one in push(**given, images=tmp_path / "moved").plan.wanted] == [NAMES[1]]
    make_queue(given["queue"], [("nobody", "people")])
    with pytest.raises(InputError, match="nothing is to be sent"):
        push(**given)


def test_an_image_that_cannot_be_read_costs_no_other(server, given, tmp_path):
    (tmp_path / "images" / f"{NAMES[0]}.tif").write_bytes(b"II*\0 broken")
    made = push(**given, yes=True)
    assert any(one.startswith(f"{NAMES[0]}: left out") for one in made.said)
    check_whole(server.world, NAMES[1:])


def test_large_pictures_are_sent_as_jpeg(given, monkeypatch):
    monkeypatch.setattr(plans, "LARGEST_PNG", 100)
    media, size = plans.media_of(push(**given).plan.wanted[0])
    assert size == (24, 32)
    assert [mime for mime, _ in media] == ["image/jpeg", "image/jpeg"]
    assert Image.open(io.BytesIO(media[1][1])).format == "JPEG"


def test_a_torn_ledger_line_did_not_happen(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.note("begin", key="a")
        ledger.note("subject", key="a", id=5)
        ledger.note("begin", key="b")
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(b'{"what": "subject", "key": "b"')
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        assert (ledger.subjects, ledger.lost, ledger.doubts) == ({"a": "5"}, {"b"}, True)
        ledger.note("subject", key="b", id=6)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        assert ledger.lost == set()
    (tmp_path / "ledger.jsonl").write_text("nonsense\n")
    with pytest.raises(InputError, match="line 1"):
        Ledger(tmp_path / "ledger.jsonl")


def test_secrets_are_in_no_file_of_a_push(server, given, tmp_path, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    push(**given, yes=True)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    written += f"{caplog.text}{capsys.readouterr()}".encode()
    for secret in (PASSWORD, "signed-secret", *server.world.tokens):
        assert secret.encode() not in written


def test_proposals_never_go_to_a_caesar_of_another_server(server, given, monkeypatch):
    monkeypatch.delenv("CAESAR_ENDPOINT")
    with pytest.raises(CrosspatchError, match="set CAESAR_ENDPOINT"):
        push(**given, yes=True)
    assert server.world.subjects == {}


KILLED = """
import sys
from crosspatch.feedback.zooniverse.patience import Patience
from crosspatch.workflows.zooniverse import push, summary

quick = Patience(tries=8, first_wait=0.02, longest_wait=0.2, timeout=10)
maps, queue, out = sys.argv[1:]
push(maps, queue, project=12, workflow=34, out=out, yes=True, patience=quick)
"""


@pytest.mark.slow
def test_a_push_killed_ten_times_leaves_each_subject_exactly_once(server, tmp_path):
    """kill -9 at random places, by a server that also breaks lines: killed after so many calls."""
    names = [f"scene {number}" for number in range(12)]
    make_predictions(tmp_path / "maps", names)
    queue = make_queue(tmp_path / "queue.csv", [(name, "people") for name in names])
    command = [sys.executable, "-c", KILLED, tmp_path / "maps", queue, tmp_path / "push"]
    dice = random.Random(7)
    server.dice, server.rate = random.Random(8), 0.05
    kills = 0
    while kills < 10:
        stop_at = len(server.requests) + dice.randrange(4, 14)
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while process.poll() is None and len(server.requests) < stop_at:
            time.sleep(0.001)
        time.sleep(dice.random() * 0.02)
        process.kill()
        _, said = process.communicate()
        assert process.returncode < 0, said.decode()  # it was killed, and not done
        kills += 1
    server.rate = 0.0
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    check_whole(server.world, names)
    assert Counter(len(copies) for copies in by_key(server.world).values()) == {1: 12}


@pytest.mark.parametrize("seed", range(4))
def test_any_mixture_of_troubles_leaves_each_subject_exactly_once(server, given, seed):
    server.dice, server.rate = random.Random(seed), 0.3
    server.dice_kinds = ("refuse", "lose", "cut", "status")
    for _ in range(30):
        try:
            push(**given, yes=True)
            break
        except CrosspatchError:
            pass
    check_whole(server.world)


def test_a_stack_of_planes_is_no_picture_for_volunteers(given, tmp_path):
    table = tmp_path / "maps/predictions.csv"
    table.write_text(table.read_text().replace("24,32,1,", "24,32,9,", 1))
    assert push(**given).plan.left == [(NAMES[0], "is a stack of planes, which is no one picture")]
