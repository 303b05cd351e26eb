import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import crosspatch as cp
from crosspatch.crops import Crops
from crosspatch.dataset import Dataset
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.workflows.import_coco_stuff import import_coco_stuff
from crosspatch.workflows.prepare import prepare
from folders import half, make, noise, save, write_splits, write_toml


def test_takes_a_path_a_string_or_a_data_set(tmp_path):
    folder = make(tmp_path / "kelp")
    prints = {
        prepare(given, recipe="windows", size=16, out=tmp_path / f"crops{number}").fingerprint
        for number, given in enumerate([folder, str(folder), Dataset.open(folder), [folder]])
    }
    assert len(prints) == 1


def test_takes_several_data_sets(tmp_path):
    make(tmp_path / "north")
    for number, name in enumerate("abcdef"):
        save(make(tmp_path / "south") / f"images/{name}.png", noise(50 + number))
    for number, name in enumerate("abcdef"):
        save(tmp_path / f"south/images/{name}.png", noise(50 + number))
    crops = prepare([tmp_path / "north", tmp_path / "south"], recipe="windows", size=16,
                    out=tmp_path / "crops")  # fmt: skip
    assert len(crops.subjects["subject"]) == 12
    assert set(crops.subjects["split"][crops.subjects["subject"] == "south/f"]) == {"test"}


def test_the_public_name_is_this_function():
    assert cp.prepare is prepare
    assert cp.import_coco_stuff is import_coco_stuff
    assert cp.Crops is Crops


@pytest.mark.parametrize("out", ["kelp", "."])
def test_crops_never_replace_the_data_set_they_are_cut_from(tmp_path, out):
    folder = make(tmp_path / "kelp")
    before = sorted(folder.rglob("*"))
    with pytest.raises(CrosspatchError, match="would replace it"):
        prepare([folder], recipe="windows", size=16, out=tmp_path / out, overwrite=True)
    assert sorted(folder.rglob("*")) == before


def test_settings_reach_the_recipe(tmp_path):
    folder = make(tmp_path / "kelp")
    crops = prepare(
        folder, recipe="windows", out=tmp_path / "crops", size=8, overlap=0.5, scale=0.5
    )
    assert crops.recipe.size == 8
    assert crops.recipe.resize.factor == 0.5
    assert crops.images.shape[0] == 6 * 2 * 2  # 10 x 12, stride 4


def test_a_class_is_chosen_also_for_an_open_data_set(tmp_path):
    folder = make(tmp_path / "land", value=3)
    write_toml(folder, classes={"town": 1, "water": 3})
    with pytest.raises(InputError, match="town, water"):
        prepare(folder, recipe="windows", size=16, out=tmp_path / "crops")
    opened = Dataset.open(folder, foreground="water")
    water = prepare(opened, recipe="windows", size=16, out=tmp_path / "water")
    town = prepare(opened, recipe="windows", size=16, out=tmp_path / "town", foreground="town")
    assert (np.asarray(water.masks) == 1).any()
    assert not (np.asarray(town.masks) == 1).any()


def test_the_seed_splits_what_has_no_table(tmp_path):
    folder = make(tmp_path / "kelp", "abcdefghij", splits=False)
    crops = prepare(folder, recipe="windows", size=16, out=tmp_path / "crops", seed=7)
    tested = crops.subjects["subject"][crops.subjects["split"] == "test"]
    assert tested.tolist() == ["f", "g", "h"]
    assert any("seed 7" in said for said in crops.said)


def test_nothing_to_prepare_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="at least one"):
        prepare([], recipe="windows", out=tmp_path / "crops")


def test_the_recipe_is_checked_before_anything_is_read(tmp_path):
    with pytest.raises(SettingsError, match="Did you mean windows"):
        prepare(make(tmp_path / "kelp"), recipe="window", out=tmp_path / "crops")


def test_overwrite_makes_the_same_crops_again(tmp_path):
    folder, told = make(tmp_path / "kelp"), []
    for overwrite in (False, False, True):
        prepare(folder, recipe="windows", size=16, out=tmp_path / "crops", overwrite=overwrite,
                progress=lambda *step: told.append(step))  # fmt: skip
    assert told.count(("packing", 6, 6)) == 2


@pytest.mark.parametrize("workers", [0, -1])
def test_no_worker_is_refused_before_anything_is_read(tmp_path, workers):
    with pytest.raises(SettingsError, match=f"--workers {workers}: at least one"):
        prepare(tmp_path / "nowhere", recipe="windows", out=tmp_path / "crops", workers=workers)


@pytest.mark.slow
def test_a_killed_process_leaves_no_pack_and_a_second_run_makes_it(tmp_path):
    folder = tmp_path / "kelp"
    names = [f"s{number:03d}" for number in range(60)]
    for number, name in enumerate(names):
        save(folder / f"images/{name}.png", noise(number, (3, 300, 300)))
        save(folder / f"masks/{name}.png", half(300, 300))
    write_splits(folder, [(name, "train", name) for name in names])
    code = (
        "import sys, time\n"
        "from crosspatch.workflows.prepare import prepare\n"
        "def told(what, done, total):\n"
        "    print(done, flush=True)\n"
        "    time.sleep(0.05)\n"
        "prepare(sys.argv[1], recipe='windows', out=sys.argv[2], progress=told)\n"
    )
    out = tmp_path / "crops"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while process.stdout.readline().strip() != "20":
        assert process.poll() is None
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    process.stdout.close()
    assert not out.exists()
    start = time.monotonic()
    assert len(prepare(folder, recipe="windows", out=out)) == 60 * 4
    assert time.monotonic() - start < 60
