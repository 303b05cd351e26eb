import numpy as np
import pytest
import torch

from crosspatch.crops.augment import apply_versions
from crosspatch.crops.recipes import VERSIONS


def by_numpy(square, version):
    """The definition, by another library: a left-right flip from 4 on, then quarter turns."""
    flipped = square[..., ::-1] if version >= 4 else square
    return np.rot90(flipped, version % 4, axes=(-2, -1))


def batch_of(versions, size=5, channels=3):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (len(versions), channels, size, size), dtype=np.uint8)
    return images, images[:, 0] // 2, torch.tensor(versions)


@pytest.mark.parametrize("version", range(VERSIONS))
def test_every_version_is_what_numpy_makes_of_it(version):
    images, masks, versions = batch_of([version])
    turned, turned_masks = apply_versions(
        torch.from_numpy(images), torch.from_numpy(masks), versions
    )
    assert np.array_equal(turned.numpy(), by_numpy(images, version))
    assert np.array_equal(turned_masks.numpy(), by_numpy(masks, version))


def test_a_corner_goes_where_it_should():
    # one bright pixel at upper right: where each version puts it
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 3] = 1
    went = {}
    for version in range(VERSIONS):
        turned, _ = apply_versions(image, image[:, 0], torch.tensor([version]))
        went[version] = tuple(int(i) for i in np.argwhere(turned[0, 0].numpy())[0])
    upper_left, upper_right, lower_left, lower_right = (0, 0), (0, 3), (3, 0), (3, 3)
    assert went == {
        0: upper_right, 1: upper_left, 2: lower_left, 3: lower_right,
        4: upper_left, 5: lower_left, 6: lower_right, 7: upper_right,
    }  # fmt: skip


def test_versions_of_a_square_are_eight_different_ones():
    images, masks, _ = batch_of([0])
    eight = {
        apply_versions(torch.from_numpy(images), torch.from_numpy(masks), torch.tensor([v]))[0]
        .numpy()
        .tobytes()
        for v in range(VERSIONS)
    }
    assert len(eight) == VERSIONS


def test_each_sample_of_a_mixed_batch_gets_its_own_and_its_mask_follows():
    wanted = [6, 0, 3, 6, 1, 7, 0]
    images, masks, versions = batch_of(wanted)
    turned, turned_masks = apply_versions(
        torch.from_numpy(images), torch.from_numpy(masks), versions
    )
    for place, version in enumerate(wanted):
        assert np.array_equal(turned[place].numpy(), by_numpy(images[place], version))
        assert np.array_equal(turned_masks[place].numpy(), by_numpy(masks[place], version))


@pytest.mark.parametrize("version", range(VERSIONS))
def test_every_version_can_be_undone_exactly(version):
    images, masks, versions = batch_of([version])
    turned, _ = apply_versions(torch.from_numpy(images), torch.from_numpy(masks), versions)
    back = np.rot90(turned.numpy(), -(version % 4), axes=(-2, -1))
    assert np.array_equal(back[..., ::-1] if version >= 4 else back, images)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32, torch.float64])
def test_dtypes_are_kept_and_inputs_left_alone(dtype):
    images, masks, versions = batch_of([5, 2])
    given = torch.from_numpy(images).to(dtype)
    before = given.clone()
    turned, turned_masks = apply_versions(given, torch.from_numpy(masks), versions)
    assert turned.dtype == dtype
    assert turned_masks.dtype == torch.uint8
    assert torch.equal(given, before)


def test_oblong_crops_are_refused():
    with pytest.raises(ValueError, match="square"):
        apply_versions(torch.zeros(1, 1, 4, 5), torch.zeros(1, 4, 5), torch.tensor([1]))


@pytest.mark.parametrize("version", [-1, 8])
def test_unknown_versions_are_refused(version):
    with pytest.raises(ValueError, match="0 to 7"):
        apply_versions(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4), torch.tensor([version]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_the_device_it_is_the_same():
    images, masks, versions = batch_of(list(range(VERSIONS)))
    here = apply_versions(torch.from_numpy(images), torch.from_numpy(masks), versions)
    there = apply_versions(
        torch.from_numpy(images).cuda(), torch.from_numpy(masks).cuda(), versions
    )
    assert there[0].device.type == "cuda"
    assert all(torch.equal(a, b.cpu()) for a, b in zip(here, there, strict=True))
