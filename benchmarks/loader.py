"""Samples a second and core: packed crops against decoding and resizing files.

    python benchmarks/loader.py [--repeats 9]

Both ways give shuffled batches of 64 samples of 256 x 256 uint8 pixels and their masks. The
authors' way decodes a 640 x 480 JPEG and a PNG, resizes both by bilinear interpolation and flips
them on the processor; ours copies crops out of a pack and leaves versions to the training device.
Seconds are of the processor, on one thread, so that a neighbour on a shared machine counts little.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _bench import Timing, describe_machine, interleave, ratio_spread, write_results
from crosspatch.crops import Crops, pack, recipe
from crosspatch.crops.batches import gather
from crosspatch.crops.generated import generate
from crosspatch.dataset import Dataset

BATCH, SIZE, PER_ROUND = 64, 256, 2048
PHOTO = (480, 640)  # height, width: the usual photo of COCO
FILES_PER_ROUND = 128  # the slow way needs no more for a steady figure
AT_LEAST_RATIO, AT_LEAST_RATE = 20, 5000


def write_files(dataset: Dataset, folder: Path) -> list[tuple[Path, Path]]:
    """Write a data set's photos as JPEG and its masks as PNG of 0 and 255, as the authors have."""
    pairs = []
    for subject in dataset.labelled:
        photo, mask = folder / f"{subject.name}.jpg", folder / f"{subject.name}.png"
        pixels = dataset.read_image(subject).pixels.transpose(1, 2, 0)  # (H, W, C)
        Image.fromarray(np.ascontiguousarray(pixels)).save(photo, quality=90)
        Image.fromarray(dataset.read_mask(subject) * np.uint8(255)).save(mask)
        pairs.append((photo, mask))
    return pairs


def read_files(pairs: list[tuple[Path, Path]], rng: np.random.Generator) -> None:
    """Make batches the authors' way: decode, resize, flip, stack."""
    for start in range(0, FILES_PER_ROUND, BATCH):
        images, masks = [], []
        for number in range(start, start + BATCH):
            photo, mask = pairs[number % len(pairs)]
            image = Image.open(photo).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            truth = Image.open(mask).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            step = -1 if rng.random() < 0.5 else 1
            images.append(np.asarray(image)[:, ::step])
            masks.append(np.asarray(truth)[:, ::step])
        np.stack(images), np.stack(masks)


def read_pack(crops: Crops, rng: np.random.Generator) -> None:
    """Make batches our way, in shuffled order."""
    order: NDArray[np.int64] = rng.permutation(len(crops))[:PER_ROUND]
    for start in range(0, PER_ROUND, BATCH):
        gather(crops, order[start : start + BATCH])


def row(name: str, timing: Timing, samples: int) -> dict[str, object]:
    """Round one case for the table."""
    slowest, fastest = timing.rate_spread(samples)
    return {
        "way": name,
        "samples per second and core": round(timing.rate(samples)),
        "slowest": round(slowest),
        "fastest": round(fastest),
    }


def main() -> int:
    """Measure, write the results, and fail if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        photos = generate("photos", folder / "photos", subjects=24, size=PHOTO, seed=0)
        kelp = generate("kelp", folder / "kelp", subjects=24, size=PHOTO, seed=0)
        dense = recipe("windows", size=SIZE, overlap=0.875)  # 104 crops a photo
        rgb = pack([photos], dense, folder / "rgb")
        bands = pack([kelp], dense, folder / "bands")
        (folder / "files").mkdir()
        files = write_files(photos, folder / "files")
        names = ("files: decode, resize, flip", "pack, 3 channels", "pack, 4 channels")
        timings = interleave(
            {
                names[0]: lambda: read_files(files, rng),
                names[1]: lambda: read_pack(rgb, rng),
                names[2]: lambda: read_pack(bands, rng),
            },
            repeats,
            clock=time.process_time,
        )
    counts = (FILES_PER_ROUND, PER_ROUND, PER_ROUND)
    share = PER_ROUND / FILES_PER_ROUND
    times = [share * value for value in ratio_spread(timings[names[0]], timings[names[1]])]
    rate = timings[names[2]].rate(PER_ROUND)
    write_results(
        "loader",
        "Reading packed crops against decoding and resizing files, on one core: "
        f"**{times[0]:.0f} times** as many samples of 3 channels "
        f"({times[1]:.0f} to {times[2]:.0f}, repeat by repeat; target {AT_LEAST_RATIO}), and "
        f"{rate:,.0f} crops of 4 channels a second (target {AT_LEAST_RATE:,}).",
        [row(name, timings[name], n) for name, n in zip(names, counts, strict=True)],
        describe_machine("numpy", "pillow", "crosspatch"),
        [
            f"{repeats} interleaved repeats; medians, slowest and fastest repeat, in seconds of "
            "the processor; files and packs in the page cache; one thread.",
            f"Photos are generated, {PHOTO[1]} x {PHOTO[0]}, JPEG of quality 90; batches of "
            f"{BATCH} in shuffled order.",
        ],
    )
    print(f"{times[0]:.1f} times ({times[1]:.1f} to {times[2]:.1f}); {rate:,.0f} crops a second")
    return 0 if times[0] >= AT_LEAST_RATIO and rate >= AT_LEAST_RATE else 1


if __name__ == "__main__":
    sys.exit(main())
