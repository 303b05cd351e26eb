"""One program of predict_scene.py: answers "SIDE" with the seconds that a scene of it took.

``authors`` runs the authors' package, ``patchgan`` 0.2, as its ``patchgan_infer`` does: all crops
of 256 pixels at a stride of 0.9 in one batch. ``monai-fp32`` and ``monai-bf16`` run MONAI's sliding
window (512 pixels, its default overlap of 0.25, Gaussian blending) over the paper's network, in
channels-last memory. Both have the scene in memory. ``ours-fp32`` and ``ours-bf16`` run
``crosspatch.predict``, from a GeoTIFF on disk to a folder with a tiled mask and an overlay.

"SIDE WINDOWS" stops ours after so many windows. "memory" is answered with the peak in GB.
"""

import resource
import shutil
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

CHANNELS = 4
Case = Callable[[int, int | None], None]


def _scene(side: int) -> np.ndarray:
    """Draw something that is not constant, (C, side, side) uint8."""
    rows, cols = np.mgrid[:side, :side].astype(np.uint16)
    base = (rows * 3 + cols * 5) % 251
    return np.stack([(base + 40 * band) % 251 for band in range(CHANNELS)]).astype(np.uint8)


def _authors(width: int, device: str) -> Case:
    for name in ("torchvision", "torchvision.io", "torchvision.transforms", "torchinfo"):
        stub = types.ModuleType(name)  # imported by patchgan, not used here
        stub.read_image = stub.ImageReadMode = stub.transforms = stub.summary = None  # type: ignore[attr-defined]
        sys.modules[name] = stub
    import patchgan  # type: ignore[import-not-found]
    from patchgan.infer import build_mask, n_crop  # type: ignore[import-not-found]

    network = patchgan.UNet(CHANNELS, 1, width, use_dropout=True, activation="leakyrelu",
                            final_act="sigmoid").to(device).eval()  # fmt: skip

    def run(side: int, windows: int | None) -> None:
        image = torch.from_numpy(_SCENES.setdefault(side, _scene(side))).float() / 255
        crops = n_crop(image, 256, 0.9)
        with torch.no_grad():
            masks = network(torch.Tensor(crops).to(device)).cpu().numpy()
        build_mask(masks, 256, image.shape[1:], 0.5, 0.9)

    return run


def _monai(width: int, device: str, precision: str) -> Case:
    from monai.inferers import sliding_window_inference  # type: ignore[import-not-found]

    from crosspatch.models.generator import Generator
    from crosspatch.models.runtime import autocast

    last = torch.channels_last
    network = Generator(CHANNELS, width).to(device).to(memory_format=last).eval()

    def predict(windows: torch.Tensor) -> torch.Tensor:
        logits = network(windows.contiguous(memory_format=last))
        return torch.sigmoid(logits.float())

    def run(side: int, windows: int | None) -> None:
        pixels = torch.from_numpy(_SCENES.setdefault(side, _scene(side)))
        image = (pixels.float() / 255)[None]
        with torch.inference_mode(), autocast(torch.device(device), precision):
            said = sliding_window_inference(
                image, (512, 512), 4, predict, overlap=0.25, mode="gaussian",
                sw_device=device, device="cpu",
            )  # fmt: skip
        (said >= 0.5).to(torch.uint8).numpy()

    return run


def _ours(width: int, device: str, precision: str, halo: int) -> Case:
    from crosspatch.config import NetworkSettings
    from crosspatch.crops.recipes import Resize
    from crosspatch.models.facts import ModelFacts
    from crosspatch.models.storage import build_generator, save_model
    from crosspatch.workflows.predict import predict

    home = Path(tempfile.mkdtemp())
    settings = NetworkSettings(width=width)
    facts = ModelFacts(
        network=settings, channel_names=("a", "b", "c", "d"), mean=(125.0,) * CHANNELS,
        std=(70.0,) * CHANNELS, dtype="uint8", resize=Resize(), crop_size=256, foreground=("x",),
    )  # fmt: skip
    save_model(home / "model", facts, build_generator(settings, CHANNELS), None)

    def run(side: int, windows: int | None) -> None:
        path = home / f"{side}.tif"
        if not path.exists():
            _write(path, side)
        start = time.perf_counter()

        def progress(what: str, done: int, total: int) -> None:
            if windows is not None and what == "predicting" and done >= windows:
                raise KeyboardInterrupt

        try:
            predict(home / "model", path, out=home / "maps", device=device, halo=halo,
                    precision=precision, overwrite=True, progress=progress)  # fmt: skip
        except KeyboardInterrupt:
            for rest in home.glob(".maps*"):
                shutil.rmtree(rest)
        _TOOK.append(time.perf_counter() - start)

    return run


def _write(path: Path, side: int) -> None:
    """Write a tiled GeoTIFF strip by strip, so that making it takes no memory of its own."""
    import rasterio

    strip = _scene(min(side, 512))
    with rasterio.Env(GDAL_CACHEMAX=2**25), rasterio.open(
        path, "w", driver="GTiff", count=CHANNELS, height=side, width=side, dtype="uint8",
        crs="EPSG:32610", transform=rasterio.Affine(30, 0, 5e5, 0, -30, 4e6), tiled=True,
        blockxsize=512, blockysize=512, compress="deflate", interleave="pixel",
    ) as file:  # fmt: skip
        for row in range(0, side, 512):
            for col in range(0, side, 512):
                height, width = min(512, side - row), min(512, side - col)
                window = ((row, row + height), (col, col + width))
                file.write(strip[:, :height, :width], window=window)


_SCENES: dict[int, np.ndarray] = {}
_TOOK: list[float] = []  # by ours, which writes its scene first


def main() -> None:
    """Read lines, answer numbers."""
    case, width, device, threads, halo = sys.argv[1], *sys.argv[2:6]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    name, _, precision = case.partition("-")
    run = {
        "authors": lambda: _authors(int(width), device),
        "monai": lambda: _monai(int(width), device, precision),
        "ours": lambda: _ours(int(width), device, precision, int(halo)),
    }[name]()
    for line in sys.stdin:
        if line.strip() == "memory":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(peak / (2**30 if sys.platform == "darwin" else 2**20), flush=True)
            continue
        side, *most = map(int, line.split())
        start = time.perf_counter()
        run(side, most[0] if most else None)
        print(_TOOK.pop() if _TOOK else time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
