"""The names of ``import crosspatch``: they load on first use, and each of them exists."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import crosspatch


def test_importing_crosspatch_loads_nothing_heavy():
    code = "import crosspatch, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "crosspatch" in loaded
    assert loaded & {"numpy", "torch", "scipy", "PIL", "polars", "pydantic", "cyclopts"} == set()


@pytest.mark.parametrize("name", crosspatch.__all__)
def test_every_public_name_resolves(name):
    value = getattr(crosspatch, name)
    assert value is getattr(crosspatch, name)
    if name != "__version__":
        assert callable(value)
        assert value.__name__ == name
        assert value.__doc__, f"{name} has no docstring"


def test_every_name_that_has_a_home_is_public():
    assert set(crosspatch.__all__) == {"__version__", *crosspatch._HOMES}


def test_dir_lists_the_public_names():
    assert dir(crosspatch) == sorted(crosspatch.__all__)


def test_type_checkers_see_the_names_that_load_late():
    tree = ast.parse(Path(crosspatch.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body for alias in node.names}
    assert seen == set(crosspatch.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'segment'"):
        crosspatch.segment  # noqa: B018
