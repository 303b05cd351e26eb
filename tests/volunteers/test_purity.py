"""Labels are made worse by simulated volunteers, by an amount that is measured."""

import numpy as np
import pytest

from crosspatch.dataset import Dataset
from crosspatch.errors import SettingsError
from crosspatch.volunteers.purity import worsen
from folders import noise, save, write_splits, write_toml


@pytest.fixture
def clean(tmp_path):
    """Discs, with a corner that is ignored."""
    folder = tmp_path / "clean"
    rows, columns = np.mgrid[:96, :96]
    for number in range(4):
        disc = (rows - 40 - 4 * number) ** 2 + (columns - 50) ** 2 < (16 + 2 * number) ** 2
        mask = disc.astype(np.uint8)
        mask[:8, :8] = 255
        save(folder / f"images/s{number}.png", noise(number, (3, 96, 96)))
        save(folder / f"masks/s{number}.png", mask)
    write_splits(folder, [(f"s{n}", "test" if n == 3 else "train", f"g{n // 2}") for n in range(4)])
    write_toml(folder, channels=["red", "green", "blue"])
    return folder


def test_more_errors_and_fewer_volunteers_make_labels_less_pure(clean, tmp_path):
    found = [
        worsen(clean, out=tmp_path / f"out{number}", volunteers=volunteers, errors=errors).purity
        for number, (volunteers, errors) in enumerate([(15, 0.5), (15, 3.0), (1, 6.0)])
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.9
    assert found[-1] < 0.85


def test_the_purity_is_the_mean_iou_with_the_truth(clean, tmp_path):
    made = worsen(clean, out=tmp_path / "out", volunteers=3, errors=2.0)
    truth, worse = Dataset.open(clean), made.dataset
    alike = []
    for mine, theirs in zip(truth.labelled, worse.labelled, strict=True):
        one, other = truth.read_mask(mine), worse.read_mask(theirs)
        assert ((one == 255) == (other == 255)).all()
        counted = one != 255
        both = ((one == 1) & (other == 1) & counted).sum()
        alike.append(both / (((one == 1) | (other == 1)) & counted).sum())
    assert made.purity == pytest.approx(np.mean(alike))


def test_images_splits_and_groups_stay(clean, tmp_path):
    made = worsen(clean, out=tmp_path / "out", volunteers=3).dataset
    before = Dataset.open(clean)
    for mine, theirs in zip(before.labelled, made.labelled, strict=True):
        assert (mine.name, mine.split, mine.group) == (theirs.name, theirs.split, theirs.group)
        assert before.content(mine) == made.content(theirs)
    assert any("made worse" in said for said in made.said)


def test_the_same_seed_draws_the_same(clean, tmp_path):
    one, again, other = (
        worsen(clean, out=tmp_path / name, volunteers=2, seed=seed).dataset
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    masks = [[d.read_mask(s) for s in d.labelled] for d in (one, again, other)]
    assert all(map(np.array_equal, masks[0], masks[1]))
    assert not all(map(np.array_equal, masks[0], masks[2]))


@pytest.mark.parametrize("words", [{"volunteers": 0}, {"volunteers": 3, "errors": -1.0}])
def test_impossible_crowds_are_refused(clean, tmp_path, words):
    with pytest.raises(SettingsError):
        worsen(clean, out=tmp_path / "out", **words)
