"""A scene in windows is the scene in one piece; what an image lacks is said."""

import numpy as np
import pytest
import torch
from torch import nn

from crosspatch.crops.recipes import Resize
from crosspatch.crops.writing import pad
from crosspatch.errors import InputError, SettingsError
from crosspatch.images.resize import resize_image
from crosspatch.models.generator import Generator
from crosspatch.prediction.scene import (
    batch_of,
    check_units,
    choose_channels,
    lay_out,
    predict_probability,
    to_mask,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(3).integers(0, 40, shape).astype(dtype)


def test_channels_are_standardised_by_the_models_own_statistics(make_model, bands):
    pixels = np.array([[[10, 14]], [[20, 5]]], dtype=np.uint8)  # (2, 1, 2)
    said = predict_probability(make_model(), bands, pixels)
    # (10 - 10) / 2 - (20 - 20) / 5 = 0; (14 - 10) / 2 - (5 - 20) / 5 = 2 + 3 = 5
    np.testing.assert_allclose(said, [[0.5, sigmoid(5.0)]], rtol=1e-6)
    assert said.dtype == np.float32


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.float64, np.float32]
)
def test_every_dtype_gives_the_same_map(make_model, bands, dtype):
    expected = predict_probability(make_model(), bands, noise(2, 40, 50))
    said = predict_probability(make_model(), bands, noise(2, 40, 50, dtype=dtype))
    np.testing.assert_array_equal(said, expected)


def test_windows_equal_the_whole_where_the_overlap_covers_the_receptive_field(make_model):
    torch.manual_seed(1)
    # Three 3 x 3 convolutions see 3 pixels to each side; the dead margin is 8 / 2 = 4 pixels.
    network = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(),
        nn.Conv2d(6, 1, 3, padding=1),
    ).eval()  # fmt: skip
    pixels = noise(2, 70, 93)
    whole = predict_probability(make_model(), network, pixels, window=100)
    for window, batch in ((32, 3), (50, 8)):
        tiled = predict_probability(
            make_model(), network, pixels, window=window, halo=8, batch=batch
        )
        np.testing.assert_allclose(tiled, whole, atol=1e-6)
    seams = predict_probability(make_model(), network, pixels, window=32, halo=0)
    assert np.abs(seams - whole).max() > 1e-3


def test_windows_of_the_real_network_equal_the_whole_on_its_grid(make_model):
    torch.manual_seed(2)
    network = Generator(2, width=4, depth=2).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    # Depth 2 sees 3 + 2 * 3 = 9 pixels to each side and a little more on the way up: 16 covers it.
    pixels = noise(2, 331, 190)
    whole = predict_probability(make_model(), network, pixels, window=400)
    tiled = predict_probability(make_model(), network, pixels, window=128, halo=32)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (31, 200), (33, 32), (64, 64)])
def test_any_size_is_predicted_also_smaller_than_a_window(make_model, shape):
    network = Generator(2, width=4, depth=3).eval()
    said = predict_probability(make_model(), network, noise(2, *shape))
    assert said.shape == shape
    assert ((said >= 0) & (said <= 1)).all()


def test_the_resize_rule_is_applied_and_inverted(make_model):
    seen = []

    class Watch(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, image):
            seen.append(tuple(image.shape))
            return image[:, :1]

    pixels = np.full((2, 60, 44), 12, dtype=np.uint8)
    model = make_model(resize=Resize("scale", factor=0.5), crop_size=16)
    said = predict_probability(model, Watch().eval(), pixels)
    assert seen == [(1, 2, 30, 22)]
    np.testing.assert_allclose(said, np.full((60, 44), sigmoid(1.0)), rtol=1e-5)
    seen.clear()
    model = make_model(resize=Resize("to", 16, 16), crop_size=16)
    assert predict_probability(model, Watch().eval(), pixels).shape == (60, 44)
    assert seen == [(1, 2, 16, 16)]


def test_a_map_resized_back_keeps_its_place(make_model, bands):
    pixels = np.zeros((2, 40, 40), dtype=np.uint8)
    pixels[0, 8:24, 16:36] = 250  # edges on the coarse grid: rows 4 to 12, columns 8 to 18
    model = make_model(resize=Resize("scale", factor=0.5), mean=(100, 0), std=(1, 1))
    assert np.array_equal(
        to_mask(predict_probability(model, bands, pixels)), (pixels[0] > 0).astype(np.uint8)
    )


def test_no_data_is_nan_in_the_map_and_does_not_touch_its_neighbours(make_model, bands):
    pixels = noise(2, 20, 20, dtype=np.float32)
    clean = predict_probability(make_model(), bands, pixels)
    pixels[0, 3, 4], pixels[1, 5, 5] = np.nan, np.inf
    pixels[:, 9, :2] = -9999
    pixels[0, 0, 0] = -9999  # one channel alone may have the value by right
    said = predict_probability(make_model(), bands, pixels, nodata=-9999)
    holes = np.zeros((20, 20), dtype=bool)
    holes[3, 4] = holes[5, 5] = holes[9, 0] = holes[9, 1] = True
    assert np.array_equal(np.isnan(said), holes)
    known = ~holes
    known[0, 0] = False
    np.testing.assert_array_equal(said[known], clean[known])
    assert set(to_mask(said)[holes]) == {255}


def test_no_data_in_whole_numbers_is_shown_to_the_network_as_the_training_mean(make_model):
    seen = []

    class Watch(nn.Conv2d):
        def forward(self, image):
            seen.append(image.clone())
            return super().forward(image)

    pixels = noise(2, 8, 8)
    pixels[:, 2, 3] = 0
    predict_probability(make_model(mean=(10.4, 20.0)), Watch(2, 1, 1).eval(), pixels, nodata=0)
    np.testing.assert_allclose(seen[0][0, :, 2, 3], [(10 - 10.4) / 2, 0.0], atol=1e-6)


def test_an_image_of_nothing_is_a_map_of_nothing(make_model):
    class Unasked(nn.Conv2d):
        def forward(self, image):
            raise AssertionError("nothing is to be shown to the network")

    pixels = np.zeros((2, 4, 6), np.uint8)
    said = predict_probability(make_model(), Unasked(2, 1, 1).eval(), pixels, nodata=0)
    assert said.shape == (4, 6)
    assert np.isnan(said).all()


def test_bf16_changes_little(make_model):
    torch.manual_seed(4)
    network = Generator(2, width=8, depth=3).eval()
    pixels = noise(2, 64, 64)
    exact = predict_probability(make_model(), network, pixels)
    rough = predict_probability(make_model(), network, pixels, precision="bf16")
    assert rough.dtype == np.float32
    assert not np.array_equal(rough, exact)
    np.testing.assert_allclose(rough, exact, atol=0.02)


def test_an_image_of_other_channels_is_refused(make_model, bands):
    with pytest.raises(InputError, match=r"has 3 channels, but the model wants 2 \(red, nir\)"):
        predict_probability(make_model(), bands, noise(3, 8, 8))


def test_a_mask_holds_the_threshold_itself():
    probability = np.array([[0.4, 0.5, 0.6, np.nan]], dtype=np.float32)
    assert to_mask(probability).tolist() == [[0, 1, 1, 255]]
    assert to_mask(probability, 0.55).tolist() == [[0, 0, 1, 255]]


class TestChannels:
    landsat = ("blue", "green", "red", "nir")

    def test_are_found_by_name_in_any_order_and_spelling(self):
        names = ("Red", "green ", "Blue", "coastal", "N.I.R.")
        assert choose_channels(self.landsat, names, 5) == (2, 1, 0, 4)

    @pytest.mark.parametrize("names", [None, ("Layer_1", "Layer_2", "Layer_3", "Layer_4")])
    def test_are_taken_as_they_stand_where_the_number_fits_and_no_name_contradicts(self, names):
        assert choose_channels(self.landsat, names, 4) == (0, 1, 2, 3)

    def test_of_another_number_are_refused(self):
        message = (
            r"^has 3 channels \(red, green, blue\), but the model wants 4 "
            r"\(blue, green, red, nir\): name those to use with --bands, numbered from 1$"
        )
        with pytest.raises(InputError, match=message):
            choose_channels(self.landsat, ("red", "green", "blue"), 3)

    def test_of_other_names_in_part_are_refused(self):
        with pytest.raises(InputError, match=r"has 4 channels \(blue, green, red, swir\)"):
            choose_channels(self.landsat, ("blue", "green", "red", "swir"), 4)

    @pytest.mark.parametrize("count", [1, 3, 5])
    def test_of_another_number_than_names_are_refused_but_by_number(self, count):
        names = ("nir", "blue", "green", "red")
        message = rf"^has {count} channels?, but 4 names are declared \(nir, blue, green, red\)"
        with pytest.raises(InputError, match=message):
            choose_channels(("blue",), names, count)
        assert choose_channels(("blue",), names, count, bands=(1,)) == (0,)

    def test_named_twice_are_not_chosen_from(self):
        with pytest.raises(InputError, match="has 3 channels"):
            choose_channels(("red", "nir"), ("red", "nir", "nir"), 3)

    def test_by_number_count_from_one_and_win_over_names(self):
        assert choose_channels(self.landsat, self.landsat, 4, bands=(3, 2, 1, 4)) == (2, 1, 0, 3)

    @pytest.mark.parametrize(
        ("bands", "error", "message"),
        [
            ((1, 2, 3), SettingsError, r"names 3 channels, but the model wants 4"),
            ((0, 1, 2, 3), SettingsError, "counts channels from 1"),
            ((1, 2, 3, 5), InputError, "has 4 channels, but --bands asks for number 5"),
        ],
    )
    def test_by_wrong_numbers_are_refused(self, bands, error, message):
        with pytest.raises(error, match=message):
            choose_channels(self.landsat, None, 4, bands=bands)


class TestUnits:
    def test_of_the_same_type_need_no_word(self):
        assert check_units("uint8", noise(1, 2, 2)) is None

    def test_of_another_type_are_said(self):
        said = check_units("uint8", noise(1, 2, 2, dtype=np.float32))
        assert said.startswith("is float32, but the model was trained on uint8 images: its values")
        assert "taken as they are" in check_units("float32", noise(1, 2, 2))

    def test_beyond_what_the_model_can_have_seen_are_refused(self):
        pixels = np.array([[[3, 4000]]], dtype=np.uint16)
        message = "is uint16, but the model was trained on uint8 images and this one holds values"
        with pytest.raises(InputError, match=message + " from 3 to 4000"):
            check_units("uint8", pixels)

    def test_are_compared_without_nan(self):
        pixels = np.array([[[np.nan, np.inf, -1.0]]], dtype=np.float32)
        with pytest.raises(InputError, match="from -1 to -1"):
            check_units("uint8", pixels)
        pixels[...] = np.nan
        assert "float32" in check_units("uint8", pixels)

    def test_are_compared_without_what_holds_no_data(self):
        pixels = np.array([[[-9999, 3, 200]], [[-9999, 4, 100]]], dtype=np.int16)
        assert "is int16" in check_units("uint16", pixels, -9999.0)
        assert "is int16" in check_units("uint16", pixels[:, 0, 1:])
        pixels[1, 0, 0] = 5  # one channel alone may have that value by right
        with pytest.raises(InputError, match="from -9999 to 200"):
            check_units("uint16", pixels, -9999.0)


@pytest.mark.parametrize(
    ("resize", "side"), [(Resize(), (20, 40)), (Resize("scale", factor=0.5), (40, 80))]
)
def test_an_image_smaller_than_a_crop_is_mirrored_to_its_size_as_in_training(
    make_model, resize, side
):
    seen = []

    class Watch(nn.Module):
        multiple = 16

        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, image):
            seen.append(image)
            return image[:, :1]

    pixels = noise(2, *side)
    model = make_model(resize=resize, crop_size=32, mean=(0, 0), std=(1, 1))
    said = predict_probability(model, Watch().eval(), pixels)
    small = resize_image(pixels, resize.shape(*side))
    trained, _ = pad(small, np.zeros(small.shape[1:], np.uint8), 32)
    assert trained.shape == (2, 32, 40)
    (shown,) = seen
    np.testing.assert_allclose(shown[0, :, :, :40], trained, rtol=1e-6)
    assert said.shape == side
    assert not np.isnan(said).any()


def test_windows_in_a_batch_count_what_is_mirrored(make_model):
    layout = lay_out(make_model(crop_size=512).facts, 16, 16)
    assert layout.pixels == 512 * 512
    assert batch_of(layout, "cpu") == 4
