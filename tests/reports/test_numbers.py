"""The tables of a study's report: what each kind of weights comes to stands in one of its own."""

import polars as pl
import pytest

from crosspatch.reports.study.material import read_material
from crosspatch.reports.study.numbers import difference_section
from studied import study, write_study

BOTH = ("averaged", "plain")
ONE_SHARE = {"scratch": {1.0: 0.7}, "photos": {1.0: 0.7}}


def exact(curves=ONE_SHARE, **words):
    return study(curves, of_seed=0.003, of_both=0.003, **words)


def better_by_plain_weights(rows, gain=0.05):
    """Photos do better by so much, where the plain weights are scored."""
    lucky = (pl.col("arm") == "photos") & (pl.col("weights") == "plain")
    return rows.with_columns(iou=pl.col("iou") + pl.when(lucky).then(gain).otherwise(0.0))


def differences(folder, rows):
    """Give the words above the tables, and the tables."""
    material = read_material(write_study(folder, rows), resamples=400)
    section = difference_section(material)
    (text, *tables) = section.blocks
    return material, " ".join(text.paragraphs), tables


def test_a_difference_that_only_the_plain_weights_show_is_seen(tmp_path):
    _, told, (averaged, plain) = differences(tmp_path, better_by_plain_weights(exact(weights=BOTH)))
    assert averaged.caption.startswith("Averaged weights; p corrected for 1 comparison; ")
    assert plain.caption.startswith("Plain last weights; p corrected for 1 comparison; ")
    ((_, _, by_averaged, *_),), ((_, _, by_plain, corrected, *_),) = averaged.rows, plain.rows
    assert abs(float(by_averaged.split(" ")[0])) < 0.01
    assert float(by_plain.split(" ")[0]) == pytest.approx(0.05, abs=0.01)
    assert corrected == "< 0.001"
    assert "beforehand to be of the averaged weights, and so is all that stands above" in told
    assert "in both tables together it is up to 10%" in told


def test_p_values_are_corrected_within_each_kind_of_weights(tmp_path):
    rows = exact(ONE_SHARE | {"em": {1.0: 0.7}}, weights=BOTH, random=3)
    rows = rows.filter((pl.col("arm") != "em") | (pl.col("weights") == "plain"))
    material, _, (averaged, plain) = differences(tmp_path, rows)
    ((one,),) = [material.findings["averaged"].gaps]
    assert one.p == one.difference.p  # alone in its table: nothing to correct for
    two = sorted(material.findings["plain"].gaps, key=lambda gap: gap.difference.p)
    assert two[0].p == pytest.approx(min(1, 2 * two[0].difference.p))
    assert two[1].p == max(two[0].p, two[1].difference.p)
    assert [len(averaged.rows), len(plain.rows)] == [1, 2]
    assert "corrected for 2 comparisons;" in plain.caption


@pytest.mark.parametrize(
    ("weights", "table", "says"),
    [
        (
            "plain",
            "Plain last weights",
            "nothing was scored with these, so here it is of the plain",
        ),
        ("averaged", "Averaged weights", "of the plain last weights nothing was scored"),
    ],
)
def test_a_study_of_one_kind_of_weights_has_one_table_and_says_so(tmp_path, weights, table, says):
    _, told, (only,) = differences(tmp_path, exact(weights=(weights,)))
    assert only.caption.startswith(table)
    assert len(only.rows) == 1
    assert says in told
    assert "both tables" not in told


def test_an_arm_without_averaged_weights_is_compared_by_its_plain_ones(tmp_path):
    rows = exact(weights=BOTH)
    rows = rows.filter((pl.col("arm") != "photos") | (pl.col("weights") == "plain"))
    material, told, (only,) = differences(tmp_path, rows)
    assert not material.headline.gaps
    assert only.caption.startswith("Plain last weights")
    assert only.rows[0][0] == "photos"
    assert "fixed beforehand to be of the averaged weights" in told


def test_without_anything_to_compare_there_is_no_such_section(tmp_path):
    rows = exact({"scratch": {1.0: 0.7}}, weights=BOTH)
    assert difference_section(read_material(write_study(tmp_path, rows), resamples=50)) is None


def test_three_groups_are_too_few_for_an_interval_and_it_is_said_once(tmp_path):
    _, told, tables = differences(tmp_path, exact(weights=BOTH, groups=3))
    assert told.count("There are only 3 test groups with foreground") == 1
    assert all("(" not in table.rows[0][2] for table in tables)
