"""What the runs of a study stand on: what of the data is not used, and what is not allowed."""

import shutil

import pytest

from crosspatch.errors import InputError, LeakError
from crosspatch.studies.ground import lay_ground
from crosspatch.studies.outline import outline
from crosspatch.studies.plan import read_plan
from crosspatch.training.samples import choose
from folders import half, save, write_toml
from small_study import SIDE, squares, write_plan


def laid(data, **changes):
    plan = write_plan(data, **changes)
    return lay_ground(read_plan(plan), plan, data / "out")


def unreadable(folder, *names):
    for name in names:
        (folder / f"images/{name}.png").write_bytes(b"no picture")


def test_images_of_the_target_that_cannot_be_used_are_said(data):
    unreadable(data / "grey", "s03", "s04", "s13")
    said = laid(data).said
    assert (
        "3 labelled images of grey left out (first: s03: images/s03.png: is not a PNG, JPEG or "
        "TIFF image)"
    ) in said
    assert not any(str(data) in one for one in said)


def test_so_they_are_where_folds_are_made(data):
    unreadable(data / "grey", "s03")
    said = laid(data, folds=4, sources=None).said
    assert any(one.startswith("1 labelled image of grey left out (s03: ") for one in said)


def test_images_of_a_source_and_what_was_assumed_of_it_are_said_once(data):
    unreadable(data / "colour", "c01")
    (data / "colour/splits.csv").unlink()
    save(data / "colour/masks/nobody.png", half(SIDE, SIDE))
    one = {"datasets": ["colour"], "size": SIDE}
    said = laid(data, sources={"photos": one, "again": one}).said
    left_out = [line for line in said if "left out" in line]
    assert [line.split(" (")[0] for line in left_out] == [
        "1 labelled image of photos left out", "1 file or row of photos left out",
        "1 labelled image of again left out", "1 file or row of again left out",
    ]  # fmt: skip
    assert "colour/masks/nobody.png" in left_out[1]
    assert sum("were chosen for training" in line for line in said) == 1


def test_data_that_is_all_used_needs_no_words(data):
    assert not any("left out" in one for one in laid(data).said)


def test_a_shared_image_is_named_as_people_know_it(data):
    squares(data / "more", 6, 1, prefix="m")  # the same pixels as six of the target's
    sources = {"more": {"datasets": ["more"], "size": SIDE}}
    with pytest.raises(LeakError, match=r"\(first: s00 of the target is m00 of the source\)"):
        laid(data, sources=sources)


def test_a_val_split_of_the_target_is_training_labels(data):
    table = data / "grey/splits.csv"
    rows = table.read_text(encoding="utf-8").splitlines()
    rows[1:5] = [row.replace("train", "val") for row in rows[1:5]]  # two groups of six
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    ground = laid(data, sources=None)
    assert sum("val split counts as training labels" in one for one in ground.said) == 1
    (crops,) = ground.folds
    spent = len(choose(crops, 0.5, 0.15, 0).subjects)
    assert spent == 6
    planned = outline(data / "study.toml")
    assert {run.labels for run in planned.runs if "-50-" in run.name} == {spent}
    assert planned.data[0].subjects == 12
    assert sum("val split counts as training labels" in one for one in planned.said) == 1


def test_sources_of_one_data_set_that_are_cut_alike_share_a_pack(data):
    one = {"datasets": ["colour"], "size": SIDE}
    clicks = one | {"settings": {"network": {"head": "presence"}}}
    shutil.copytree(data / "colour", data / "copied")
    sources = {
        "outlines": one, "clicks": clicks, "smaller": one | {"size": SIDE // 2},
        "copied": {"datasets": ["copied"], "size": SIDE},
    }  # fmt: skip
    packs = {name: crops.path for name, crops in laid(data, sources=sources).sources.items()}
    assert packs["outlines"] == packs["clicks"]
    assert len(set(packs.values())) == 3  # the copy is said by another name
    assert set((data / "out/crops").glob("source-*")) == set(packs.values())


@pytest.mark.parametrize("looked", [laid, lambda data: outline(write_plan(data))])
def test_a_source_of_several_classes_is_named_with_what_to_write_into_the_plan(data, looked):
    classes = {"background": 0, "droplet": 1, "tube": 2}
    write_toml(data / "colour", channels=["red", "green", "blue"], classes=classes)
    with pytest.raises(InputError) as caught:
        looked(data)
    said = str(caught.value)
    assert said.startswith("sources.colour: ")
    assert 'choose which one is the foreground (foreground = "NAME"): ' in said
    assert said.endswith("background, droplet, tube")
    assert "--foreground" not in said  # a study has no such flag


def test_the_class_that_a_source_names_is_what_it_is_trained_to_find(data):
    classes = {"background": 0, "droplet": 1, "tube": 2}
    write_toml(data / "colour", channels=["red", "green", "blue"], classes=classes)
    for number, name in enumerate(("c00", "c01")):
        save(data / f"colour/masks/{name}.png", half(SIDE, SIDE, value=1 + number))
    source = {"datasets": ["colour"], "size": SIDE, "foreground": "tube"}
    crops = laid(data, sources={"colour": source}).sources["colour"]
    shows = dict(zip(crops.table["subject"], (crops.masks == 1).any((1, 2)), strict=True))
    assert shows["c01"]
    assert not shows["c00"]
    with pytest.raises(InputError, match=r"^sources\.colour: .*'pipe'"):
        laid(data, sources={"colour": source | {"foreground": "pipe"}})
