import numpy as np
import pytest

from crosspatch.dataset import Dataset, check
from folders import half, make, noise, save, write_splits, write_toml


def problems_of(folder, **choice):
    return check(Dataset.open(folder, **choice))


def only(problems, *words):
    """The one problem whose sentence holds all words."""
    found = [p for p in problems if all(word in p.what for word in words)]
    assert len(found) == 1, [p.what for p in problems]
    return found[0]


def test_a_sound_data_set_has_no_problem(tmp_path):
    assert problems_of(make(tmp_path)) == []


def test_progress_is_told_to_the_end(tmp_path):
    told = []
    check(Dataset.open(make(tmp_path)), progress=lambda *step: told.append(step))
    assert told == [("checking", done, 6) for done in range(1, 7)]


class TestFiles:
    def test_an_image_that_is_none(self, tmp_path):
        (make(tmp_path) / "images/c.png").write_bytes(b"not an image")
        problem = only(problems_of(tmp_path), "not a PNG")
        assert (problem.file, problem.subject, problem.warning) == ("images/c.png", "c", False)

    @pytest.mark.parametrize("folder", ["images", "masks"])
    def test_a_truncated_file(self, tmp_path, folder):
        path = make(tmp_path) / folder / "c.png"
        path.write_bytes(path.read_bytes()[:-30])
        problems = problems_of(tmp_path)
        assert [(p.file, p.subject) for p in problems] == [(f"{folder}/c.png", "c")]

    def test_a_mask_of_another_size_tells_both(self, tmp_path):
        save(make(tmp_path) / "masks/c.png", half(20, 25))
        problem = only(problems_of(tmp_path), "20 x 25", "20 x 24")
        assert problem.file == "masks/c.png"

    def test_unexpected_mask_values(self, tmp_path):
        save(make(tmp_path) / "masks/c.png", half(value=3))
        assert only(problems_of(tmp_path), "mask value 3", "[classes]").subject == "c"

    def test_a_mask_without_an_image(self, tmp_path):
        save(make(tmp_path) / "masks/z.png", half())
        problem = only(problems_of(tmp_path), "without an image")
        assert (problem.file, problem.subject) == ("masks/z.png", None)

    def test_an_image_of_other_channels_than_most(self, tmp_path):
        save(make(tmp_path) / "images/c.png", noise(9, (20, 24)))
        problem = only(problems_of(tmp_path), "has 1 channel of uint8", "have 3 of uint8")
        assert problem.subject == "c"

    def test_the_odd_one_is_found_though_it_comes_first(self, tmp_path):
        save(make(tmp_path) / "images/a.png", noise(9, (20, 24)))
        assert only(problems_of(tmp_path), "channel").subject == "a"

    def test_an_image_of_another_dtype_than_most(self, tmp_path):
        for number, name in enumerate("abc"):
            dtype = np.uint16 if name == "b" else np.uint8
            save(tmp_path / f"images/{name}.tif", noise(number, (2, 9, 9), dtype))
        assert only(problems_of(tmp_path), "2 channels of uint16", "2 of uint8").subject == "b"

    def test_nan(self, tmp_path):
        for number, name in enumerate("abc"):
            pixels = noise(number, (2, 9, 9), np.float32)
            pixels[0, 0, 0] = np.nan if name == "b" else 0
            save(tmp_path / f"images/{name}.tif", pixels)
        assert only(problems_of(tmp_path), "NaN").subject == "b"

    def test_a_file_that_is_not_read_is_a_warning(self, tmp_path):
        (make(tmp_path) / "images/notes.txt").write_text("x")
        (tmp_path / "masks/c.jpg").write_bytes(b"x")
        problems = problems_of(tmp_path)
        assert all(problem.warning for problem in problems)
        assert {p.file for p in problems} == {"images/notes.txt", "masks/c.jpg"}
        assert any("JPEG changes" in p.do for p in problems)

    def test_hidden_files_are_no_problem(self, tmp_path):
        (make(tmp_path) / "images/.DS_Store").write_bytes(b"x")
        (tmp_path / "images/._a.png").write_bytes(b"x")
        assert problems_of(tmp_path) == []


class TestNames:
    def test_two_files_of_one_name(self, tmp_path):
        save(make(tmp_path) / "images/c.tif", noise(80))
        problem = only(problems_of(tmp_path), "several files", "c.png", "c.tif")
        assert (problem.subject, problem.warning) == ("c", False)

    def test_names_that_differ_only_in_case(self, tmp_path):
        save(make(tmp_path) / "images/C.png", noise(80))
        if not (tmp_path / "images/c.png").samefile(tmp_path / "images/C.png"):
            assert only(problems_of(tmp_path), "differ only in case", "'C'", "'c'").warning

    @pytest.mark.parametrize("name", ["../a", "/etc/passwd", "C:\\a", "a/../../b", ""])
    def test_a_name_that_climbs_out(self, tmp_path, name):
        rows = [(n, "train" if n < "e" else "test", f"g{n}") for n in "abcdef"]
        write_splits(make(tmp_path), [*rows, (name, "train", "x")])
        problem = only(problems_of(tmp_path), "no name of a file")
        assert (problem.file, problem.row) == ("splits.csv", 8)


class TestTable:
    rows = tuple((n, "train" if n < "e" else "test", f"g{n}") for n in "abcdef")

    def with_rows(self, folder, *rows):
        write_splits(make(folder), rows)
        return problems_of(folder)

    def test_a_name_without_an_image(self, tmp_path):
        problem = only(self.with_rows(tmp_path, *self.rows, ("zz", "train", "g")), "'zz'")
        assert (problem.file, problem.row, problem.subject) == ("splits.csv", 8, None)

    def test_an_unknown_split(self, tmp_path):
        rows = [*self.rows[:2], ("c", "training", "gc"), *self.rows[3:]]
        problem = only(self.with_rows(tmp_path, *rows), "'training'")
        assert (problem.row, problem.subject) == (4, "c")
        assert "train, val, test" in problem.do

    @pytest.mark.parametrize("row", [("c", "train"), ("c", "train", "gc", "more")])
    def test_a_row_of_another_length(self, tmp_path, row):
        rows = [*self.rows[:2], row, *self.rows[3:]]
        problem = only(self.with_rows(tmp_path, *rows), "cells")
        assert (problem.row, problem.subject) == (4, "c")

    def test_a_name_that_comes_twice(self, tmp_path):
        problem = only(self.with_rows(tmp_path, *self.rows, ("b", "test", "g")), "again")
        assert "row 3" in problem.what
        assert (problem.row, problem.subject) == (8, "b")

    def test_a_line_break_in_a_cell_does_not_shift_what_is_named(self, tmp_path):
        rows = [("a", "train", "two\nlines"), *self.rows[1:], ("zz", "train", "g")]
        assert only(self.with_rows(tmp_path, *rows), "'zz'").row == 9


class TestTheWhole:
    def test_a_group_in_two_splits(self, tmp_path):
        make(tmp_path)
        write_splits(tmp_path, [(n, "train" if n < "e" else "test", "bay") for n in "abcdef"])
        problems = [p for p in problems_of(tmp_path) if "share the group 'bay'" in p.what]
        assert len(problems) == 2
        assert not problems[0].warning

    def test_one_image_in_two_splits_under_two_names_and_formats(self, tmp_path):
        make(tmp_path)
        (tmp_path / "images/f.png").unlink()
        save(tmp_path / "images/f.tif", noise(0))
        assert not only(problems_of(tmp_path), "'a'", "'f'", "are the same image").warning

    def test_no_foreground_anywhere(self, tmp_path):
        problem = only(problems_of(make(tmp_path, value=0)), "no mask holds any foreground")
        assert problem.warning

    def test_no_masks_at_all(self, tmp_path):
        save(tmp_path / "images/a.png", noise(0))
        assert only(problems_of(tmp_path), "no subject has a mask").warning

    @pytest.mark.parametrize(("names", "says"), [("a", "is only 1 labelled group"),
                                                 ("ab", "are only 2 labelled groups")])  # fmt: skip
    def test_one_or_two_subjects(self, tmp_path, names, says):
        assert only(problems_of(make(tmp_path, names, splits=False)), says).warning

    def test_an_empty_split(self, tmp_path):
        make(tmp_path)
        write_splits(tmp_path, [(n, "train", f"g{n}") for n in "abcdef"])
        assert only(problems_of(tmp_path), "in the split 'test'").warning

    def test_everything_is_found_at_once(self, tmp_path):
        make(tmp_path)
        (tmp_path / "images/a.png").write_bytes(b"broken")
        save(tmp_path / "masks/b.png", half(5, 5))
        save(tmp_path / "masks/c.png", half(value=9))
        save(tmp_path / "masks/z.png", half())
        write_splits(tmp_path, [("a", "train", "g"), ("b", "learn", "g"), ("zz", "test", "g")])
        words = ("not a PNG", "5 x 5", "mask value 9", "without an image", "'learn'", "'zz'")
        problems = problems_of(tmp_path)
        assert all(any(word in p.what for p in problems) for word in words)
        assert all(p.do for p in problems)


def test_a_class_that_is_chosen_is_checked_against_all_classes(tmp_path):
    make(tmp_path, value=3)
    write_toml(tmp_path, classes={"town": 1, "water": 3})
    assert problems_of(tmp_path, foreground="water") == []
    assert any("no foreground" not in p.what for p in problems_of(tmp_path, foreground="town"))
