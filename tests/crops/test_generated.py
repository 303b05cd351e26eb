"""Three generated domains: repeatable, split by scene, beyond any threshold."""

import itertools
import tomllib

import numpy as np
import pytest
from scipy import ndimage

from crosspatch.crops import generated
from crosspatch.crops.generated import droplets, generate, kelp, photos
from crosspatch.crops.generated.canvas import Canvas
from crosspatch.dataset import check
from crosspatch.errors import CrosspatchError, SettingsError
from crosspatch.metrics import confusion

DOMAINS = ("photos", "droplets", "kelp")
MODULES = {"photos": photos, "droplets": droplets, "kelp": kelp}


def draw(domain, scene, number, side=128):
    """One subject of a scene, straight from the generator."""
    module = MODULES[domain]
    style = module.style(np.random.default_rng([1, scene]))
    return module.subject(style, side, side, np.random.default_rng([1, scene, number]))


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_same_seed_makes_the_same_files_and_another_seed_others(domain, tmp_path):
    folders = [
        generate(domain, tmp_path / name, subjects=2, size=(64, 80), seed=seed).path
        for name, seed in (("first", 5), ("again", 5), ("other", 6))
    ]
    first, again, other = (
        {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*.*"))}
        for folder in folders
    )
    assert first == again
    images = [name for name in first if name.parts[0] == "images"]
    assert len(images) == 2
    assert all(first[name] != other[name] for name in images)


@pytest.mark.parametrize(
    ("domain", "channels", "foreground"),
    [
        ("photos", ("red", "green", "blue"), "person"),
        ("droplets", ("red", "green", "blue"), "droplet"),
        ("kelp", ("blue", "green", "red", "nir"), "kelp"),
    ],
)
def test_a_data_set_has_no_problem_and_says_what_it_is(domain, channels, foreground, tmp_path):
    dataset = generate(domain, tmp_path / domain, subjects=12, unlabelled=3, size=(72, 64))
    assert check(dataset) == []
    assert dataset.channel_names == channels
    assert dataset.foreground == (foreground,)
    assert (len(dataset.labelled), len(dataset.unlabelled)) == (12, 3)
    table = tomllib.loads((dataset.path / "dataset.toml").read_text())
    assert table["origin"] == "generated"
    assert table["mask_values"] == {"background": [0], "foreground": [1], "ignored": [255]}
    subject = dataset.labelled[0]
    pixels = dataset.read_image(subject).pixels
    assert pixels.shape == (len(channels), 72, 64)
    assert pixels.dtype == np.uint8
    assert dataset.read_mask(subject).shape == (72, 64)


def test_scenes_are_groups_that_stay_in_one_split_and_new_images_have_scenes_of_their_own(tmp_path):
    dataset = generate(
        "kelp", tmp_path / "kelp", subjects=10, unlabelled=4, per_scene=2, size=(64, 64)
    )
    by_group = {}
    for subject in dataset.labelled:
        by_group.setdefault(subject.group, []).append(subject.split)
    assert sorted(map(len, by_group.values())) == [2] * 5
    assert all(len(set(splits)) == 1 for splits in by_group.values())
    assert {subject.split for subject in dataset.labelled} == {"train", "test"}
    assert {subject.group for subject in dataset.unlabelled}.isdisjoint(by_group)


def test_how_many_others_there_are_changes_no_subject(tmp_path):
    few = generate("kelp", tmp_path / "few", subjects=2, size=(64, 64), seed=3)
    many = generate("kelp", tmp_path / "many", subjects=6, size=(64, 64), seed=3)
    assert [few.content(subject) for subject in few.subjects] == [
        many.content(subject) for subject in many.subjects[:2]
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"domain": "cats"},
        {"subjects": 0},
        {"per_scene": 0},
        {"unlabelled": -1},
        {"size": (63, 64)},
    ],
)
def test_impossible_wishes_are_refused_before_anything_is_written(wrong, tmp_path):
    wishes = {"domain": "kelp", "subjects": 2, "size": (64, 64)} | wrong
    with pytest.raises(SettingsError):
        generate(out=tmp_path / "out", **wishes)
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_kept_unless_overwriting_is_asked_for(tmp_path):
    generate("droplets", tmp_path / "out", subjects=1, size=(64, 64), seed=1)
    with pytest.raises(CrosspatchError, match="--overwrite"):
        generate("droplets", tmp_path / "out", subjects=1, size=(64, 64), seed=2)
    new = generate("droplets", tmp_path / "out", subjects=3, size=(64, 64), seed=2, overwrite=True)
    assert len(new.subjects) == 3


def test_progress_counts_from_nothing_to_all_subjects(tmp_path):
    heard = []
    generate(
        "droplets", tmp_path / "out", subjects=2, unlabelled=1, size=(64, 64),
        progress=lambda what, done, total: heard.append((what, done, total)),
    )  # fmt: skip
    assert heard == [("generating droplets", done, 3) for done in (0, 1, 2, 3)]


def features(pixels):
    """Every band and every normalised-difference index, (F, H, W)."""
    bands = pixels.astype(float)
    pairs = itertools.combinations(range(len(bands)), 2)
    indices = [(bands[a] - bands[b]) / (bands[a] + bands[b] + 1e-3) for a, b in pairs]
    return np.stack([*bands, *indices])


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_best_threshold_fitted_on_these_very_subjects_stays_poor(domain):
    subjects = [draw(domain, scene, number) for scene in range(8) for number in range(2)]
    shown = [features(pixels)[:, ::2, ::2] for pixels, _ in subjects]
    values = np.concatenate([shot.reshape(len(shot), -1) for shot in shown], axis=1)
    masks = np.concatenate([mask[::2, ::2].ravel() for _, mask in subjects])
    best = max(
        confusion((side * feature > side * cut)[None], masks[None]).iou
        for feature in values
        for cut in np.quantile(feature, np.linspace(0.02, 0.98, 25))
        for side in (-1, 1)
    )
    assert best < 0.45


@pytest.mark.parametrize("domain", DOMAINS)
def test_most_subjects_have_foreground_and_none_is_full_of_it(domain):
    shares = np.array(
        [(draw(domain, scene, number)[1] == 1).mean() for scene in range(8) for number in range(2)]
    )
    assert 0.04 < shares.mean() < 0.25
    assert (shares > 0.005).mean() > 0.6
    assert shares.max() < 0.7


def test_droplets_are_round_and_their_channels_equal():
    roundness = []
    for scene in range(5):
        pixels, mask = draw("droplets", scene, 0, side=192)
        assert (pixels[0] == pixels[1]).all()
        assert (pixels[0] == pixels[2]).all()
        labels, count = ndimage.label(mask)
        for place in range(1, count + 1):
            rows, cols = np.nonzero(labels == place)
            inside = rows.min() > 0 and cols.min() > 0 and max(rows.max(), cols.max()) < 191
            if inside and len(rows) > 100:
                box = (np.ptp(rows) + 1) * (np.ptp(cols) + 1)
                roundness.append(len(rows) / box)
    assert len(roundness) >= 10
    assert np.median(roundness) == pytest.approx(np.pi / 4, abs=0.06)  # of an ellipse in its box


def test_kelp_shines_in_the_near_infrared_against_water_but_not_against_land():
    beds, seas, lands = [], [], []
    for scene in range(10):
        pixels, mask = draw("kelp", scene, 0)
        nir = pixels[3].astype(float)
        near = ndimage.binary_dilation(mask == 1, iterations=12) & (mask == 0)
        if (mask == 1).sum() < 100:
            continue
        beds.append(nir[mask == 1].mean())
        seas.append(np.quantile(nir[near], 0.25))
        lands.append(np.quantile(nir[mask == 0], 0.98))
    assert len(beds) >= 5
    assert np.mean(beds) > 1.7 * np.mean(seas)
    assert np.mean(lands) > np.mean(beds)


def test_beds_under_clouds_are_ignored_not_called_background():
    hidden = [draw("kelp", scene, number)[1] for scene in range(12) for number in range(2)]
    assert any((mask == 255).any() for mask in hidden)
    assert all(set(np.unique(mask)) <= {0, 1, 255} for mask in hidden)


def test_what_stands_before_a_person_is_not_the_person():
    canvas = Canvas(np.full((1, 3), 0.5), 10, 10, np.random.default_rng(0))
    canvas.paint(canvas.box(0.5, 0.5, 0.8, 0.8), np.ones(3), person=True)
    assert canvas.mask.sum() == 64
    canvas.paint(canvas.box(0.5, 0.5, 0.2, 0.8), np.zeros(3))
    assert canvas.mask.sum() == 64 - 16


def test_a_capsule_is_as_wide_as_its_ends_say():
    canvas = Canvas(np.full((1, 3), 0.5), 100, 100, np.random.default_rng(0))
    away = canvas.capsule(np.array([0.2, 0.5]), np.array([0.8, 0.5]), 0.10, 0.20)
    widths = (away < 0).sum(axis=1)
    assert widths[20] == pytest.approx(20, abs=1)
    assert widths[50] == pytest.approx(30, abs=1)
    assert widths[80] == pytest.approx(40, abs=1)
    assert widths[8] == 0


def test_no_domain_follows_the_random_numbers_of_another():
    streams = [generator.stream for generator in generated._GENERATORS.values()]
    assert len(set(streams)) == len(DOMAINS)
