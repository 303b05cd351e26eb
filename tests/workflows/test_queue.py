"""The queue of a data set: who needs people, who is retired, and what must never be believed."""

import csv
import tomllib

import numpy as np
import pytest
import torch
from PIL import Image

from crosspatch.cli import main
from crosspatch.config import NetworkSettings
from crosspatch.dataset import Dataset
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.models.discriminator import Discriminator
from crosspatch.models.storage import save_weights
from crosspatch.workflows.info import info
from crosspatch.workflows.queue import Queue, queue
from folders import save, write_splits, write_toml
from pixelwise import save_pixelwise_model

BINARY = {"background": [0], "foreground": [1], "ignored": [255]}
SIDE = 16


def image(seed, contrast=90):
    """Kelp in the upper half, ``contrast`` above or below the model's cut at a red of 100."""
    pixels = np.random.default_rng(seed).integers(0, 5, (3, SIDE, SIDE)) + 97
    pixels[0, : SIDE // 2] += contrast
    pixels[0, SIDE // 2 :] -= contrast
    return np.clip(pixels, 0, 250).astype(np.uint8)


def truth():
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[: SIDE // 2] = 1
    return mask


def kelp(path, *, sure=4, unsure=3, held=30, wrong=0, per_group=1):
    """Open subjects that are clear or murky, and labelled ones of which some masks are wrong."""
    rows = []
    for number in range(sure):
        save(path / f"images/sure{number}.png", image(number))
    for number in range(unsure):
        save(path / f"images/unsure{number}.png", image(100 + number, contrast=6 + number))
    for number in range(held):
        name = f"held{number:02}"
        save(path / f"images/{name}.png", image(200 + number))
        save(path / f"masks/{name}.png", 1 - truth() if number < wrong else truth())
        rows.append((name, "test", f"scene{number // per_group}"))
    write_splits(path, rows)
    write_toml(path, channels=["red", "green", "blue"], mask_values=BINARY,
               classes={"sea": 0, "kelp": 1})  # fmt: skip
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_pixelwise_model(tmp_path_factory.mktemp("models") / "model")


def decisions(made):
    return {row.name: row.decision for row in made.rows}


def test_clear_subjects_are_retired_and_murky_ones_are_for_people(model, tmp_path):
    made = queue(model, kelp(tmp_path / "kelp"), out=tmp_path / "queue.csv", count=1)
    assert decisions(made) | {"unsure0": "next"} == decisions(made)
    assert {name for name, one in decisions(made).items() if one == "people"} == {
        "unsure1", "unsure2",
    }  # fmt: skip
    assert {name for name, one in decisions(made).items() if one == "retire"} == {
        f"sure{number}" for number in range(4)
    }
    assert made.count("labelled") == 30
    assert "of 30 such held-out subjects in 30 groups, 0 had" in made.retirement
    first = made.rows[0]
    assert (first.rank, first.priority, first.status) == (1, 1, "open")
    assert first.foreground == 0.5
    assert first.file == "images/unsure0.png"
    assert (Dataset.open(tmp_path / "kelp").path / first.file).exists()


def test_the_folder_says_what_the_queue_rests_on(model, tmp_path):
    made = queue(model, kelp(tmp_path / "kelp"), out=tmp_path / "queue.csv", count=1)
    table = tomllib.loads((tmp_path / "queue.toml").read_text(encoding="utf-8"))
    assert table["decisions"] == {"next": 1, "people": 2, "retire": 4, "labelled": 30}
    assert table["retirement"]["failures"] == 0
    assert table["retirement"]["bound"] == pytest.approx(1 - 0.05 ** (1 / 30))
    assert table["model_fingerprint"] == model.fingerprint
    assert Image.open(made.sheet).width > 4 * 256
    assert [row.name for row in Queue(tmp_path / "queue.csv").rows] == [r.name for r in made.rows]


def test_info_says_what_a_queue_holds(model, tmp_path):
    made = queue(model, kelp(tmp_path / "kelp"), out=tmp_path / "queue.csv", count=1)
    found = info(tmp_path / "queue.csv")
    assert found.kind == "queue"
    facts = found.facts
    assert (facts["subjects"], facts["next"], facts["retire"], facts["labelled"]) == (37, 1, 4, 30)
    assert facts["first"].startswith("unsure0: ")
    assert facts["retirement"] == made.retirement
    (tmp_path / "queue.toml").unlink()
    assert info(tmp_path / "queue.csv").facts["retirement"] == "queue.toml is missing"
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="is no queue"):
        info(tmp_path / "other.csv")


def test_nothing_is_retired_where_the_model_is_wrong_too_often(model, tmp_path):
    made = queue(model, kelp(tmp_path / "kelp", wrong=3), out=tmp_path / "queue.csv")
    assert made.count("retire") == 0
    assert made.retirement.startswith("nothing is retired: of the ")
    assert "threshold" not in made.table["retirement"]


def test_nothing_is_retired_on_the_word_of_a_few_scenes(model, tmp_path):
    made = queue(model, kelp(tmp_path / "kelp", per_group=2), out=tmp_path / "queue.csv")
    assert made.count("retire") == 0
    assert "come from 15 groups" in made.retirement


def test_subjects_of_the_training_never_calibrate(tmp_path):
    data = Dataset.open(kelp(tmp_path / "kelp", held=32, per_group=2))
    trained = {data.content(one) for one in data.labelled if one.name == "held00"}
    model = save_pixelwise_model(tmp_path / "m", contents=frozenset(trained))
    made = queue(model, data, out=tmp_path / "queue.csv")
    # held00 was trained on, and held01 is of its scene
    assert made.table["retirement"]["subjects"] == 30
    assert [row.status for row in made.rows if row.name == "held00"] == ["trained"]
    assert "trained on it" in next(row.reason for row in made.rows if row.name == "held00")


def test_a_subject_whose_label_was_removed_was_trained_on_all_the_same(tmp_path):
    data = Dataset.open(kelp(tmp_path / "kelp"))
    seen = {data.content(one) for one in data.subjects if one.name == "unsure0"}
    model = save_pixelwise_model(tmp_path / "m", source_contents=frozenset(seen))
    made = queue(model, data, out=tmp_path / "queue.csv")
    assert decisions(made)["unsure0"] == "labelled"


class TestVotes:
    def voted(self, path, *, retired="no"):
        data = kelp(path, sure=2, unsure=0)
        (data / "subjects.csv").write_text(
            f"name,voters,retired\nsure0,4,{retired}\nsure1,4,no\nheld00,,\n", encoding="utf-8"
        )
        save(data / "votes/sure0.png", truth() * 3)
        save(data / "votes/sure1.png", (1 - truth()) * 4)
        save(data / "masks/sure1.png", 1 - truth())
        return data

    def test_the_volunteers_contradict_the_model(self, model, tmp_path):
        made = queue(model, self.voted(tmp_path / "kelp"), out=tmp_path / "queue.csv", count=0)
        rows = {row.name: row for row in made.rows}
        assert rows["sure0"].disagreement == pytest.approx(0.25)
        assert rows["sure1"].disagreement == 1.0
        assert rows["sure0"].decision == "retire"
        assert rows["sure1"].decision == "people"
        assert "people and model differ (disagreement 1.00)" in rows["sure1"].reason

    def test_a_subject_that_is_still_shown_is_open_though_it_has_a_mask(self, model, tmp_path):
        made = queue(model, self.voted(tmp_path / "kelp"), out=tmp_path / "queue.csv")
        rows = {row.name: row for row in made.rows}
        assert rows["sure1"].status == "open"
        assert made.table["retirement"]["subjects"] == 30  # an unfinished mask proves nothing

    def test_one_that_is_still_shown_is_open_though_the_model_was_trained_on_it(self, tmp_path):
        data = Dataset.open(self.voted(tmp_path / "kelp"))
        told = {data.content(one) for one in data.subjects if one.name in ("sure0", "held00")}
        model = save_pixelwise_model(tmp_path / "m", contents=frozenset(told))
        made = queue(model, data, out=tmp_path / "queue.csv", count=0)
        rows = {row.name: row for row in made.rows}
        assert (rows["sure0"].status, rows["sure0"].decision) == ("open", "people")
        assert rows["sure0"].reason == (
            "volunteers are not done, and the model was trained on what they had so far"
        )
        assert rows["held00"].status == "trained"
        assert made.table["retirement"]["subjects"] == 29  # not held00, and no open one

    def test_what_volunteers_are_done_with_is_done(self, tmp_path):
        data = Dataset.open(self.voted(tmp_path / "kelp", retired="yes"))
        told = {data.content(one) for one in data.subjects if one.name == "sure0"}
        model = save_pixelwise_model(tmp_path / "m", contents=frozenset(told))
        made = queue(model, data, out=tmp_path / "queue.csv", count=0)
        row = next(row for row in made.rows if row.name == "sure0")
        assert (row.status, row.decision) == ("trained", "labelled")

    def test_more_votes_than_voters_cost_that_subject_only(self, model, tmp_path):
        data = self.voted(tmp_path / "kelp")
        save(data / "votes/sure0.png", truth() * 9)
        made = queue(model, data, out=tmp_path / "queue.csv")
        assert [name for name, _ in made.skipped] == ["sure0"]
        assert "counts 9 votes on a pixel, but subjects.csv says that 4" in made.skipped[0][1]


def test_the_discriminators_verdict_is_the_mean_over_patches(tmp_path):
    network = NetworkSettings(width=4, depth=2, discriminator_width=1, discriminator_layers=1)
    model = save_pixelwise_model(tmp_path / "m", network=network)
    judge = Discriminator(4, 1, 1)
    with torch.no_grad():
        for parameter in judge.parameters():
            parameter.zero_()
        judge.blocks[-1].bias.fill_(np.log(3))
    save_weights(model.path / "discriminator.safetensors", judge)
    made = queue(model, kelp(tmp_path / "kelp"), out=tmp_path / "queue.csv", by="verdict",
                 precision="fp32")  # fmt: skip
    assert {round(row.verdict, 5) for row in made.rows} == {0.75}


def test_a_model_without_a_discriminator_says_so(model, tmp_path):
    data = kelp(tmp_path / "kelp", held=2)
    made = queue(model, data, out=tmp_path / "queue.csv")
    assert "the model has no discriminator: there is no verdict on its masks" in made.said
    with pytest.raises(SettingsError, match="--by verdict needs a discriminator"):
        queue(model, data, out=tmp_path / "other.csv", by="verdict")
    assert not (tmp_path / "other.csv").exists()


def test_where_all_are_labelled_a_second_look_is_offered(model, tmp_path):
    data = kelp(tmp_path / "kelp", sure=0, unsure=0, held=6, wrong=1)
    made = queue(model, data, out=tmp_path / "queue.csv", count=1)
    assert any("need a second look" in said for said in made.said)
    assert made.rows[0].name == "held00"
    assert made.rows[0].disagreement == 1.0


def test_one_bad_image_costs_no_other(model, tmp_path):
    data = kelp(tmp_path / "kelp", held=2)
    (data / "images/sure0.png").write_bytes(b"no picture")
    save(data / "images/sure1.png", image(1)[:1])
    save(data / "masks/held00.png", truth()[:4])
    made = queue(model, data, out=tmp_path / "queue.csv")
    assert sorted(name for name, _ in made.skipped) == ["held00", "sure0", "sure1"]
    assert len(made.rows) == 6


def test_where_nothing_can_be_measured_nothing_is_written(model, tmp_path):
    data = kelp(tmp_path / "kelp", sure=1, unsure=0, held=0)
    (data / "images/sure0.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="no subject could be measured"):
        queue(model, data, out=tmp_path / "queue.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kelp"]


def test_what_stands_there_is_kept_unless_told_otherwise(model, tmp_path):
    data = kelp(tmp_path / "kelp", held=2)
    (tmp_path / "queue.toml").write_text("mine")
    with pytest.raises(CrosspatchError, match="exists already"):
        queue(model, data, out=tmp_path / "queue.csv")
    assert (tmp_path / "queue.toml").read_text() == "mine"
    queue(model, data, out=tmp_path / "queue.csv", overwrite=True)
    assert (tmp_path / "queue.toml").read_text() != "mine"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"out": "queue.txt"}, "ends in .csv"),
        ({"by": "magic"}, "--by magic: choose need"),
        ({"count": -1}, "cannot be negative"),
    ],
)
def test_wrong_settings_are_refused(model, tmp_path, settings, message):
    with pytest.raises(SettingsError, match=message):
        queue(model, tmp_path, **{"out": tmp_path / "queue.csv"} | settings)


def test_the_command_prints_who_comes_first_and_why(model, tmp_path, capsys):
    data = kelp(tmp_path / "kelp", held=29)
    out = tmp_path / "queue.csv"
    assert main(["queue", str(model.path), str(data), "--out", str(out), "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert "unsure0" in printed
    assert "3 next, 0 people, 4 retire, 29 labelled" in printed.replace("\n", " ")
    with out.open(newline="", encoding="utf-8") as file:
        assert all(row["reason"] for row in csv.DictReader(file))
