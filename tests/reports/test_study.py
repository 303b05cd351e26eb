"""The report of a study says what its tables hold, first in one sentence, finished or not."""

import re
import shutil
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import polars as pl
import pytest

from crosspatch.dataset import Dataset
from crosspatch.errors import InputError, SettingsError
from crosspatch.evaluation.subjects import model_method
from crosspatch.files import fingerprint_bytes, read_toml, write_toml
from crosspatch.reports.study.material import read_material
from crosspatch.reports.study.pictures import RULE
from crosspatch.reports.study.words import answer
from crosspatch.studies.tables import FAILED, FAILED_COLUMNS
from crosspatch.workflows.report import report
from sources import make_source
from studied import (
    FLAT,
    RISING,
    learning_of,
    study,
    write_models,
    write_study,
    write_target,
)

BASELINES = {"threshold": 0.4, "forest": 0.5}
BETTER = dict.fromkeys(RISING, 0.78)
FEW = (0.1, 0.5, 1.0)


def some(curve):
    return {fraction: curve[fraction] for fraction in FEW}


def quiet(**curves):
    return study(curves, of_seed=0.003, of_both=0.003, baselines=BASELINES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished study of small images, with models; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    rows = study(
        {"scratch": some(RISING), "photos": some(BETTER)}, seeds=2, groups=6, per_group=1,
        of_seed=0.003, of_both=0.003, baselines=BASELINES, weights=("averaged", "plain"),
    )  # fmt: skip
    write_target(folder / "kelp", rows)
    write_study(folder / "out", rows, dataset="../kelp", learning=learning_of(rows))
    write_models(folder / "out", rows)
    return folder / "out"


@pytest.fixture(scope="module")
def page(whole):
    return report(whole).path.read_text(encoding="utf-8")


def copied(whole, to):
    """Copy a study and its target beside it."""
    shutil.copytree(whole.parent, to / "study")
    return to / "study" / whole.name


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.sources, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for key, value in attrs if key in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.words.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    return reader


def said(folder, rows, **words):
    return answer(read_material(write_study(folder, rows, **words), resamples=400))


class TestTheAnswer:
    def test_is_a_share_of_the_labels_with_its_interval(self, tmp_path):
        text = said(tmp_path, quiet(scratch=RISING, photos=BETTER))
        assert "a model that starts from photos needs at most 2.5% of the labels" in text
        assert "(95% interval: at most 2.5% to at most 2.5%)" in text
        assert re.search(r"all 120 labelled subjects \(mean IoU 0\.\d\d, 0\.\d\d to", text)

    def test_says_whether_a_saving_is_shown(self, tmp_path):
        def of(name, **curves):
            rows = quiet(**curves, **{"twice-as-long": {1.0: RISING[1.0] + 0.002}})
            return said(tmp_path / name, rows, learning=learning_of(rows))

        text = of("one", scratch=RISING, photos=BETTER)
        assert text.startswith("On kelp a start from photos saves labels: to score like training")
        text = of("none", scratch=RISING, photos=RISING)
        assert text.startswith("On kelp it is not shown that a good start saves labels: to score")
        text = of("some", scratch=RISING, photos=BETTER, em=RISING)
        assert "a start from photos saves labels, which is not shown of em: to score" in text

    def test_sets_the_share_that_scratch_itself_needs_beside_it(self, tmp_path):
        flat = RISING | {0.5: 0.75, 0.75: 0.75}
        text = said(tmp_path, quiet(scratch=flat, photos=flat))
        assert "is not shown" in text
        assert re.search(r"and one from scratch itself \d+% \(", text)

    def test_does_not_say_all_of_a_start_that_was_tried_with_few_labels_only(self, tmp_path):
        rows = quiet(scratch=RISING, photos={0.1: 0.5})
        text = said(tmp_path, rows)
        assert "a model that starts from photos needs more than 10% of the labels, and" in text

    def test_only_seems_so_where_a_rule_was_not_kept(self, tmp_path):
        text = said(tmp_path / "steps", quiet(scratch=RISING, photos=BETTER))
        assert "a start from photos seems to save labels:" in text
        rows = quiet(scratch=RISING, photos=BETTER)
        text = said(tmp_path / "epochs", rows, epochs=50)
        assert "a start from photos seems to save labels or steps:" in text

    def test_counts_the_trainings_that_had_not_settled(self, tmp_path):
        rows = quiet(scratch=RISING, photos=BETTER)
        curves = learning_of(rows)
        restless = (pl.col("arm") == "photos") & (pl.col("fraction") == 1.0) & (pl.col("seed") < 2)
        moved = pl.when(restless).then(pl.col("step") * 0.005).otherwise(pl.col("averaged_iou"))
        text = said(tmp_path / "some", rows, learning=curves.with_columns(averaged_iou=moved))
        assert "; 2 of 70 trainings had not settled at their end" in text
        assert "settled" not in said(tmp_path / "all", rows, learning=curves)
        few = pl.when(pl.col("fraction") > 0.1).then(pl.col("averaged_iou"))
        text = said(tmp_path / "few", rows, learning=curves.with_columns(averaged_iou=few))
        assert "; whether 30 of 70 trainings had settled is not known" in text
        both = pl.when(restless).then(moved).otherwise(few)
        text = said(tmp_path / "both", rows, learning=curves.with_columns(averaged_iou=both))
        assert "; 2 of 40 trainings had not settled at their end, and of 30 more it is not" in text
        nothing = curves.with_columns(averaged_iou=pl.lit(None, dtype=pl.Float64))
        text = said(tmp_path / "unknown", rows, learning=nothing)
        assert "whether its trainings had settled is not known" in text

    def test_names_a_source_of_which_there_is_one_checkpoint(self, tmp_path):
        rows = quiet(scratch=RISING, photos=BETTER, em=RISING)
        sources = {"photos": {"model": "../photos"}, "em": {"datasets": ["../em"]}}
        text = said(tmp_path, rows, sources=sources)
        assert "; from one checkpoint of photos, for which alone this holds" in text

    def test_says_that_nobody_knows_whether_the_target_deserves_a_claim(self, tmp_path):
        rows = study({"scratch": RISING, "photos": BETTER})
        text = said(tmp_path, rows)
        assert "seems to save" in text
        assert "deserves a claim about labels is not known (pixel baselines not run)" in text

    def test_counts_what_failed_apart_from_what_is_to_come(self, tmp_path):
        rows = quiet(scratch=RISING, photos=BETTER)
        folder = write_study(tmp_path, rows, missing=["photos-late", "photos-bad"])
        failed = {name: ["photos-bad" if name == "run" else "?"] for name in FAILED_COLUMNS}
        pl.DataFrame(failed).write_csv(folder / FAILED)
        material = read_material(folder, resamples=400)
        assert (material.missing, material.broken) == (["photos-late"], ["photos-bad"])
        text = answer(material)
        assert re.search(r"with 1 of \d+ runs still to come", text)
        assert "without 1 run that failed" in text

    def test_does_not_take_another_way_from_scratch_for_a_start(self, tmp_path):
        rows = quiet(scratch=RISING, photos=BETTER, augmented=BETTER).with_columns(
            kind=pl.when(pl.col("arm") == "augmented").then(pl.lit("scratch")).otherwise("kind"),
            source=pl.when(pl.col("arm") == "augmented").then(None).otherwise("source"),
        )
        text = said(tmp_path, rows)
        assert "photos" in text
        assert "augmented" not in text

    def test_has_digits_enough_beside_a_limit(self, tmp_path):
        curves = {"scratch": RISING, "photos": BETTER, "twice-as-long": {1.0: 0.75}}
        rows = study(curves, of_seed=0, of_both=0, of_subject=0, baselines=BASELINES)
        longer = pl.when(pl.col("kind") == "check").then(0.01004).otherwise(0.0)
        text = said(tmp_path, rows.with_columns(iou=pl.col("iou") + longer))
        assert "from scratch gains 0.01004 from twice as many" in text

    def test_names_every_source_where_they_are_few(self, tmp_path):
        text = said(tmp_path, quiet(scratch=RISING, photos=BETTER, em=RISING, water=RISING))
        assert "photos" in text
        assert "one from em" in text
        assert ", one from water" in text
        assert ", and one from scratch itself" in text

    def test_says_that_the_best_of_many_was_found_on_the_test_subjects(self, tmp_path):
        arms = dict.fromkeys(("scratch", "a", "b", "c", "d"), RISING)
        assert "the best of them on these very test subjects" in said(tmp_path, quiet(**arms))

    def test_is_refused_where_labels_do_not_matter(self, tmp_path):
        text = said(tmp_path, quiet(scratch=FLAT, photos=FLAT))
        assert "cannot say how many labels" in text
        assert "labels do not matter enough" in text
        assert "above training with 10% of them" in text or "below training with 10%" in text

    def test_has_no_interval_under_five_groups_and_says_so(self, tmp_path):
        rows = study({"scratch": RISING, "photos": BETTER}, groups=3, baselines=BASELINES)
        text = said(tmp_path, rows)
        assert "95% interval" not in text
        assert "3 test groups only, so without an interval" in text

    def test_says_too_few_steps_in_the_same_sentence(self, tmp_path):
        curves = {"scratch": RISING, "photos": BETTER, "twice-as-long": {1.0: 0.8}}
        assert "with too few steps: from scratch gains 0.0" in said(tmp_path, quiet(**curves))

    def test_says_what_its_budget_was_in_the_same_sentence(self, tmp_path):
        rows = quiet(scratch=RISING, photos=BETTER)
        text = said(tmp_path / "steps", rows)
        assert "; whether its steps were enough has not been measured" in text
        text = said(tmp_path / "epochs", rows, epochs=50)
        assert text.endswith("; with equal epochs, so that fewer labels also mean fewer steps.")

    def test_says_one_seed_in_the_same_sentence(self, tmp_path):
        rows = study({"scratch": RISING, "photos": BETTER}, seeds=1, baselines=BASELINES)
        text = said(tmp_path, rows)
        assert "one seed only" in text
        assert text.count(". ") == 0

    def test_waits_for_scratch_with_all_labels(self, tmp_path):
        rows = quiet(scratch={0.1: 0.5}, photos=BETTER)
        assert "no answer on kelp yet" in said(tmp_path, rows)

    def test_waits_for_nothing_that_was_not_planned(self, tmp_path):
        rows = quiet(scratch={0.1: 0.5}, photos={0.1: 0.6})
        text = said(tmp_path, rows, fractions=[0.1])
        assert text.startswith("On kelp starts are compared with 10% of the labels")
        assert "yet" not in text

    def test_of_a_study_without_sources_compares_nothing(self, tmp_path):
        assert "nothing to compare" in said(tmp_path, quiet(scratch=RISING))

    def test_counts_the_runs_that_are_missing(self, tmp_path):
        text = said(tmp_path, quiet(scratch=RISING, photos=BETTER), missing=["photos-late"])
        assert re.search(r"with 1 of \d+ runs still to come", text)

    def test_says_that_images_are_generated(self, whole, tmp_path):
        assert "on generated images" in answer(read_material(whole))
        rows = quiet(scratch=RISING)
        elsewhere = write_study(tmp_path, rows)
        table = read_toml(elsewhere / "study.toml")
        table["target"]["origin"] = "generated"  # as the study wrote it where the images were
        write_toml(elsewhere / "study.toml", table, says="A study.")
        assert "on generated images" in answer(read_material(elsewhere))


class TestThePage:
    def test_opens_with_the_answer(self, page, whole):
        words = page.split("</header>")[0]
        assert answer(read_material(whole)) in words

    def test_has_every_part(self, page):
        titles = re.findall(r"<h2>(.*?)</h2>", page)
        assert titles == [
            "Labels saved", "Do labels matter here?",
            "Against training from scratch", "The data", "Typical, best and worst subjects",
            "Learning curves", "All scores", "The two networks", "Every setting",
            "What it took, and what is missing", "Limits",
        ]  # fmt: skip

    def test_sets_starts_against_scratch_by_both_kinds_of_weights(self, page):
        section = page.split("<h2>Against training from scratch</h2>")[1].split("<h2>")[0]
        captions = re.findall(r"<caption>(.*?);", section)
        assert captions == ["Averaged weights", "Plain last weights"]

    def test_loads_nothing_from_elsewhere(self, page):
        reader = read(page)
        assert "script" not in reader.tags
        assert all(one.startswith(("data:", "#")) for one in reader.sources)

    def test_holds_no_place_of_the_machine(self, page, tmp_path_factory):
        assert str(tmp_path_factory.getbasetemp()) not in page.replace("&#39;", "'")

    def test_shows_the_same_subjects_of_every_model_by_a_stated_rule(self, page):
        assert RULE in "".join(read(page).words)
        rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', page)
        assert [name for name, _ in rows] == ["", "from scratch", "photos"] * 6
        assert {cells.count("<img") for _, cells in rows} == {3}

    def test_shows_four_bands_in_true_colour_and_near_infrared(self, page):
        spans = re.findall(r"<span>(true colour|near infrared|mask)</span>", page)
        assert spans == ["true colour", "near infrared", "mask"] * 7  # six, and Figure 2

    def test_is_the_same_when_made_again(self, page, whole):
        assert report(whole).path.read_text(encoding="utf-8") == page

    def test_keeps_its_figures_beside_it(self, page, whole):
        paths = sorted((whole / "figures").glob("*.svg"))
        names = {path.stem for path in paths}
        assert names >= {"figure-1", "figure-4", "labels-needed", "differences", "learning-10"}
        for path in paths:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")

    def test_draws_each_mask_once(self, page, whole, tmp_path):
        copy = copied(whole, tmp_path)
        shutil.rmtree(copy / "runs")
        assert report(copy).path.read_text(encoding="utf-8").count("<img") == page.count("<img")

    def test_draws_masks_in_the_windows_that_were_scored(self, whole, tmp_path, monkeypatch):
        copy = copied(whole, tmp_path)
        kept = {path.name for path in (copy / "pictures").iterdir()}
        shutil.rmtree(copy / "pictures")
        asked = []

        def method(model, dataset, **words):
            asked.append(words["window"] == model.facts.crop_size)
            return model_method(model, dataset, **words)

        monkeypatch.setattr("crosspatch.reports.study.pictures.model_method", method)
        report(copy)
        assert asked
        assert all(asked)
        assert {path.name for path in (copy / "pictures").iterdir()} == kept

    def test_takes_no_mask_that_was_drawn_in_another_way(self, page, whole):
        kept = {path.stem for path in (whole / "pictures").iterdir()}
        pairs = read_material(whole).results.select("run", "subject").unique().rows()
        older = {fingerprint_bytes(run.encode(), b"averaged", subject.encode())[:20]
                 for run, subject in pairs}  # fmt: skip
        assert kept
        assert not kept & older

    def test_without_models_says_scores_all_the_same(self, whole, tmp_path):
        copy = copied(whole, tmp_path)
        shutil.rmtree(copy / "runs")
        shutil.rmtree(copy / "pictures")
        html = report(copy).path.read_text(encoding="utf-8")
        assert "Typical, best and worst" in html
        assert html.count("prediction against mask") == 0

    def test_hides_images_where_asked_to(self, whole, tmp_path):
        copy = copied(whole, tmp_path)
        html = report(copy, hide=["kelp"]).path.read_text(encoding="utf-8")
        assert "<img" not in html


def test_a_name_to_hide_that_no_study_has_is_refused_before_anything_is_shown(tmp_path):
    rows = quiet(scratch={1.0: 0.7})
    one = write_study(tmp_path / "one", rows, target="kelp", sources={"people": {}})
    other = write_study(tmp_path / "other", rows, target="lakes", sources={"photos": {}})
    with pytest.raises(SettingsError, match=r"^--hide poeple: .* there are kelp, people$"):
        report(one, hide=["kelp", "poeple"])
    with pytest.raises(SettingsError, match=r"there are kelp, people, lakes, photos$"):
        report([one, other], out=tmp_path / "both", hide=["nobody"])
    assert not (one / "report.html").exists()
    assert not (tmp_path / "both").exists()
    report(one, hide=["people", "kelp"])
    report([one, other], out=tmp_path / "both", hide=["people", "photos"])


def test_the_networks_are_drawn_with_the_channels_that_they_have(tmp_path):
    rows = quiet(scratch={1.0: 0.7})
    folder = write_study(tmp_path, rows)
    told = "".join(read(report(folder).path.read_text(encoding="utf-8")).words)
    assert "3 channels (how many the target has is not known here)" in told
    for run in rows.filter(pl.col("kind") != "baseline")["run"].unique():
        (folder / "runs" / run).mkdir(parents=True)
        make_source(folder / "runs" / run / "model", ("band 1", "band 2"))
    told = "".join(read(report(folder).path.read_text(encoding="utf-8")).words)
    assert "64 pixels and 2 channels:" in told


def test_a_planned_study_has_a_page_too(tmp_path):
    rows = study({"scratch": RISING}).clear()
    folder = write_study(tmp_path, rows, missing=["scratch-100-s0"])
    made = report(folder)
    html = made.path.read_text(encoding="utf-8")
    assert "no run has been scored" in made.answer
    assert "1 runs to come" in html
    assert "The two networks" in html


def test_a_study_that_is_still_running_says_what_is_missing(tmp_path):
    rows = quiet(scratch=RISING, photos=BETTER)
    late = (pl.col("arm") == "photos") & (pl.col("fraction") == 1.0) & (pl.col("seed") == 4)
    names = rows.filter(late)["run"].unique().to_list()
    folder = write_study(tmp_path, rows.filter(~late), missing=names)
    html = report(folder).path.read_text(encoding="utf-8")
    assert "still running: 1 of" in html
    assert names[0] in html


def test_failed_runs_are_listed_with_their_reason(tmp_path):
    folder = write_study(tmp_path, quiet(scratch=RISING, photos=BETTER))
    (folder / "failed.csv").write_text("run,why\nem-10-s0,out of <memory>\n", encoding="utf-8")
    html = report(folder).path.read_text(encoding="utf-8")
    assert "out of &lt;memory&gt;" in html


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "$x_{1}$ & b"])
def test_whatever_things_are_called_stays_text(tmp_path, evil):
    rows = quiet(scratch=some(RISING), photos=some(BETTER)).with_columns(
        arm=pl.when(pl.col("arm") == "photos").then(pl.lit(evil)).otherwise("arm"),
        subject=pl.concat_str(pl.col("subject"), pl.lit(evil)),
    )
    html = report(write_study(tmp_path, rows, target=evil)).path.read_text(encoding="utf-8")
    assert "script" not in read(html).tags
    assert evil in "".join(read(html).words)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("results.csv", "arm,kind\nscratch,scratch\n"),
        ("learning.csv", "hello\n"),
        ("times.csv", "run,seconds\na,soon\n"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, table, text):
    folder = write_study(tmp_path, quiet(scratch=RISING))
    (folder / table).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(table)):
        report(folder)
    assert not (folder / "report.html").exists()


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a study folder"):
        report(tmp_path)


def test_of_many_subjects_only_those_that_are_shown_are_read(tmp_path, monkeypatch):
    """What ten thousand take, in seconds and memory, is measured by benchmarks/report.py."""
    curves = {"scratch": some(RISING), "photos": some(BETTER)}
    rows = study(curves, seeds=2, groups=200, per_group=1, weights=("averaged", "plain"))
    write_target(tmp_path / "kelp", rows, side=16)
    folder = write_study(tmp_path / "out", rows, dataset="../kelp", learning=learning_of(rows))
    write_models(folder, rows)
    read_by = {name: getattr(Dataset, name) for name in ("read_image", "read_mask")}
    seen = {name: set() for name in read_by}

    def counted(name):
        def method(dataset, subject):
            seen[name].add(subject.name)
            return read_by[name](dataset, subject)

        return method

    for name in read_by:
        monkeypatch.setattr(Dataset, name, counted(name))
    html = report(folder).path.read_text(encoding="utf-8")
    shown = set(re.findall(r"(g\d{5}-0) \(mean IoU of all models", html))
    assert len(shown) == 6
    assert seen == {"read_image": shown, "read_mask": shown}
    assert len(list((folder / "pictures").iterdir())) == 6 * 2 * len(FEW)
