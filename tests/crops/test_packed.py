import csv
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.crops import Crops, pack, recipe
from crosspatch.crops.batches import gather
from crosspatch.crops.packed import CROP_COLUMNS, SUBJECT_COLUMNS
from crosspatch.dataset import Dataset
from crosspatch.errors import InputError
from folders import make


@pytest.fixture
def crops(tmp_path):
    dataset = Dataset.open(make(tmp_path / "kelp"))
    return pack([dataset], recipe("windows", size=16, overlap=0.0), tmp_path / "crops")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def write_table(path, change):
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


class TestOpening:
    def test_gives_what_packing_gave(self, crops):
        again = Crops.open(crops.path)
        assert np.array_equal(again.images, crops.images)
        assert again.statistics == crops.statistics
        assert again.recipe == crops.recipe
        assert again.contents == crops.contents
        assert len(again) == 24

    def test_maps_the_files_and_reads_no_crop(self, crops):
        assert isinstance(crops.images, np.memmap)
        assert isinstance(crops.masks, np.memmap)
        assert not crops.images.flags.writeable

    def test_is_a_path(self, crops):
        assert Crops.open(crops).path == crops.path

    def test_columns_are_those_documented(self, crops):
        assert list(crops.table) == list(CROP_COLUMNS)
        assert list(crops.subjects) == list(SUBJECT_COLUMNS)
        assert crops.table["row"].dtype == np.int64
        assert crops.table["scale_row"].dtype == np.float64
        assert crops.table["subject"].dtype.kind == "U"


class TestWhatIsNoPack:
    def test_another_folder(self, tmp_path):
        with pytest.raises(InputError, match="not a crops folder"):
            Crops.open(tmp_path)

    @pytest.mark.parametrize("name", ["images.npy", "masks.npy", "crops.csv", "subjects.csv"])
    def test_a_missing_file(self, crops, name):
        (crops.path / name).unlink()
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            Crops.open(crops.path)

    @pytest.mark.parametrize("name", ["images.npy", "masks.npy"])
    @pytest.mark.parametrize("left", [0, 5, 60, 128, 5000])
    def test_a_truncated_array(self, crops, name, left):
        path = crops.path / name
        path.write_bytes(path.read_bytes()[:left])
        with pytest.raises(InputError, match="incomplete or was changed"):
            Crops.open(crops.path)

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((24, 16, 16), np.uint16),
            np.zeros((23, 16, 16), np.uint8),
            np.zeros((24, 16, 15), np.uint8),
            np.zeros((24, 1, 16, 16), np.uint8),
        ],
    )
    def test_an_array_of_another_kind(self, crops, array):
        np.save(crops.path / "masks.npy", array)
        with pytest.raises(InputError, match=r"instead of uint8 \(24, 16, 16\)"):
            Crops.open(crops.path)

    def test_a_pickle_is_not_loaded(self, crops):
        class Bomb:
            def __reduce__(self):
                return pytest.fail, ("a pickle was loaded",)

        (crops.path / "images.npy").write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(InputError):
            Crops.open(crops.path)
        np.save(crops.path / "images.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
        with pytest.raises(InputError):
            Crops.open(crops.path)

    def test_an_array_that_claims_more_than_its_bytes(self, crops):
        data = (crops.path / "masks.npy").read_bytes()
        (crops.path / "masks.npy").write_bytes(data.replace(b"(24, 16, 16)", b"(99, 16, 16)"))
        with pytest.raises(InputError):
            Crops.open(crops.path)

    def test_an_array_that_claims_more_than_any_machine_counts(self, crops):
        data = (crops.path / "masks.npy").read_bytes()
        huge = f"({2**70},)".encode()
        shape = b"(24, 16, 16), }" + b" " * (len(huge) + 3 - 15)
        assert shape in data
        (crops.path / "masks.npy").write_bytes(data.replace(shape, huge + b", }", 1))
        with pytest.raises(InputError, match=r"masks\.npy"):
            Crops.open(crops.path)

    @pytest.mark.parametrize("name", ["crops.csv", "subjects.csv"])
    def test_an_edited_table(self, crops, name):
        edit(crops.path / name, "train", "test")
        with pytest.raises(InputError, match="changed after it was written"):
            Crops.open(crops.path)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("format = 1", "format = 2"),
            ("format = 1", ""),
            ('dtype = "uint8"', 'dtype = "object"'),
            ('positions = "grid"', 'positions = "all"'),
            ("mean = [", "mean = [nan, "),
            ("std = [", "std = [0.0, "),
            ("[statistics]", "[stats]"),
            ("[recipe]", "recipe = 5\n[other]"),
            ("unlabelled = 0", 'unlabelled = "x"'),
            ("unlabelled = 0", "unlabelled = inf"),
            ("overlap = 0.0", f"overlap = {10**400}"),
        ],
    )
    def test_an_edited_description(self, crops, old, new):
        edit(crops.path / "crops.toml", old, new)
        with pytest.raises(InputError, match=r"crops\.toml"):
            Crops.open(crops.path)

    def test_statistics_of_zero_or_no_number(self, crops):
        text = (crops.path / "crops.toml").read_text()
        start = text.index("std = [") + len("std = [")
        end = text.index(",", start)
        for value in ("0.0", "nan", "inf", "-1.0"):
            (crops.path / "crops.toml").write_text(text[:start] + value + text[end:])
            with pytest.raises(InputError, match="no number to standardise with"):
                Crops.open(crops.path)

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            (lambda rows: rows.pop(), "crops are missing"),
            (lambda rows: rows.insert(1, rows.pop(2)), "not in order"),
            (lambda rows: rows[3].__setitem__(3, "holdout"), "unknown split"),
            (lambda rows: rows[0].__setitem__(0, "n"), "columns"),
            (lambda rows: rows[5].pop(), "strict|argument|zip"),
            (lambda rows: rows[5].__setitem__(4, "x"), "invalid literal"),
        ],
    )
    def test_a_table_that_was_forged_with_its_hash(self, crops, monkeypatch, change, complaint):
        write_table(crops.path / "crops.csv", change)
        import hashlib

        digest = hashlib.sha256((crops.path / "crops.csv").read_bytes()).hexdigest()
        lines = (crops.path / "crops.toml").read_text().splitlines()
        lines = [f'crops = "{digest}"' if line.startswith("crops = ") else line for line in lines]
        (crops.path / "crops.toml").write_text("\n".join(lines))
        with pytest.raises(InputError, match=complaint):
            Crops.open(crops.path)


class TestGather:
    @given(rows=st.lists(st.integers(0, 23), max_size=40))
    def test_gives_the_rows_in_the_order_asked_for(self, tmp_path_factory, rows):
        crops = _shared(tmp_path_factory)
        images, masks = gather(crops, rows)
        assert images.dtype == masks.dtype == np.uint8
        assert images.shape == (len(rows), 3, 16, 16)
        for place, row in enumerate(rows):
            assert np.array_equal(images[place], crops.images[row])
            assert np.array_equal(masks[place], crops.masks[row])

    def test_gives_arrays_of_its_own(self, crops):
        images, masks = gather(crops, np.array([3, 3]))
        images[0] = 0
        masks[0] = 7
        assert np.array_equal(images[1], crops.images[3])
        assert images.flags.c_contiguous

    def test_refuses_rows_that_are_not_there(self, crops):
        with pytest.raises(IndexError):
            gather(crops, [24])


_packs = {}


def _shared(factory):
    """One pack for all examples of hypothesis."""
    if "pack" not in _packs:
        folder = factory.mktemp("gather")
        dataset = Dataset.open(make(folder / "kelp"))
        _packs["pack"] = pack([dataset], recipe("windows", size=16, overlap=0.0), folder / "crops")
    return _packs["pack"]
