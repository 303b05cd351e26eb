"""Channels pair by name; the stem's numbers are worked out by hand; the mask stays the last."""

import pytest
import torch

from crosspatch.errors import SettingsError
from crosspatch.models.stem import plan_stem

RGB, BANDS = ("red", "green", "blue"), ("blue", "green", "red", "nir")
# (2 features, 3 channels, 1, 1), and with the discriminator's mask behind them.
STEM = torch.tensor([[10.0, 20.0, 60.0], [1.0, 2.0, 9.0]])[:, :, None, None]
WITH_MASK = torch.cat([STEM, torch.tensor([7.0, 8.0])[:, None, None, None]], dim=1)


def numbers(plan, theirs, channels):
    return plan.weights(theirs, channels)[:, :, 0, 0].tolist()


def test_copy_goes_by_name_and_a_new_channel_starts_at_zero():
    plan = plan_stem("copy", BANDS, RGB)
    assert numbers(plan, STEM, 3) == [[60, 20, 10, 0], [9, 2, 1, 0]]
    assert plan.said(BANDS, RGB) == {"blue": "blue", "green": "green", "red": "red", "nir": "zero"}


def test_mean_goes_by_name_and_a_new_channel_starts_as_the_mean():
    plan = plan_stem("mean", BANDS, RGB)
    assert numbers(plan, STEM, 3) == [[60, 20, 10, 30], [9, 2, 1, 4]]
    assert plan.said(BANDS, RGB)["nir"] == "mean of the source's"


@pytest.mark.parametrize(("stem", "new"), [("copy", [0, 0]), ("mean", [30, 4])])
def test_the_discriminators_mask_keeps_its_own_weights_and_is_in_no_mean(stem, new):
    plan = plan_stem(stem, BANDS, RGB)
    assert numbers(plan, WITH_MASK, 3) == [[60, 20, 10, new[0], 7], [9, 2, 1, new[1], 8]]


def test_four_bands_give_three_and_the_fourth_is_left():
    theirs = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])[:, :, None, None]  # b, g, r, nir, mask
    for stem in ("copy", "mean"):
        assert numbers(plan_stem(stem, RGB, BANDS), theirs, 4) == [[3, 2, 1, 5]]


def test_auto_copies_the_same_channels_in_any_order_and_skips_others():
    same = plan_stem("auto", ("Blue", "GREEN", "red"), RGB)
    assert (same.stem, same.origins) == ("copy", (2, 1, 0))
    other = plan_stem("auto", BANDS, RGB)
    assert other.stem == "skip"
    assert "red, green, blue -> blue, green, red, nir" in other.why
    assert plan_stem("auto", ("red", "green", "nir"), RGB).stem == "skip"
    assert plan_stem("auto", RGB[:2], RGB).stem == "skip"


def test_skip_is_skip_for_every_pair_so_that_a_studys_cells_compare():
    plan = plan_stem("skip", RGB, RGB)
    assert plan.stem == "skip"
    assert plan.said(RGB, RGB) == dict.fromkeys(RGB, "fresh")


def test_channels_without_names_count():
    unnamed = ("band 1", "band 2", "band 3")
    assert plan_stem("auto", unnamed, RGB).origins == (0, 1, 2)
    assert plan_stem("auto", RGB, unnamed).stem == "copy"
    four = (*unnamed, "band 4")
    assert plan_stem("auto", four, unnamed).stem == "skip"
    assert plan_stem("mean", four, unnamed).origins == (None,) * 4, "band 1 is no name to go by"


def test_copy_with_nothing_in_common_is_refused_and_mean_is_not():
    with pytest.raises(SettingsError, match=r"em -> red, green, blue.*--stem mean"):
        plan_stem("copy", RGB, ("em",))
    one = torch.tensor([[4.0, 9.0]])[:, :, None, None]  # em, mask
    assert numbers(plan_stem("mean", RGB, ("em",)), one, 1) == [[4, 4, 4, 9]]


def test_a_repeated_name_in_the_source_is_taken_once():
    assert plan_stem("copy", ("grey",), ("grey", "grey", "grey")).origins == (0,)
