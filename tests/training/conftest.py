"""A pack of crops small enough to train on in a second: bright discs on noise, in eight groups."""

import csv

import numpy as np
import pytest
from PIL import Image

from crosspatch.config import Settings, load_settings
from crosspatch.files import write_toml
from crosspatch.workflows.prepare import prepare


@pytest.fixture(scope="session")
def disc_crops(tmp_path_factory):
    """Crops of 16 subjects of 64 x 64 RGB, two a group; no val split."""
    folder = tmp_path_factory.mktemp("discs") / "discs"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    random = np.random.default_rng(5)
    rows, cols = np.mgrid[:64, :64]
    with (folder / "splits.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "split", "group"])
        for number in range(16):
            row, col = random.integers(16, 48, 2)
            mask = (rows - row) ** 2 + (cols - col) ** 2 < 10**2
            image = random.integers(0, 120, (64, 64, 3)) + 100 * mask[..., None]
            Image.fromarray(image.astype(np.uint8)).save(folder / f"images/s{number:02d}.png")
            Image.fromarray(mask.astype(np.uint8)).save(folder / f"masks/s{number:02d}.png")
            writer.writerow([f"s{number:02d}", "train" if number < 14 else "test", number // 2])
    write_toml(
        folder / "dataset.toml",
        {
            "channels": ["red", "green", "blue"],
            "mask_values": {"background": [0], "foreground": [1], "ignored": [255]},
            "origin": "made by a test",
            "licence": "CC0",
        },
        says="Discs.",
    )
    return prepare(
        folder, recipe="windows", size=64, overlap=0.0, out=folder.parent / "crops", workers=1
    )


@pytest.fixture
def small() -> Settings:
    """Settings of a network of 4 features that takes 24 steps on one thread."""
    return load_settings(
        None,
        {
            "network": {"width": 4, "depth": 4, "discriminator_width": 4},
            "training": {
                "steps": 24, "checks": 4, "batch": 4, "threads": 1, "precision": "fp32",
                "generator_rate": 2e-3,
            },
        },
    )  # fmt: skip
