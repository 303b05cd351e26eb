"""Megapixels a second and peak memory of a whole scene, beside the authors' scheme and MONAI.

4096 x 4096 x 4 uint8, width 64, random weights: what a map costs, not what it says. The peers have
the scene in memory; ours reads a GeoTIFF and writes a folder with a tiled mask and an overlay. The
authors' scheme needs about 10 GB.

The authors' ``n_crop`` and ``build_mask`` number crops as if both sides had as many: right for
square scenes alone; of others some are wrong without a word (512 x 1024) and some stop
with an IndexError (1024 x 512).
"""

import argparse
import os
import sys
from pathlib import Path

import torch

from _bench import Timing, describe_machine, ratio_spread, write_results
from _peers import Worker, peer_python

SOURCE = Path(__file__).resolve().parent.parent / "src"
CASES = {
    "authors": "patchgan 0.2: its network, n_crop and build_mask, fp32",
    "monai-fp32": "MONAI sliding window, the paper's network, fp32",
    "monai-bf16": "MONAI sliding window, the paper's network, bf16",
    "ours-fp32": "crosspatch predict, fp32",
    "ours-bf16": "crosspatch predict, bf16",
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--large", type=int, default=16384, help="side of the scene for memory")
    parser.add_argument("--windows", type=int, default=120, help="of that scene; 0: all")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--halo", type=int, default=32)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--memory", action="store_true", help="only of ours, on both scenes alike")
    wishes = parser.parse_args()
    peers = {
        "authors": lambda: peer_python(
            "patchgan",
            ["torch==2.13.0", "numpy", "tqdm", "pyyaml", "matplotlib", "pydantic", "tomlkit"],
            ["--no-deps", "patchgan==0.2"],
        ),
        "monai": lambda: peer_python("monai", ["torch==2.13.0", "numpy", "monai==1.6.1"]),
        "ours": lambda: Path(sys.executable),
    }
    if wishes.memory:
        wishes.cases = [case for case in wishes.cases if case.startswith("ours")]
    pythons = {name: peers[name]() for name in {case.split("-")[0] for case in wishes.cases}}
    if wishes.memory:
        report_memory(wishes, pythons)
        return
    workers = {case: start(case, pythons, wishes) for case in wishes.cases}
    small = str(min(wishes.side, 1024))
    for worker in workers.values():
        worker.ask(small)  # warm
    seconds: dict[str, list[float]] = {case: [] for case in workers}
    for _ in range(wishes.repeats):
        for case, worker in workers.items():
            seconds[case].append(worker.ask(str(wishes.side)))
    memory = {case: worker.ask("memory") for case, worker in workers.items()}
    for worker in workers.values():
        worker.close()
    large = {
        case: _peak(case, wishes.large, pythons, wishes)
        for case in wishes.cases
        if case.startswith("ours")
    }
    timings = {case: Timing(tuple(values)) for case, values in seconds.items()}
    report(wishes, timings, memory, large)


def start(case: str, pythons: dict[str, Path], wishes: argparse.Namespace) -> Worker:
    """Start the program of a case."""
    script = Path(__file__).with_name("_scene_worker.py")
    words = (wishes.width, wishes.device, wishes.threads, wishes.halo)
    return Worker(
        [pythons[case.split("-")[0]], script, case, *map(str, words)],
        {**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def _peak(case: str, side: int, pythons: dict[str, Path], wishes: argparse.Namespace) -> float:
    """Peak of ours on a scene, in a process that has seen nothing else, in GB."""
    worker = start(case, pythons, wishes)
    worker.ask(f"{side} {wishes.windows}" if wishes.windows else str(side))
    peak = worker.ask("memory")
    worker.close()
    return peak


def report_memory(wishes: argparse.Namespace, pythons: dict[str, Path]) -> None:
    """Measure the peaks on both scenes, and write them."""
    rows = []
    for case in wishes.cases:
        small, large = (_peak(case, side, pythons, wishes) for side in (wishes.side, wishes.large))
        rows.append(
            {
                "case": CASES[case],
                f"peak at {wishes.side} x {wishes.side}, GB": f"{small:.2f}",
                f"peak at {wishes.large} x {wishes.large}, GB": f"{large:.2f}",
                "larger by, %": f"{100 * (large / small - 1):.0f}",
            }
        )
    stopped = f"after {wishes.windows} windows" if wishes.windows else "nowhere: both are whole"
    write_results(
        f"predict_scene_memory_width_{wishes.width}",
        "Target: under 2 GB, and the same within 10% on the large scene.",
        rows,
        describe_machine("torch", "crosspatch")
        | {"threads": str(wishes.threads), "width": str(wishes.width), "halo": str(wishes.halo)},
        [f"Each scene in a process of its own; stopped {stopped}."],
    )


def report(
    wishes: argparse.Namespace,
    timings: dict[str, Timing],
    memory: dict[str, float],
    large: dict[str, float],
) -> None:
    """Write the table."""
    pixels = wishes.side**2 / 1e6
    rows = []
    for case, timing in timings.items():
        row = {
            "case": CASES[case],
            "Mpx/s": f"{timing.rate(pixels):.2f}",
            "slowest": f"{timing.rate_spread(pixels)[0]:.2f}",
            "fastest": f"{timing.rate_spread(pixels)[1]:.2f}",
            "peak memory, GB": f"{memory[case]:.2f}",
        }
        for peer in ("authors", f"monai-{case.partition('-')[2]}"):
            if case.startswith("ours") and peer in timings:
                ratio, low, high = ratio_spread(timings[peer], timing)
                row[f"times {peer.partition('-')[0]}"] = f"{ratio:.2f} ({low:.2f}-{high:.2f})"
        if case in large:
            row[f"peak at {wishes.large} x {wishes.large}, GB"] = f"{large[case]:.2f}"
        rows.append(row)
    write_results(
        "predict_scene" if wishes.device == "cpu" else f"predict_scene_{wishes.device}",
        "Targets on two cores: 4 times the authors' pixels a second, 1.2 times MONAI's at the same "
        "precision, under 2 GB, and the same within 10% on the large scene.",
        rows,
        describe_machine("torch", "crosspatch")
        | {"threads": str(wishes.threads), "width": str(wishes.width), "halo": str(wishes.halo)},
        [
            f"{wishes.side} x {wishes.side} x 4 uint8, {wishes.repeats} interleaved repeats; "
            "ratios repeat by repeat, with their range.",
            f"The large scene is stopped after {wishes.windows} windows, in a process of its own.",
            "The peers have the scene in memory and keep their answer there; ours reads a GeoTIFF "
            "and writes a folder.",
        ],
    )


if __name__ == "__main__":
    main()
