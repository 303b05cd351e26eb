"""The tutorial of two rounds works as it stands there, command by command, only smaller."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import polars as pl
import pytest

from crosspatch.cli import main
from crosspatch.feedback.table import read_queue
from crosspatch.reviewing.desk import Desk
from crosspatch.reviewing.material import open_material
from crosspatch.reviewing.store import FOLDER, Store
from crosspatch.workflows.simulate_queue import Simulation

PAGE = (Path(__file__).parents[1] / "docs/tutorial/two-rounds.md").read_text(encoding="utf-8")
SMALLER = {"--steps": "2", "--rounds": "1", "--seeds": "1", "--count": "3"}
"""What the test changes in commands, for the sake of seconds."""


def block(kind):
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.M | re.DOTALL)
    return found


def commands():
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, flags=re.M | re.DOTALL)
    return [shlex.split(line) for one in blocks for line in one.splitlines() if line]


def smaller(words):
    before = ["", *words]
    return [SMALLER.get(flag, word) for flag, word in zip(before, words, strict=False)]


def accept_some():
    """Do in the page what the reader does: accept masks that do not go to the volunteers."""
    material = open_material("maps-1", queue="queue-1.csv")
    desk = Desk(material, Store(material.path / FOLDER, who="reader", model=material.model))
    later = {row.name for row in read_queue("queue-1.csv") if row.decision == "people"}
    numbers = [place for place, item in enumerate(material.items) if item.name in later][:2]
    for number in numbers:
        desk.decide(number, 0, "accepted", "")
    return len(numbers)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """A folder in which somebody has followed the tutorial."""
    folder = tmp_path_factory.mktemp("tutorial")
    script = block("python").replace("subjects=90", "subjects=30")
    script = script.replace("FIRST, VOLUNTEERS = 30, 7", "FIRST, VOLUNTEERS = 14, 3")
    script = script.replace("subjects=48, size=(128, 128)", "subjects=8, size=(64, 64)")
    script = script.replace("size=(128, 128)", "size=(64, 64)")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("make_project.py").write_text(script, encoding="utf-8")
        settings = block("toml").replace("= 16", "= 4").replace("batch = 8", "batch = 2")
        Path("small.toml").write_text(settings, encoding="utf-8")
        for words in commands():
            if words[0] == "python":
                patch.setattr(sys, "argv", words[1:])
                runpy.run_path(words[1], run_name="__main__")
            elif words[1] == "review" and "--out" not in words:
                accept_some()  # the page itself is tested in a browser
            else:
                assert main(smaller(words[1:])) == 0, shlex.join(words)
    return folder


@pytest.mark.slow
def test_it_goes_round_twice(followed):
    first, second = (pl.read_csv(followed / f"scores-{number}.csv") for number in (1, 2))
    assert first["subject"].to_list() == second["subject"].to_list()
    asked = {row.name for row in read_queue(followed / "queue-1.csv") if row.decision == "next"}
    outlined = set(pl.read_csv(followed / "kelp-2/subjects.csv")["file"].str.split(".").list[0])
    assert len(asked) == 3
    assert asked <= outlined
    assert len(outlined) == 14 + 3
    waiting = {row.name for row in read_queue(followed / "queue-2.csv") if row.status == "open"}
    assert not asked & waiting


@pytest.mark.slow
def test_what_was_accepted_is_learned_from(followed):
    subjects = pl.read_csv(followed / "kelp-2-crops/subjects.csv")
    assert subjects.filter(pl.col("subject").str.starts_with("reviewed")).height == 2


@pytest.mark.slow
def test_it_ends_with_a_curve(followed):
    simulation = Simulation(followed / "choosing")
    assert simulation.finished
    assert simulation.said


def test_the_journey_of_the_page():
    tour = [words[1] for words in commands() if words[0] == "crosspatch"]
    assert tour.count("consensus") == 2
    assert {"train", "evaluate", "queue", "predict", "review"} <= set(tour)
