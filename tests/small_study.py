"""A study small enough to be done in seconds: grey squares to find, coloured squares as source."""

from pathlib import Path

import numpy as np
import tomlkit

from folders import save, write_splits, write_toml

SIDE = 32


def squares(folder: Path, subjects: int, channels: int, *, seed=0, test=0, prefix="s") -> Path:
    """Write bright squares on noise; two subjects a group, the last ``test`` ones for testing."""
    random = np.random.default_rng([seed, channels])
    rows = []
    for number in range(subjects):
        row, col = random.integers(2, SIDE - 14, 2)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[row : row + 12, col : col + 12] = 1
        image = random.integers(0, 100, (channels, SIDE, SIDE)) + 120 * mask
        name = f"{prefix}{number:02d}"
        save(folder / f"images/{name}.png", image.astype(np.uint8))
        save(folder / f"masks/{name}.png", mask)
        split = "train" if number < subjects - test else "test"
        rows.append((name, split, f"{prefix}-g{number // 2}"))
    write_splits(folder, rows)
    names = ["grey"] if channels == 1 else ["red", "green", "blue"]
    write_toml(folder, channels=names, mask_values={"background": [0], "foreground": [1]})
    return folder


def plan_table(**changes):
    """Tables of the smallest STUDY.toml; ``changes`` replace whole tables or keys."""
    return {
        "seeds": [0, 1],
        "fractions": [0.5, 1.0],
        "steps": 3,
        "device": "cpu",
        "precision": "fp32",
        "baselines": ["threshold"],
        "check_steps": False,
        "target": {"dataset": "grey", "size": SIDE},
        "sources": {"colour": {"datasets": ["colour"], "size": SIDE}},
        "settings": {
            "network": {
                "width": 2, "depth": 3, "discriminator_width": 2, "discriminator_layers": 1,
            },
            "training": {"batch": 4, "checks": 1, "averaging": 0.5, "generator_rate": 0.01},
        },
    } | changes  # fmt: skip


def write_plan(folder: Path, **changes) -> Path:
    """Write STUDY.toml; None leaves a key out."""
    table = {key: value for key, value in plan_table(**changes).items() if value is not None}
    path = folder / "study.toml"
    path.write_text(tomlkit.dumps(table), encoding="utf-8")
    return path


def lay_out(folder: Path) -> Path:
    """Write the target (12 training subjects in 6 groups, 4 test ones) and the source."""
    folder.mkdir(exist_ok=True)
    squares(folder / "grey", 16, 1, test=4)
    squares(folder / "colour", 6, 3, seed=1, prefix="c")
    return folder
