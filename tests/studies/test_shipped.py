"""Every study that stands in docs/results loads, and says what it is for."""

from pathlib import Path

import pytest

from crosspatch.studies.jobs import arms
from crosspatch.studies.plan import read_plan

RESULTS = Path(__file__).parents[2] / "docs" / "results"
PLANS = sorted(RESULTS.glob("headline/*.toml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_it_loads_with_arms_to_compare(path):
    plan = read_plan(path)
    assert path.read_text(encoding="utf-8").startswith("# ")
    kinds = {arm.kind for arm in arms(plan)}
    assert "scratch" in kinds
    assert "transfer" in kinds or plan.target.subjects == "train"


@pytest.mark.parametrize("target", ["membranes", "nuclei", "people"])
def test_the_headline_has_the_seeds_and_sources_that_the_rules_ask_for(target):
    plan = read_plan(RESULTS / f"headline/{target}.toml")
    assert len(plan.seeds) == 5
    assert {"photos", "em"} <= set(plan.sources)
    assert plan.longer_steps == 2 * plan.steps
    assert {0.1, 1.0} <= set(plan.fractions)
