"""The open questions can be asked as docs/how-to/study.md says: its commands, on small plans."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import tomlkit

from crosspatch.cli import main
from crosspatch.studies.outline import outline
from small_study import SIDE, plan_table, squares

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/study.md").read_text(encoding="utf-8")
TOLD = {
    "domain": "Which source helps which target?",
    "purity": "What do worse labels cost?",
    "task": "Outlines or clicks?",
}


@pytest.mark.parametrize(
    ("question", "runs"),
    [
        # Seeds times: sources; fractions times starts and baselines; twice the steps.
        ("domain", 3 * (2 + 2 * (3 + 2) + 1)),
        ("purity", 3 * (1 + 2 * (2 + 2) + 1)),
        ("task", 5 * (2 + 2 * (4 + 2) + 1)),
    ],
)
def test_the_shipped_plan_of_a_question_comes_to_its_runs_before_any_image_is_there(question, runs):
    made = outline(ROOT / f"configs/small/study-{question}.toml")
    assert len(made.runs) == runs
    assert not made.here


def blocks(question: str, kind: str) -> list[str]:
    """Blocks of code of one kind under the heading of a question."""
    text = re.split(r"\n##", PAGE.split(f"### {TOLD[question]}\n", 1)[1], maxsplit=1)[0]
    return re.findall(rf"```{kind}\n(.*?)```", text, flags=re.DOTALL)


def commands(question: str) -> list[str]:
    (typed,) = blocks(question, "console")
    return [line.removeprefix("$ ") for line in typed.splitlines()]


def shrink(path: Path) -> None:
    """Make a plan that is a matter of seconds; what it asks stays."""
    table, small = tomllib.loads(path.read_text(encoding="utf-8")), plan_table()
    kept = ("steps", "device", "precision", "baselines", "settings")
    table |= {key: small[key] for key in kept} | {"seeds": [0], "fractions": [1.0]}
    for one in (table["target"], *table["sources"].values()):
        one["size"] = SIDE
        one.pop("scale", None)
    path.write_text(tomlkit.dumps(table), encoding="utf-8")


def follow(folder: Path, lines: list[str]) -> None:
    """Do what the page says, one process at a time."""
    for line in lines:
        words = shlex.split(line)
        if words[0] != "crosspatch":
            subprocess.run(line, shell=True, cwd=folder, check=True)
            continue
        if words[1] == "study":
            shrink(folder / words[2])
        if "--workers" in words:
            words[words.index("--workers") + 1] = "1"
        assert main(words[1:]) == 0, line


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with the plans in it where the page says."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_which_source_helps_which_target(place):
    names = ("lakes", "cells", "people")
    for number, name in enumerate(names):
        squares(place / name, 16, 3 if name == "people" else 1, seed=number, test=4)
    plan = (ROOT / "configs/small/study-domain.toml").read_text(encoding="utf-8")
    for name in names[1:]:  # lakes and the other target change places
        text = plan.replace("lakes", "?").replace(name, "lakes").replace("?", name)
        (place / f"domain-{name}.toml").write_text(text, encoding="utf-8")
    follow(place, commands("domain"))
    html = (place / "studies/domains/report.html").read_text(encoding="utf-8")
    pairs = set(re.findall(r"<td>(\w+)</td><td>(\w+)</td><td>[+-]", html))
    assert pairs == {(one, other) for one in names for other in names if one != other}


@pytest.mark.slow
def test_what_worse_labels_cost(place):
    squares(place / "target", 16, 1, test=4)
    squares(place / "photos", 6, 3, seed=1, prefix="c")
    (code,) = blocks("purity", "python")
    exec(code, {})
    follow(place, commands("purity"))
    html = (place / "studies/purity/report.html").read_text(encoding="utf-8")
    assert "What do worse labels cost? target" in html
    pure = [
        float(one) for one in re.findall(r'<td class="number">([\d.]+)</td><td>photos</td>', html)
    ]
    assert len(pure) == 3
    assert pure == sorted(set(pure))
    assert pure[-1] == 1


@pytest.mark.slow
def test_outlines_or_clicks(place):
    squares(place / "target", 16, 1, test=4)
    squares(place / "source", 6, 3, seed=1, prefix="c")
    follow(place, commands("task"))
    html = (place / "studies/task/report.html").read_text(encoding="utf-8")
    assert {"outlines", "clicks", "outlines-encoder"} <= set(re.findall(r"<td>([\w-]+)</td>", html))
