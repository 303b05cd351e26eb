import io
import threading

import numpy as np
import pytest
from PIL import Image

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.reviewing.pixels import (
    TILE,
    Kept,
    Pyramid,
    cached_file,
    halve,
    probability_steps,
    thumbnail,
    vote_steps,
)


def test_halving_averages_four_pixels_and_rounds_halves_up():
    planes = np.array([[[0, 2, 10], [4, 4, 20], [7, 8, 255]]], np.uint8)
    assert halve(planes).tolist() == [[[3, 15], [8, 255]]]


def test_a_pyramid_ends_where_all_of_it_fits_into_a_tile():
    depths = [Pyramid([np.zeros((1, 2, side), np.uint8)]).depth for side in (1, 512, 513, 8192)]
    assert depths == [1, 1, 2, 5]


def test_tiles_at_the_edge_are_what_is_left():
    planes = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((1, TILE + 3, TILE + 5), "u1")
    pyramid = Pyramid([planes])
    tile = np.asarray(Image.open(io.BytesIO(pyramid.tile(0, 1, 1, (2, 1, 0)))))
    assert tile.shape == (3, 5, 3)
    assert tile[0, 0].tolist() == [2, 1, 0]
    whole = np.asarray(Image.open(io.BytesIO(pyramid.tile(1, 0, 0, (1,)))))
    assert whole.shape == ((TILE + 4) // 2, (TILE + 6) // 2)
    with pytest.raises(InputError, match="no such tile"):
        pyramid.tile(1, 0, 1, (1,))


def test_probability_steps_cut_exactly_as_the_floats_do():
    edges = (np.arange(101) / 100).astype(np.float32)
    near = np.concatenate([edges, np.nextafter(edges, np.float32(-1)), [np.float32(np.nan)]])
    steps = probability_steps(near[np.newaxis])[0]
    assert steps[:101].tolist() == list(range(101))
    assert steps[101:-1].tolist() == [0, *range(100)]
    assert steps[-1] == 255


def test_votes_of_nobody_are_nothing():
    steps, voters = vote_steps(np.zeros((2, 2), np.uint8), None)
    assert (steps.tolist(), voters) == ([[0, 0], [0, 0]], 1)
    steps, voters = vote_steps(np.array([[0, 5]], np.uint8), 3)
    assert (steps.tolist(), voters) == ([[0, 100]], 5), "more marked it than are said to have voted"


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (4000, 2), (700, 900)])
def test_thumbnails_are_small_whatever_the_shape(shape):
    pixels = np.random.default_rng(0).integers(0, 255, (4, *shape)).astype(np.uint16)
    image = images.Image(pixels)
    picture = Image.open(io.BytesIO(thumbnail(image, [2, 1, 0], np.ones(shape, np.uint8))))
    assert max(picture.size) <= 240
    assert min(picture.size) >= 1


def test_a_thumbnail_is_as_bright_as_what_holds_data():
    pixels = np.full((1, 40, 40), 20, np.int16)
    pixels[:, :, 20:] = 60
    pixels[:, :12] = -9999
    place = images.Georeference("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), nodata=-9999.0)
    drawn = Image.open(io.BytesIO(thumbnail(images.Image(pixels, None, place), [0], None)))
    assert np.asarray(drawn)[30, [5, 35], 0].tolist() == pytest.approx([0, 255], abs=10)


def test_what_is_kept_is_made_once_and_the_oldest_goes_first():
    kept = Kept(10, len)
    made = []

    def make(name, size):
        return lambda: made.append(name) or "x" * size

    assert kept.get("a", make("a", 4)) == "xxxx"
    kept.get("b", make("b", 4))
    kept.get("a", make("a again", 4))
    kept.get("c", make("c", 4))  # too much: b was used least recently
    kept.get("a", make("a once more", 4))
    kept.get("b", make("b again", 4))
    assert made == ["a", "b", "c", "b again"]


def test_two_who_ask_at_once_wait_for_one_maker():
    kept, made, start = Kept(10, len), [], threading.Barrier(4)

    def ask():
        start.wait()
        kept.get("a", lambda: made.append(1) or "x")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_one_that_cannot_be_made_may_be_tried_again():
    kept = Kept(10, len)
    with pytest.raises(InputError):
        kept.get("a", lambda: (_ for _ in ()).throw(InputError("no")))
    assert kept.get("a", lambda: "x") == "x"


def test_a_disk_that_refuses_costs_the_cache_only(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert cached_file(tmp_path / "file" / "thumbnails" / "a.jpg", lambda: b"made") == b"made"
    path = tmp_path / "thumbnails" / "a.jpg"
    assert cached_file(path, lambda: b"made") == b"made"
    assert cached_file(path, lambda: b"never") == b"made"
    assert [one.name for one in path.parent.iterdir()] == ["a.jpg"]


def test_a_thumbnail_knows_the_mask_inside_the_image():
    pixels = np.full((1, 2000, 100), 200, np.uint8)
    pixels[:, :1000] = np.arange(100, dtype=np.uint8)
    hidden = np.zeros((2000, 100), dtype=bool)
    hidden[1000:] = True
    shown = thumbnail(images.Image(pixels, hidden=hidden), [0], None)
    bare = thumbnail(images.Image(pixels), [0], None)
    ground = [np.asarray(Image.open(io.BytesIO(one)).convert("L"))[:50] for one in (shown, bare)]
    assert ground[0].max() > 240 > 140 > ground[1].max(), "what is hidden does not stretch the rest"
