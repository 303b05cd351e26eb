"""A finished study that many tests look at."""

import pytest

from crosspatch.workflows.study import study
from small_study import lay_out, write_plan


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    """A finished study, its plan beside it; not to be changed."""
    folder = lay_out(tmp_path_factory.mktemp("study") / "data")
    return study(write_plan(folder), out=folder / "out"), folder


@pytest.fixture
def data(tmp_path):
    """Data sets to plan a study on."""
    return lay_out(tmp_path / "data")
