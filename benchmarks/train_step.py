"""Training steps a second beside the authors' package, ``patchgan`` 0.2, interleaved in one run.

256 x 256 pixels, 4 bands, width 64, both networks and both optimisers, random images: what a step
costs, not what it learns. "equal architecture" gives the authors' trainer the paper's networks;
their own have a seventh level and instance norm.
"""

import argparse
import os
from pathlib import Path

import torch

from _bench import Timing, describe_machine, ratio_spread, write_results
from _peers import Worker, peer_python

SOURCE = Path(__file__).resolve().parent.parent / "src"
CASES = {
    "authors": "patchgan 0.2, its own networks, fp32",
    "authors-paper": "patchgan 0.2, the paper's networks, fp32",
    "ours-fp32": "crosspatch, the paper's networks, fp32",
    "ours-bf16": "crosspatch, the paper's networks, bf16",
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=2, help="training steps of one repeat")
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    wishes = parser.parse_args()
    peer = peer_python(
        "patchgan",
        ["torch==2.13.0", "numpy", "tqdm", "pyyaml", "matplotlib", "pydantic", "tomlkit"],
        ["--no-deps", "patchgan==0.2"],
    )
    rows, claims = [], []
    for batch in wishes.batch:
        timings = measure(wishes, batch, peer)
        for case, timing in timings.items():
            images = batch * wishes.steps
            ratio, low, high = ratio_spread(timings["authors-paper"], timing)
            rows.append(
                {
                    "batch": batch,
                    "case": CASES[case],
                    "images a second": f"{timing.rate(images):.2f}",
                    "slowest": f"{timing.rate_spread(images)[0]:.2f}",
                    "fastest": f"{timing.rate_spread(images)[1]:.2f}",
                    "times the authors', equal architecture": f"{ratio:.2f} ({low:.2f}-{high:.2f})",
                }
            )
            if case.startswith("ours"):
                claims.append(f"batch {batch}, {case.removeprefix('ours-')}: **{ratio:.2f}**")
    write_results(
        "train_step" if wishes.device == "cpu" else f"train_step_{wishes.device}",
        "Images a second of one training step, as multiples of the authors' trainer with the same "
        "networks (medians): " + "; ".join(claims) + ". Targets on two cores: bf16 1.9 at batch 4 "
        "and 2.2 at batch 8, fp32 1.35.",
        rows,
        describe_machine("torch", "crosspatch") | {"threads": str(wishes.threads)},
        [
            f"{wishes.repeats} interleaved repeats of {wishes.steps} steps after one warm-up; "
            "medians, slowest and fastest; ratios repeat by repeat, with their range.",
            "Ours: one look of the discriminator at the generated mask, channels-last memory, "
            "fused Adam, freed memory kept.",
        ],
    )


def measure(wishes: argparse.Namespace, batch: int, peer: Path) -> dict[str, Timing]:
    """Ask every trainer in turn, so that a busy moment of the machine hits all of them."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    script = Path(__file__).with_name("_train_worker.py")
    workers = {
        case: Worker([peer, script, case, str(batch), wishes.device, str(wishes.threads)],
                     environment)
        for case in CASES
    }  # fmt: skip
    for worker in workers.values():
        worker.ask("1")
    seconds: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(wishes.repeats):
        for case, worker in workers.items():
            seconds[case].append(worker.ask(str(wishes.steps)))
    for worker in workers.values():
        worker.close()
    return {case: Timing(tuple(values)) for case, values in seconds.items()}


if __name__ == "__main__":
    main()
