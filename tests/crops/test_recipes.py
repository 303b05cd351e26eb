from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.crops.recipes import RECIPES, Recipe, Resize, recipe
from crosspatch.errors import InputError, SettingsError

sides = st.integers(1, 700)


class TestThePapersCounts:
    """Mantha et al. 2022, section 2: numbers of image-mask pairs in, numbers of samples out."""

    @pytest.mark.parametrize(
        ("name", "subjects", "side", "training", "samples"),
        [
            ("floating-forests", 5_922, 350, True, 118_440),
            ("floating-forests", 1_045, 350, False, 4_180),
            ("fat-checker", 2_106, 1200, True, 42_120),
            ("fat-checker", 235, 1200, False, 4_700),
            ("coco-person", 63_785, 640, True, 63_785),
            ("coco-person", 2_673, 640, False, 2_673),
        ],
    )
    def test_are_ours(self, name, subjects, side, training, samples):
        assert subjects * recipe(name).count(side, side, training=training) == samples

    def test_the_disk_holds_a_fifth_of_the_floating_forests_samples(self):
        assert 5_922 * len(recipe("floating-forests").origins(350, 350)) == 23_688


class TestPositions:
    def test_floating_forests_cuts_the_corners_of_350(self):
        assert recipe("floating-forests").origins(350, 350) == [(0, 0), (0, 94), (94, 0), (94, 94)]

    def test_fat_checker_cuts_corners_and_centre_of_512(self):
        fat = recipe("fat-checker")
        assert fat.resize.shape(1200, 900) == (512, 512)
        assert fat.origins(512, 512) == [(0, 0), (0, 256), (256, 0), (256, 256), (128, 128)]

    def test_coco_person_takes_the_whole_image(self):
        coco = recipe("coco-person")
        assert coco.resize.shape(480, 640) == (256, 256)
        assert coco.origins(256, 256) == [(0, 0)]

    def test_rows_and_columns_are_not_mixed_up(self):
        assert recipe("floating-forests").origins(300, 400) == [
            (0, 0), (0, 144), (44, 0), (44, 144),
        ]  # fmt: skip

    def test_windows_spread_evenly_from_edge_to_edge(self):
        # stride at most 192: 640 - 256 = 384 needs 2 steps, 480 - 256 = 224 needs 2
        assert recipe("windows").origins(480, 640) == [
            (row, col) for row in (0, 112, 224) for col in (0, 192, 384)
        ]

    def test_corners_that_fall_together_are_cut_once(self):
        assert recipe("floating-forests").origins(256, 350) == [(0, 0), (0, 94)]
        assert recipe("fat-checker").origins(256, 256) == [(0, 0)]

    @pytest.mark.parametrize("name", RECIPES)
    def test_a_side_shorter_than_a_crop_has_one_origin(self, name):
        assert recipe(name).origins(100, 90) == [(0, 0)]

    @given(sides, sides, st.integers(1, 300), st.floats(0, 0.95))
    def test_windows_cover_every_pixel_and_stay_inside(self, height, width, size, overlap):
        origins = recipe("windows", size=size, overlap=overlap).origins(height, width)
        for axis, side in ((0, height), (1, width)):
            starts = sorted({origin[axis] for origin in origins})
            assert starts[0] == 0
            assert starts[-1] == max(0, side - size)
            steps = [b - a for a, b in pairwise(starts)]
            assert all(0 < step <= max(1, size * (1 - overlap)) for step in steps)

    @given(sides, sides, st.sampled_from(sorted(RECIPES)))
    def test_no_crop_is_cut_twice(self, height, width, name):
        origins = recipe(name, size=64).origins(height, width)
        assert len(set(origins)) == len(origins)


class TestSettings:
    def test_sizes_that_recipes_resize_to_keep_their_proportion(self):
        assert recipe("fat-checker", size=64).resize == Resize("to", 128, 128)
        assert recipe("coco-person", size=64).resize == Resize("to", 64, 64)

    def test_a_scale_goes_before_the_crops(self):
        half = recipe("floating-forests", size=128, scale=0.5)
        assert half.resize.shape(350, 351) == (175, 176)
        assert half.count(350, 350, training=True) == 20

    @pytest.mark.parametrize(
        ("name", "settings", "complaint"),
        [
            ("floating-forest", {}, "Did you mean floating-forests?"),
            ("kelp", {}, "floating-forests, fat-checker, coco-person, windows"),
            ("fat-checker", {"scale": 0.5}, "resizes to 512 pixels itself"),
            ("coco-person", {"scale": 1.0}, "resizes to 256 pixels itself"),
            ("floating-forests", {"overlap": 0.5}, "goes with the recipe windows"),
            ("windows", {"overlap": 1.0}, "overlap"),
            ("windows", {"overlap": float("nan")}, "overlap"),
            ("windows", {"size": 0}, "crop size"),
            ("windows", {"scale": 0.0}, "scale"),
            ("windows", {"scale": float("inf")}, "scale"),
        ],
    )
    def test_nonsense_is_refused(self, name, settings, complaint):
        with pytest.raises(SettingsError, match=complaint):
            recipe(name, **settings)


class TestTables:
    @pytest.mark.parametrize("name", RECIPES)
    def test_what_is_written_is_read_back(self, name):
        scale = {"scale": 0.3} if name in ("windows", "floating-forests") else {}
        written = recipe(name, size=96, **scale)
        assert Recipe.from_table(written.as_table(), "crops.toml") == written

    @given(st.sampled_from(["none", "to", "scale"]), st.integers(1, 5000), st.floats(0.01, 9))
    def test_resize_rules_are_read_back(self, kind, side, factor):
        rule = {
            "none": Resize(),
            "to": Resize("to", side, side + 1),
            "scale": Resize("scale", factor=factor),
        }[kind]
        assert Resize.from_table(rule.as_table()) == rule

    @pytest.mark.parametrize(
        "change",
        [
            {"positions": "everywhere"},
            {"size": "256"},
            {"size": True},
            {"size": 0},
            {"overlap": 1.5},
            {"train_versions": [8]},
            {"train_versions": []},
            {"test_versions": 0},
            {"resize": {"kind": "shrink"}},
            {"resize": {"kind": "to", "height": 0, "width": 5}},
            {"resize": {"kind": "scale", "factor": "a"}},
            {"resize": None},
        ],
    )
    def test_a_table_that_is_something_else_is_refused(self, change):
        with pytest.raises(InputError, match=r"crops\.toml"):
            Recipe.from_table(recipe("windows").as_table() | change, "crops.toml")

    @pytest.mark.parametrize("table", [None, [], {}, {"name": "windows"}])
    def test_no_table_is_refused(self, table):
        with pytest.raises(InputError):
            Recipe.from_table(table)


def test_a_scaled_side_never_vanishes():
    assert Resize("scale", factor=0.01).shape(20, 200) == (1, 2)
