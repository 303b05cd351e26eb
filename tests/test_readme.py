"""The README's tour works as it stands there, and the files that it leaves are documented."""

import json
import re
import shlex
from pathlib import Path

import pytest

from crosspatch.cli import main
from crosspatch.crops.generated import generate
from crosspatch.files import read_toml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FILES = (ROOT / "docs/reference/files.md").read_text(encoding="utf-8")

SMALLER = {
    "--steps": "3",
    "--training.batch": "2",
    "--network.width": "4",
    "--network.discriminator-width": "4",
}
"""What the test changes, for the sake of seconds; every other word is the README's."""


def tour() -> list[list[str]]:
    """The commands between the README's two marks, each as its words."""
    text = README.split("<!-- tour", 1)[1].split("<!-- end of tour", 1)[0]
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line]


def smaller(words: list[str]) -> list[str]:
    before = ["", *words]
    return [SMALLER.get(flag, word) for flag, word in zip(before, words, strict=False)]


def documented(heading: str) -> set[str]:
    """Keys in the first cells of the table under a heading of the files page."""
    text = re.split(r"\n#+ ", FILES.split(f"\n### {heading}\n", 1)[1], maxsplit=1)[0]
    cells = re.findall(r"^\| (.*?) \|", text, flags=re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


@pytest.fixture(scope="module")
def toured(tmp_path_factory):
    """A folder in which somebody has followed the README."""
    folder = tmp_path_factory.mktemp("tour")
    # Ten scenes: with fewer than four to train on, none is set aside and nothing is validated.
    generate("photos", folder / "lakes", subjects=20, per_scene=2, size=(80, 96), seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in tour():
            assert words[0] == "crosspatch"
            assert main(smaller(words[1:])) == 0, shlex.join(words)
    return folder


def test_the_tour_goes_from_checking_to_masks():
    assert [words[1] for words in tour()] == ["info", "prepare", "train", "evaluate", "predict"]


@pytest.mark.slow
def test_the_tour_ends_in_a_mask_for_every_image(toured):
    images = {path.stem for path in (toured / "lakes/images").iterdir()}
    assert {path.stem for path in (toured / "maps/masks").iterdir()} == images
    assert (toured / "scores.csv").read_text(encoding="utf-8").count("\n") >= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    ["lakes/dataset.toml", "lakes-crops/crops.toml", "runs/lakes/run.toml",
     "runs/lakes/model/model.toml", "maps/predictions.toml"],
)  # fmt: skip
def test_every_key_of_every_folder_is_documented(toured, file):
    undocumented = set(read_toml(toured / file)) - documented(Path(file).name) - {"format"}
    assert undocumented == set()


@pytest.mark.slow
def test_every_key_of_the_metrics_is_documented(toured):
    lines = (toured / "runs/lakes/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert set(json.loads(lines[-1])) == documented("metrics.jsonl")


def test_the_paragraph_for_python_is_python_and_uses_public_names():
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    compile(code, "README.md", "exec")
    import crosspatch

    assert set(re.findall(r"\bcp\.(\w+)", code)) <= set(crosspatch.__all__)
