"""Several studies on one page: sources against targets, purities against one another."""

import re

import pytest

from crosspatch.cli import main
from crosspatch.crops import pack, recipe
from crosspatch.dataset import Dataset
from crosspatch.errors import SettingsError
from crosspatch.reports.study.bounds import judged
from crosspatch.reports.study.material import read_material
from crosspatch.workflows.report import report
from small_study import SIDE, squares
from studied import RISING, study, write_study

BASELINES = {"threshold": 0.3, "forest": 0.4}
FEW = (0.1, 1.0)


def curve(gain):
    return {fraction: RISING[fraction] + gain * (1 - fraction) for fraction in FEW}


def lay_out(folder, target, random=0, purity=None, **gains):
    arms = {"scratch": curve(0), **{name: curve(gain) for name, gain in gains.items()}}
    rows = study(arms, seeds=3, of_seed=0.005, of_both=0.005, random=random, baselines=BASELINES)
    made = write_study(folder, rows, target=target)
    if purity is not None:
        text = (made / "study.toml").read_text(encoding="utf-8")
        text = text.replace("[target]\n", f"[target]\npurity = {purity}\n")
        (made / "study.toml").write_text(text, encoding="utf-8")
    return made


def page_of(made):
    return made.path.read_text(encoding="utf-8")


def test_sources_are_set_against_targets(tmp_path):
    studies = [
        lay_out(tmp_path / "a", "nuclei", photos=0.1, em=-0.05),
        lay_out(tmp_path / "b", "roads", random=1, photos=0.02, water=0.15),
    ]
    made = report(studies, out=tmp_path / "both")
    html = page_of(made)
    assert "Which source helps which target?" in html
    assert (tmp_path / "both/figures/domains.svg").is_file()
    rows = dict(re.findall(r"<tr><td>(\w+)</td><td>(?:nuclei)</td><td>([+-]0\.\d+)", html))
    assert float(rows["photos"]) == pytest.approx(0.09, abs=0.02)
    assert float(rows["em"]) == pytest.approx(-0.045, abs=0.02)


@pytest.mark.parametrize("name", ["source-0123456789", "source-photos"])
def test_distances_are_measured_from_a_pack_whatever_it_is_called(tmp_path, name):
    cut = recipe("windows", size=SIDE)
    rows = study({arm: {0.1: 0.5} for arm in ("scratch", "photos", "again", "gone")})
    folder = write_study(tmp_path / "study", rows)
    grey = Dataset.open(squares(tmp_path / "grey", 6, 1))
    noise = Dataset.open(squares(tmp_path / "noise", 6, 1, seed=1))
    pack([grey], cut, folder / "crops/target")
    pack([grey], cut, folder / "crops/source-first")
    crops = pack([noise], cut, folder / "crops" / name)
    known = {"fingerprint": crops.fingerprint}
    sources = {"photos": known, "again": known, "gone": {"fingerprint": "of no pack"}}
    write_study(folder, rows, sources=sources)
    other = lay_out(tmp_path / "other", "roads", photos=0.1)
    html = page_of(report([folder, other], out=tmp_path / "both"))
    rest = r"</td><td>kelp</td>(?:<td.*?</td>){2}<td.*?>(.*?)</td>"
    said = {arm: re.search(arm + rest, html)[1] for arm in sources}
    assert said["photos"] == said["again"]
    assert float(said["photos"]) > 0
    assert said["gone"] == "–"


def test_another_study_of_a_target_says_whether_labels_matter_there(tmp_path):
    asked = lay_out(tmp_path / "headline", "nuclei", photos=0.1)
    rows = study({"scratch": {0.1: 0.5}, "photos": {0.1: 0.6}}, seeds=3, baselines=BASELINES)
    domain = write_study(tmp_path / "domain", rows, target="nuclei", fractions=[0.1])
    other = write_study(tmp_path / "other", rows, target="roads", fractions=[0.1])
    html = page_of(report([domain, other, asked], out=tmp_path / "all"))
    verdicts = re.findall(r"<tr><td>(\w+)</td><td>(?:nuclei|roads)</td><td>(.*?)</td>", html)
    assert dict(verdicts[:3]) == {
        "domain": "yes (by headline)",
        "other": "not asked in this study (nothing is trained with all labels)",
        "headline": "yes",
    }


def test_a_target_is_the_same_however_it_is_divided_but_not_with_other_images(tmp_path):
    told = {"name": "nuclei", "dataset": "nowhere", "size": 64}
    rows = study({"scratch": {0.1: 0.5}, "photos": {0.1: 0.6}}, seeds=3, baselines=BASELINES)
    asked = read_material(lay_out(tmp_path / "asked", "nuclei", photos=0.1), resamples=50)
    for images, verdict in (("a", True), ("b", None)):
        asked.plan["target"].update(told, fingerprint="by folds", images="a")
        target = {**told, "fingerprint": "by its own split", "images": images}
        made = write_study(tmp_path / images, rows, fractions=[0.1])
        one = read_material(made, resamples=50)
        one.plan["target"].update(target)
        assert judged(one, [asked])[0] is verdict


def test_the_regret_of_always_the_same_start_is_worked_out(tmp_path):
    studies = [
        lay_out(tmp_path / "a", "nuclei", photos=0.1, em=0.2),
        lay_out(tmp_path / "b", "roads", random=1, photos=0.1, em=0.3),
    ]
    html = page_of(report(studies, out=tmp_path / "both"))
    table = html.split("always start from")[1].split("</table>")[0]
    rows = re.findall(r'<tr><td>(.*?)</td><td class="number">([\d.]+)</td>', table)
    assert [name for name, _ in rows] == ["em", "photos", "from scratch"]
    assert [float(lost) for _, lost in rows] == pytest.approx([0, 0.135, 0.225], abs=0.02)


def test_purities_of_one_target_are_set_against_one_another(tmp_path):
    studies = [
        lay_out(tmp_path / "clean", "kelp", photos=0.1),
        lay_out(tmp_path / "worse", "kelp", random=1, purity=0.71, photos=0.15),
    ]
    html = page_of(report(studies, out=tmp_path / "both"))
    assert "What do worse labels cost? kelp" in html
    assert "Which source helps which target?" not in html
    assert '<td class="number">0.710</td><td>photos</td>' in html


def test_labels_that_are_all_wrong_have_a_purity_of_nothing(tmp_path):
    studies = [
        lay_out(tmp_path / "clean", "kelp", photos=0.1),
        lay_out(tmp_path / "wrong", "kelp", random=1, purity=0.0, photos=0.15),
    ]
    html = page_of(report(studies, out=tmp_path / "both"))
    rows = re.findall(r'<tr><td class="number">([\d.]+)</td><td>photos</td>', html)
    assert rows == ["0.000", "0.000", "1.000", "1.000"]


def test_a_study_without_scores_is_listed_all_the_same(tmp_path):
    planned = write_study(tmp_path / "b", study({"scratch": RISING}).clear(), target="roads")
    html = page_of(report([lay_out(tmp_path / "a", "nuclei"), planned], out=tmp_path / "both"))
    assert "no run has been scored" in html


def test_several_studies_need_a_place_of_their_own(tmp_path):
    studies = [lay_out(tmp_path / "a", "nuclei"), lay_out(tmp_path / "b", "roads")]
    with pytest.raises(SettingsError, match="--out"):
        report(studies)
    assert main(["report", *map(str, studies), "--out", str(tmp_path / "both")]) == 0
    assert (tmp_path / "both" / "report.html").is_file()
