import shutil

import numpy as np
import pytest

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.reviewing.material import open_material
from crosspatch.workflows.review import review
from folders import make


def queue(path, *rows, columns="name,rank,reason,priority"):
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")


def names(material):
    return [item.name for item in material.items]


def test_predictions_know_what_their_images_came_from(maps, kelp_once):
    material = open_material(maps)
    assert (material.kind, material.foreground, material.threshold) == ("predictions", "kelp", 0.5)
    assert material.channel_names == kelp_once.channel_names
    assert material.licence == "CC0-1.0"
    by_name = {item.name: item for item in material.items}
    for subject in kelp_once.labelled:
        item = by_name[subject.name]
        assert (item.split, item.group) == (subject.split, subject.group)
        assert item.image == subject.image
        assert item.probability.is_file()
        assert not item.problem


def test_the_queue_gives_the_order_and_the_reasons(maps):
    last, first = names(open_material(maps))[5], names(open_material(maps))[0]
    queue(maps.parent / "queue.csv", f"{last},1,the model is unsure,1", f"{first},2,few like it,2",
          "stranger,3,,3")  # fmt: skip
    material = open_material(maps)
    assert names(material)[:2] == [last, first]
    assert len(material.items) == 8
    assert material.items[0].reason == "the model is unsure"
    assert "1 of its 3 subjects are not in this folder" in material.said[-1]
    queue(maps / "queue.csv", f"{first},,,", columns="name,rank,reason,priority")
    assert names(open_material(maps))[0] == first, "the one in the folder comes before that beside"


def test_the_rank_orders_where_the_rows_do_not(maps):
    a, b = names(open_material(maps))[:2]
    queue(maps / "queue.csv", f"{a},2,,", f"{b},1,,")
    assert names(open_material(maps))[:2] == [b, a]


def test_a_table_without_names_is_no_queue(maps, tmp_path):
    queue(tmp_path / "other.csv", "a,b", columns="x,y")
    with pytest.raises(InputError, match="no column 'name'"):
        open_material(maps, queue=tmp_path / "other.csv")


@pytest.mark.parametrize("written", ["old/place/kelp/images/", "/gone/old/place/kelp/images/"])
def test_images_are_found_where_all_of_it_was_moved_together(
    maps, kelp_once, rewrite, tmp_path, written
):
    shutil.copytree(kelp_once.path, tmp_path / "kelp")
    rewrite(
        maps / "predictions.csv",
        lambda row: row.update(file=written + row["file"].replace("\\", "/").rsplit("/", 1)[1]),
    )
    items = open_material(maps).items
    assert [item.problem for item in items] == [""] * len(items)
    assert {item.image.parent for item in items} == {tmp_path / "kelp/images"}
    shutil.move(tmp_path / "kelp/images", tmp_path / "images")  # its data set is gone: no such end
    assert all("--images" in item.problem for item in open_material(maps).items)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/b", "..", "", "c:x", "nul\0l"])
def test_names_that_lead_elsewhere_are_problems(maps, rewrite, name):
    rewrite(maps / "predictions.csv", lambda row: row.update(name=name))
    for item in open_material(maps).items:
        assert item.problem
        assert item.image is item.mask is None


@pytest.mark.parametrize("mask", ["../../secret.png", "/etc/passwd", "masks/../../x.png"])
def test_masks_that_lie_elsewhere_are_not_read(maps, rewrite, tmp_path, mask):
    images.write_mask(tmp_path.parent / "secret.png", np.ones((96, 80), np.uint8))
    rewrite(maps / "predictions.csv", lambda row: row.update(mask=mask))
    assert all(item.mask is None for item in open_material(maps).items)


@pytest.mark.parametrize("file", ["", "/etc/passwd", "gone.png", "../../predictions.toml"])
def test_images_that_are_none_are_problems(maps, rewrite, file):
    rewrite(maps / "predictions.csv", lambda row: row.update(file=file))
    assert all(item.problem and item.image is None for item in open_material(maps).items)


def test_images_that_were_moved_are_found_by_name(maps, rewrite, kelp_once):
    rewrite(maps / "predictions.csv", lambda row: row.update(file="/old/" + row["name"] + ".tif"))
    assert open_material(maps).items[0].problem
    moved = open_material(maps, image_folder=kelp_once.path / "images")
    assert not any(item.problem for item in moved.items)
    assert moved.items[0].group == "kelp-000"


def test_a_link_out_of_the_folder_is_not_followed(maps, open_desk, tmp_path):
    secret = tmp_path / "secret.png"
    images.write_mask(secret, np.ones((96, 80), np.uint8))
    desk = open_desk(maps)
    mask = desk.material.items[0].mask
    mask.unlink()
    mask.symlink_to(secret)
    assert "leads out" in desk.describe(0)["warning"]
    assert not desk.mask(0).any()
    linked = desk.thumbnail(0)
    mask.unlink()
    assert linked == open_desk(maps).thumbnail(0), "drawn as if there were no mask"


def test_a_data_set_is_reviewed_with_its_own_meanings(tmp_path, open_desk):
    folder = make(tmp_path / "set", value=255, mask_values={"background": [0], "foreground": [255]})
    (folder / "masks/b.png").unlink()
    desk = open_desk(folder)
    assert desk.material.kind == "dataset"
    assert set(np.unique(desk.mask(0))) == {0, 1}
    assert not desk.mask(1).any()
    assert desk.describe(1)["warning"] == "", "an image without a mask may be empty by right"
    assert desk.decide(1, 0, "accepted", "").decision == "accepted"


def test_votes_are_shares_of_those_who_voted(tmp_path, open_desk):
    folder = make(tmp_path / "set", foreground="kelp")
    counts = np.zeros((20, 24), np.uint8)
    counts[0, :3] = (1, 3, 4)
    images.write_mask(folder / "votes/a.png", counts)
    images.write_mask(folder / "votes/b.png", counts)
    (folder / "subjects.csv").write_text("name,status,voters\na,mask,8\n")
    desk = open_desk(folder)
    shares, voters = desk.votes(0)
    assert voters == 8
    assert shares[0, :4].tolist() == [12, 38, 50, 0]
    shares, voters = desk.votes(1)
    assert voters == 4, "nobody wrote down how many: the largest count"
    assert shares[0, :4].tolist() == [25, 75, 100, 0]


def test_what_is_neither_predictions_nor_data_set_is_said(tmp_path):
    with pytest.raises(InputError, match="neither a predictions folder"):
        open_material(tmp_path)


def test_a_subject_that_is_named_twice_is_there_once(maps, rewrite):
    rewrite(maps / "predictions.csv", lambda row: row.update(name="kelp-000-0"))
    problems = [item.problem for item in open_material(maps).items]
    assert problems == [""] + ["the table names it twice"] * 7


def test_decisions_are_not_written_through_a_link(maps, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (maps / "reviews").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out"):
        review(maps, port=0, ready=lambda link, desk: None)
    assert list((tmp_path / "elsewhere").iterdir()) == []
