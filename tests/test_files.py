"""Files and folders are written whole or not at all, and names stay inside their folder."""

import errno
import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crosspatch import files
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.files import (
    fingerprint_bytes,
    fingerprint_file,
    inside,
    locked,
    new_folder,
    read_toml,
    refuse_existing,
    refuse_inputs_inside,
    resumed_folder,
    to_json,
    write_bytes,
    write_text,
    write_toml,
)


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden things too."""
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def fill(out, name, failure=None, **how):
    """Make a new folder with one file in it; with ``failure``, fail after writing it."""
    with new_folder(out, kind="crops", **how) as folder:
        write_toml(folder / "crops.toml", {}, says="Packed crops.")
        (folder / name).write_text(name)
        if failure is not None:
            raise failure


# Files


def test_a_file_is_written_with_its_missing_folders(tmp_path):
    write_bytes(tmp_path / "a" / "b.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"\x00\xff"
    assert names(tmp_path / "a") == ["b.bin"]


def test_files_in_a_folder_in_the_making_do_not_wait_for_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with new_folder(tmp_path / "set", kind="dataset") as folder:
        write_bytes(folder / "masks" / "a.png", b"x")
    assert (tmp_path / "set" / "masks" / "a.png").read_bytes() == b"x"
    with pytest.raises(CrosspatchError, match="could not be written"):
        write_bytes(tmp_path / "b.png", b"x")


def test_a_full_disk_in_a_folder_in_the_making_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with (
        pytest.raises(CrosspatchError, match="No space left"),
        new_folder(tmp_path / "set", kind="dataset") as folder,
    ):
        write_bytes(folder / "a.png", b"x")
    assert names(tmp_path) == []


def test_text_is_utf8_with_its_newlines_as_given(tmp_path):
    write_text(tmp_path / "t.txt", "kelp ± 1\r\nforêt\n")
    assert (tmp_path / "t.txt").read_bytes() == "kelp ± 1\r\nforêt\n".encode()


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    write_text(path, "old")
    monkeypatch.setattr(files.os, "fsync", full_disk)
    with pytest.raises(CrosspatchError, match=r"scores\.csv: could not be written \(No space"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["scores.csv"]


def test_ctrl_c_while_writing_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    write_text(path, "old")

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["scores.csv"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always-full device")
def test_a_disk_that_is_really_full_is_said_so(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_partial_sibling", lambda _: Path("/dev/full"))
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # never remove the device itself
    with pytest.raises(CrosspatchError, match="No space left on device"):
        write_bytes(tmp_path / "a.bin", b"x")
    assert names(tmp_path) == []


# Folders


def test_a_new_folder_appears_only_when_it_is_complete(tmp_path):
    out = tmp_path / "crops"
    with new_folder(out, kind="crops") as folder:
        (folder / "crops.csv").write_text("whole")
        assert not out.exists()
        assert folder.parent == tmp_path
    assert (out / "crops.csv").read_text() == "whole"
    assert names(tmp_path) == ["crops"]


@pytest.mark.parametrize("failure", [ValueError("bug"), KeyboardInterrupt()])
def test_a_failure_leaves_no_folder_and_no_litter(tmp_path, failure):
    with pytest.raises(type(failure)):
        fill(tmp_path / "crops", "half.csv", failure)
    assert names(tmp_path) == []


def test_a_full_disk_while_filling_is_an_error_for_people(tmp_path):
    with (
        pytest.raises(CrosspatchError, match=r"crops: could not be written .*No space left"),
        new_folder(tmp_path / "crops", kind="crops"),
    ):
        full_disk()
    assert names(tmp_path) == []


def test_an_existing_folder_is_kept_unless_overwrite_is_said(tmp_path):
    out = tmp_path / "crops"
    fill(out, "old.csv")
    with pytest.raises(CrosspatchError, match="add --overwrite"), new_folder(out, kind="crops"):
        pytest.fail("the body must not run")
    assert names(out) == ["crops.toml", "old.csv"]
    fill(out, "new.csv", overwrite=True)
    assert names(out) == ["crops.toml", "new.csv"]
    assert names(tmp_path) == ["crops"]


def test_a_failed_overwrite_keeps_the_old_folder(tmp_path):
    out = tmp_path / "crops"
    fill(out, "old.csv")
    with pytest.raises(ValueError, match="bug"):
        fill(out, "new.csv", ValueError("bug"), overwrite=True)
    assert names(out) == ["crops.toml", "old.csv"]
    assert names(tmp_path) == ["crops"]


def test_a_swap_that_fails_halfway_puts_the_old_folder_back(tmp_path, monkeypatch):
    out = tmp_path / "crops"
    fill(out, "old.csv")
    rename = Path.rename

    def second_rename_fails(self, target):
        if Path(target) == out and (self / "new.csv").exists():
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_rename_fails)
    with pytest.raises(CrosspatchError, match="Permission denied"):
        fill(out, "new.csv", overwrite=True)
    assert names(out) == ["crops.toml", "old.csv"]
    assert names(tmp_path) == ["crops"]


def test_an_empty_folder_counts_as_free(tmp_path):
    (tmp_path / "crops").mkdir()
    fill(tmp_path / "crops", "a")
    assert names(tmp_path / "crops") == ["a", "crops.toml"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "crops").write_text("I am a file")
    with pytest.raises(CrosspatchError, match="exists already"):
        refuse_existing(tmp_path / "crops", overwrite=False)


@pytest.mark.parametrize("theirs", ["thesis.txt", "dataset.toml", "crops.toml/a"])
def test_overwrite_replaces_nothing_but_a_folder_of_the_same_kind(tmp_path, theirs):
    out = tmp_path / "crops"
    write_text(out / theirs, "years of work")
    with pytest.raises(
        CrosspatchError, match=r"holds no crops\.toml, so that not even --overwrite"
    ):
        fill(out, "new.csv", overwrite=True)
    assert (out / theirs).read_text() == "years of work"
    assert names(tmp_path) == ["crops"]


@pytest.mark.parametrize("where", ["reviews", "predictions/kelp/reviews"])
def test_overwrite_deletes_nobodys_reviews(tmp_path, where):
    out = tmp_path / "crops"
    fill(out, "old.csv")
    log = out / where / "decisions.jsonl"
    write_text(log, "")
    fill(out, "old.csv", overwrite=True)  # the page was opened, and nothing done

    lines = '{"subject": "a"}\n{"subject": "b"}\n{"subject": "a"}\n{"subj'
    write_text(log, lines)
    (out / where / "masks").mkdir()
    for overwrite in (False, True):
        with pytest.raises(
            CrosspatchError,
            match=rf"crops: holds people's reviews of 2 subjects \({where}/\).*move that folder",
        ):
            fill(out, "new.csv", overwrite=overwrite)
    assert log.read_text() == lines
    (out / where).rename(tmp_path / "kept")
    fill(out, "new.csv", overwrite=True)
    assert names(tmp_path) == ["crops", "kept"]


def test_reviews_that_begin_while_the_new_folder_is_filled_are_kept(tmp_path):
    out = tmp_path / "maps"
    how = {"kind": "maps", "key": "ab" * 8, "doing": "predicting", "overwrite": True}
    write_text(out / "maps.toml", "format = 1")
    with pytest.raises(CrosspatchError, match="reviews of 1 subject "), resumed_folder(out, **how):
        write_text(out / "reviews" / "decisions.jsonl", '{"subject": "a"}\n')
    assert (out / "reviews" / "decisions.jsonl").is_file()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_appears_while_the_new_one_is_filled_is_kept(tmp_path, overwrite):
    out = tmp_path / "crops"
    with (
        pytest.raises(CrosspatchError, match="exists already"),
        new_folder(out, kind="crops", overwrite=overwrite),
    ):
        write_text(out / "theirs.csv", "theirs")
    assert names(out) == ["theirs.csv"]
    assert names(tmp_path) == ["crops"]


def test_an_input_at_or_inside_out_is_refused_and_one_beside_it_is_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_inputs_inside("kelp", None, 3, "kelp-2", tmp_path, tmp_path / "kelp" / ".." / "other")
    for lying in ("kelp", tmp_path / "kelp", "other/../kelp/images/a.png"):
        with pytest.raises(CrosspatchError, match="is to be read, and --out kelp would replace it"):
            refuse_inputs_inside("kelp", "other", lying)


def test_a_relative_path_means_the_folder_one_stood_in_at_the_start(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with new_folder("crops", kind="crops"):
        os.chdir(tmp_path / "elsewhere")
    assert names(tmp_path) == ["crops", "elsewhere"]


def test_a_killed_process_leaves_no_folder_that_looks_whole(tmp_path):
    """kill -9 while filling: the name is free, and what is left is hidden and marked partial."""
    code = """
        import os, sys, signal
        from crosspatch.files import new_folder
        with new_folder(sys.argv[1], kind="crops") as folder:
            (folder / "half.csv").write_text("half")
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    """
    out = tmp_path / "crops"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(out)], timeout=60)
    assert done.returncode != 0
    assert not out.exists()
    assert all(name.startswith(".crops.partial-") for name in names(tmp_path))
    fill(out, "whole.csv")
    assert names(out) == ["crops.toml", "whole.csv"]


# Folder descriptions


def test_a_table_comes_back_with_its_format(tmp_path):
    path = tmp_path / "crops.toml"
    write_toml(path, {"size": 256, "absent": None, "mean": [0.5, 1.25]}, says="Packed crops.")
    assert path.read_text().splitlines()[:2] == ["# Packed crops.", "format = 1"]
    assert read_toml(path) == {"format": 1, "size": 256, "mean": [0.5, 1.25]}


def test_a_newer_format_is_refused_rather_than_guessed(tmp_path):
    path = tmp_path / "crops.toml"
    write_toml(path, {}, says="Packed crops.", number=3)
    with pytest.raises(InputError, match=r"format 3 is newer than .* reads \(2\): upgrade"):
        read_toml(path, newest=2)
    assert read_toml(path, newest=3) == {"format": 3}


@pytest.mark.parametrize("text", ["size = 256", "format = 'one'", "format = 0", "format = -1"])
def test_a_table_without_a_format_number_is_not_ours(tmp_path, text):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(InputError, match=r"a\.toml: has no 'format' number"):
        read_toml(tmp_path / "a.toml")


@pytest.mark.parametrize(
    "data",
    [b"format = ", b"\xff\xfe", b"a = 1\na = 2", b"\x00", b"a = " + b"1" * 5000,
     b"a = " + b"[" * 5000],
    ids=["no value", "no UTF-8", "twice", "null", "5000 digits", "5000 brackets"],
)  # fmt: skip
def test_what_is_not_toml_is_named(tmp_path, data):
    (tmp_path / "a.toml").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.toml: is not valid TOML"):
        read_toml(tmp_path / "a.toml")


def test_a_missing_table_and_a_folder_in_its_place_are_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.toml: does not exist"):
        read_toml(tmp_path / "a.toml")
    (tmp_path / "b.toml").mkdir()
    with pytest.raises(InputError, match=r"b\.toml: cannot be read"):
        read_toml(tmp_path / "b.toml")


def test_a_huge_table_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "a.toml").open("wb") as file:
        file.truncate(65 * 2**20)  # sparse: takes no disk
    with pytest.raises(InputError, match="too large"):
        read_toml(tmp_path / "a.toml")


# JSON


def test_json_holds_no_word_that_json_does_not_know():
    rows = [(1, -math.inf), {"dice": 0.1, "best": math.inf}]
    value = {"iou": math.nan, "rows": rows, "path": Path("a")}
    text = to_json(value)
    assert json.loads(text, parse_constant=pytest.fail) == {
        "iou": None, "rows": [[1, None], {"dice": 0.1, "best": None}], "path": "a",
    }  # fmt: skip
    assert "\n" not in text


def test_json_keeps_every_bit_of_a_number():
    assert json.loads(to_json([0.1 + 0.2, 5e-324, True])) == [0.1 + 0.2, 5e-324, True]


# Fingerprints


def test_fingerprints_tell_how_parts_were_divided():
    assert fingerprint_bytes(b"ab", b"c") != fingerprint_bytes(b"a", b"bc")
    assert fingerprint_bytes(b"abc") != fingerprint_bytes(b"abc", b"")
    assert fingerprint_bytes(b"ab", b"c") == fingerprint_bytes(b"ab", b"c")


def test_a_file_has_the_well_known_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert fingerprint_file(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


# Names


@pytest.mark.parametrize("name", ["a.png", "scene/a.png", "ünï codé.tif", "...", "a..b", ".hidden"])
def test_names_inside_a_folder_are_joined(name):
    assert inside("data", name) == Path("data") / name


HOSTILE = ["", ".", "..", "../a", "a/../../b", "a/..", "/etc/passwd", "\\\\host\\a", "..\\a",
           "C:\\a", "C:a", "a//b", "a/", "./a", "a\0b", "a/./b", "file.png:stream"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_climb_out_are_refused(name):
    with pytest.raises(InputError, match="is not a name inside data"):
        inside("data", name)


@given(st.text(alphabet=st.sampled_from("ab./\\:\0 ~"), max_size=12) | st.text(max_size=12))
@example("a/..\\..\\b")
def test_whatever_the_name_it_stays_inside_or_is_refused(name):
    folder = Path("/data/set")
    try:
        path = inside(folder, name)
    except InputError:
        return
    assert Path(os.path.normpath(path)) != folder
    assert Path(os.path.normpath(path)).is_relative_to(folder)


# Locks

HOLDER = """
    import sys
    from crosspatch.files import locked
    with locked(sys.argv[1], "training"):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path):
    """A second process that holds ``tmp_path`` until it is told, or made, to stop."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_holds_the_folder(tmp_path, other_process):
    with (
        pytest.raises(CrosspatchError, match="another process is training here"),
        locked(tmp_path, "training"),
    ):
        pytest.fail("the body must not run")
    other_process.communicate("")
    with locked(tmp_path, "training"):
        assert (tmp_path / ".lock").exists()


def test_a_killed_holder_holds_nothing(tmp_path, other_process):
    other_process.kill()
    other_process.wait()
    with locked(tmp_path, "training"):
        pass
    with locked(tmp_path, "training"):  # and the first one has let go
        assert other_process.returncode != 0
