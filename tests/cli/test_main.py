"""The command line, in process: exit codes, one message an error, JSON, help that costs nothing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from crosspatch import Crops
from crosspatch.cli import _COMMANDS, main
from folders import half, make, noise, save


@pytest.fixture
def small_dataset(tmp_path):
    """Nine subjects of 20 x 24 pixels, six of them for training."""
    return make(tmp_path / "small", "abcdefghi")


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in (*_COMMANDS, "import"):
        assert name in shown


@pytest.mark.parametrize("command", ["prepare", "train", "evaluate", "predict", "info", "demo"])
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert "Usage: crosspatch " + command in capsys.readouterr().out


def test_a_misspelt_flag_is_a_usage_error_with_a_suggestion(capsys):
    assert main(["train", "crops", "--ot", "run"]) == 2
    captured = capsys.readouterr()
    assert "--out" in captured.out + captured.err


def test_an_unknown_command_is_a_usage_error(capsys):
    assert main(["trian"]) == 2
    captured = capsys.readouterr()
    assert "train" in captured.out + captured.err


def test_a_missing_argument_is_a_usage_error(capsys):
    assert main(["prepare", "somewhere", "--out", "x"]) == 2
    captured = capsys.readouterr()
    assert "--recipe" in captured.out + captured.err


def test_an_error_is_one_message_without_a_traceback(tmp_path, capsys):
    assert main(["info", str(tmp_path / "nothing")]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("crosspatch: ")
    assert "does not exist" in captured.err
    assert "Traceback" not in captured.err


def test_a_misspelt_setting_is_refused_with_a_suggestion(tmp_path, capsys):
    config = tmp_path / "mine.toml"
    config.write_text("[training]\nepoch = 2\n")
    assert main(
        ["train", str(tmp_path), "--out", str(tmp_path / "r"), "--config", str(config)]
    ) in (1,)
    assert "training.epochs" in capsys.readouterr().err


def test_prepare_train_evaluate_predict_and_info_through_the_command_line(
    small_dataset, tmp_path, capsys
):
    crops, run = tmp_path / "crops", tmp_path / "run"
    assert main(["prepare", str(small_dataset), "--recipe", "windows", "--size", "32",
                 "--out", str(crops), "--json"]) == 0  # fmt: skip
    packed = json.loads(capsys.readouterr().out)
    assert packed["count"] == len(Crops.open(crops))
    assert main(["train", str(crops), "--out", str(run), "--steps", "4", "--seed", "1",
                 "--network.width", "4", "--network.depth", "3",
                 "--network.discriminator-width", "4", "--training.batch", "2",
                 "--training.threads", "1", "--quiet", "--json"]) == 0  # fmt: skip
    trained = json.loads(capsys.readouterr().out)
    assert trained["model"] == str(run / "model")
    assert main(["evaluate", str(run / "model"), str(small_dataset), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["methods"][0]["subjects"]
    assert main(["predict", str(run / "model"), str(small_dataset), "--out",
                 str(tmp_path / "maps")]) == 0  # fmt: skip
    assert any((tmp_path / "maps" / "masks").iterdir())
    for path in (small_dataset, crops, run, run / "model", tmp_path / "maps"):
        capsys.readouterr()
        assert main(["info", str(path)]) == 0
        assert str(path) in capsys.readouterr().out


def test_prepare_says_what_of_the_data_it_did_not_use(small_dataset, tmp_path, capsys):
    save(small_dataset / "images/new.png", noise(40))
    save(small_dataset / "images/later.png", noise(41))
    save(small_dataset / "masks/later.png", half())
    save(small_dataset / "masks/orphan.png", half())
    command = ["prepare", str(small_dataset), "--recipe", "windows", "--size", "32",
               "--out", str(tmp_path / "crops"), "--quiet"]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "orphan.png: mask without an image" in said
    assert "1 labelled, but in no split" in said
    assert "1 without a mask" in said
    assert main([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["unlabelled"], result["unplaced"]) == (1, 1)
    assert "orphan.png" in result["problems"][0]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--out", "run"], "--out"),
        (["--precision", "fp32", "--epochs", "9"], "--epochs, --precision"),
        (["--devices", "1"], "--devices"),
        (["--overwrite"], "--overwrite"),
        (["--training.generator-rate", "1e-4"], "--training.*"),
    ],
)
def test_resume_takes_nothing_else(tmp_path, capsys, flags, named):
    assert main(["train", "--resume", str(tmp_path), *flags, "--quiet"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith(f"as it was set up: leave out {named}")


def test_info_lists_every_problem_and_ends_with_1(small_dataset, capsys):
    (small_dataset / "images" / "broken.png").write_bytes(b"no image")
    (small_dataset / "masks" / "alone.png").write_bytes(b"no image")
    assert main(["info", str(small_dataset)]) == 1
    captured = capsys.readouterr()
    assert "broken.png" in captured.out
    assert "alone.png" in captured.out


@pytest.mark.parametrize(
    "words",
    [
        ["info", "."],
        ["import", "coco-stuff", "--images", "a", "--pixelmaps", "b", "--label", "person",
         "--out", "c"],
    ],
)  # fmt: skip
def test_ctrl_c_is_said_and_ends_with_1(monkeypatch, capsys, words):
    from crosspatch.cli import data

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "progress_bars", interrupted)
    monkeypatch.setitem(sys.modules, "crosspatch.cli.data", data)
    assert main(words) == 1
    assert capsys.readouterr().err == "interrupted\n"


_PREPARE = """
import sys, time
from crosspatch.cli import main
from crosspatch.crops import packing
packing._write = lambda *_: time.sleep(120)
sys.exit(main(["prepare", *sys.argv[1:], "--recipe", "windows", "--out", "crops"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")
def test_prepare_that_is_told_to_end_leaves_nothing_behind(small_dataset, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", _PREPARE, small_dataset], cwd=tmp_path, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".crops.partial-*/*")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    assert process.communicate(timeout=60)[1] == b"interrupted\n"
    assert process.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_training_that_is_told_to_end_finishes_its_step(
    small_dataset, tmp_path, capsys, monkeypatch
):
    from crosspatch.training import loop

    step = loop._step

    def told(*args):
        signal.raise_signal(signal.SIGTERM)
        return step(*args)

    crops, run = str(tmp_path / "crops"), str(tmp_path / "run")
    assert main(["prepare", str(small_dataset), "--recipe", "windows", "--size", "32",
                 "--out", crops, "--quiet"]) == 0  # fmt: skip
    monkeypatch.setattr(loop, "_step", told)
    assert main(["train", crops, "--out", run, "--steps", "4", "--network.width", "4",
                 "--network.depth", "3", "--network.discriminator-width", "4",
                 "--training.batch", "2", "--training.threads", "1", "--quiet"]) == 1  # fmt: skip
    assert "stopped after step 1 of 4" in " ".join(capsys.readouterr().err.split())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_program_that_hears_sigterm_itself_goes_on_hearing_it(monkeypatch):
    def mine(number, frame):
        heard.append(number)

    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, mine)
    try:
        monkeypatch.setattr(
            "crosspatch.cli.build_app", lambda: lambda _: signal.raise_signal(signal.SIGTERM)
        )
        assert main([]) == 0
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_a_bug_keeps_its_traceback(monkeypatch, tmp_path):
    from crosspatch.cli import data

    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(data, "progress_bars", broken)
    monkeypatch.setitem(sys.modules, "crosspatch.cli.data", data)
    with pytest.raises(ZeroDivisionError):
        main(["info", str(tmp_path)])
