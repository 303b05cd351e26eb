"""A volume of half a Gvoxel as OME-Zarr: written, mapped, and read as other programs read it.

    python docs/results/scenes/volume.py --model MODEL --data DATASET --work DIR [--planes 160]

Each plane is four slices of the data set side by side, turned and mirrored (1536 x 2048 pixels);
160 of them are 0.5 Gvoxel. (Most are training slices: nothing is scored here.) Pixels are 5 nm in
all directions. Writes volume.csv and volume.png beside this file; Linux, as landsat.py.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import zarr
from landsat import watched, write_csv

import crosspatch as cp
from crosspatch.dataset import Dataset
from crosspatch.files import write_bytes
from crosspatch.images import read_mask, write_image
from crosspatch.images.pictures import overlay, shrink, to_png_bytes, to_rgb

HERE = Path(__file__).parent
SIZE = 5.0  # nanometres


def main() -> None:
    """Write, map, check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--planes", type=int, default=160)
    wishes = parser.parse_args()
    volume, out = wishes.work / "volume.ome.zarr", wishes.work / "maps"
    shape = (wishes.planes, 1536, 2048)
    if not volume.exists():
        write_volume(volume, wishes.data, shape)
    shutil.rmtree(out, ignore_errors=True)
    seconds, curve = watched(["predict", wishes.model, volume, "--out", out])
    masks = as_napari_reads(out / "masks/volume.ome.zarr")
    plane = wishes.planes // 2
    row = {
        "voxels": " x ".join(map(str, shape)),
        "Gvoxel": round(np.prod(shape) / 1e9, 3),
        "seconds": round(seconds, 1),
        "Mvoxel/s": round(np.prod(shape) / 1e6 / seconds, 2),
        "peak memory MB": round(max(memory for _, memory in curve)),
        "levels": " ".join("x".join(map(str, level.shape)) for level, _ in masks),
        "nanometres of the coarsest": " ".join(map(str, masks[-1][1])),
        "foreground": round(float(np.mean([masks[0][0][z].mean() for z in range(shape[0])])), 4),
        "a plane alone: pixels that differ": alone(wishes, volume, masks[0][0][plane], plane),
    }
    write_csv(HERE / "volume.csv", [list(row), list(row.values())])


def write_volume(path: Path, data: Path, shape: tuple[int, int, int]) -> None:
    """Write planes of slices as OME-Zarr 0.5, plane by plane."""
    dataset, chance = Dataset.open(data), np.random.default_rng(0)
    slices = [dataset.read_image(one).pixels[0] for one in dataset.labelled]
    group = zarr.open_group(path.with_name("partial"), mode="w", zarr_format=3)
    array = group.create_array("0", shape=shape, chunks=(1, 512, 512), dtype="uint8")
    for z in range(shape[0]):
        four = [
            slices[chance.integers(len(slices))][:: 1 - 2 * down, :: 1 - 2 * across]
            for down, across in chance.integers(2, size=(4, 2))
        ]
        array[z] = np.block([[four[0], four[1]], [four[2], four[3]]])
    steps = {"type": "scale", "scale": [SIZE] * 3}
    table = {
        "name": "volume",
        "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"],
        "datasets": [{"path": "0", "coordinateTransformations": [steps]}],
    }
    group.attrs["ome"] = {"version": "0.5", "multiscales": [table]}
    path.with_name("partial").rename(path)


def as_napari_reads(path: Path) -> list[tuple[zarr.Array, list[float]]]:
    """Open levels as readers of OME-Zarr do: by the metadata alone."""
    group = zarr.open_group(path, mode="r")
    (table,) = group.attrs["ome"]["multiscales"]
    assert [axis["name"] for axis in table["axes"]] == ["z", "y", "x"]
    assert {axis["unit"] for axis in table["axes"]} == {"nanometer"}
    levels = []
    for level in table["datasets"]:
        (scale,) = (s["scale"] for s in level["coordinateTransformations"] if s["type"] == "scale")
        levels.append((group[level["path"]], scale))
    assert levels[0][1] == [SIZE] * 3
    return levels


def alone(wishes: argparse.Namespace, volume: Path, drawn: np.ndarray, plane: int) -> int:
    """Map one plane as a picture, count pixels that differ from the volume's, and show it."""
    pixels = np.asarray(zarr.open_group(volume, mode="r")["0"][plane])[np.newaxis]
    write_image(wishes.work / "plane.png", pixels)
    made = cp.predict(wishes.model, wishes.work / "plane.png", out=wishes.work / "plane",
                      overwrite=True)  # fmt: skip
    single = read_mask(made.mask_path("plane"))
    shown = shrink(overlay(to_rgb(pixels), drawn), 1000)
    write_bytes(HERE / "volume.png", to_png_bytes(shown, colours=128))
    return int((single != drawn).sum())


if __name__ == "__main__":
    main()
