"""One trainer of train_step.py: builds it, then trains as many steps as each line asks for.

``authors`` runs the authors' package, ``patchgan`` 0.2, with its own networks and optimisers as its
``Trainer.train`` makes them; ``authors-paper`` gives the same trainer the paper's networks;
``ours-fp32`` and ``ours-bf16`` run our step.
"""

import sys
import time
import types
from collections.abc import Callable

import torch

from crosspatch.models.discriminator import Discriminator
from crosspatch.models.generator import Generator

SIDE, CHANNELS, WIDTH = 256, 4, 64


class _Probability(torch.nn.Module):
    """Put the sigmoid, which the authors' networks end in, behind ours."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.network(x))


def _authors(batch: int, device: str, *, paper: bool) -> Callable[[], None]:
    for name in ("torchvision", "torchvision.io", "torchvision.transforms"):
        stub = types.ModuleType(name)  # patchgan.io imports these names and Trainer uses none
        stub.read_image = stub.ImageReadMode = stub.transforms = None  # type: ignore[attr-defined]
        sys.modules[name] = stub
    import tempfile

    import patchgan  # type: ignore[import-not-found]

    if paper:
        generator: torch.nn.Module = _Probability(Generator(CHANNELS, WIDTH))
        discriminator: torch.nn.Module = _Probability(Discriminator(CHANNELS + 1, WIDTH))
    else:
        generator = patchgan.UNet(CHANNELS, 1, WIDTH, use_dropout=True, activation="leakyrelu",
                                  final_act="sigmoid")  # fmt: skip
        discriminator = patchgan.Discriminator(CHANNELS + 1, WIDTH)
    generator, discriminator = generator.to(device), discriminator.to(device)
    trainer = patchgan.Trainer(generator, discriminator, tempfile.mkdtemp(), device=device)
    betas = (0.9, 0.999)
    trainer.gen_optimizer = torch.optim.NAdam(generator.parameters(), lr=1e-4, betas=betas)
    trainer.disc_optimizer = torch.optim.NAdam(discriminator.parameters(), lr=1e-4, betas=betas)
    generator.train()
    discriminator.train()
    image, target = _batch(batch, device)
    truth = (target == 1).unsqueeze(1).float()
    return lambda: trainer.batch(image, truth, train=True)


def _ours(batch: int, device: str, precision: str) -> Callable[[], None]:
    from crosspatch.config import LossSettings
    from crosspatch.models.runtime import autocast, keep_freed_memory
    from crosspatch.training.steps import (
        descend,
        discriminator_gradients,
        generator_gradients,
        judge,
    )

    keep_freed_memory()
    last = torch.channels_last
    generator = Generator(CHANNELS, WIDTH).to(device).to(memory_format=last).train()
    discriminator = Discriminator(CHANNELS + 1, WIDTH).to(device).to(memory_format=last).train()
    optimizers = [
        torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.5, 0.999), fused=True)
        for network in (generator, discriminator)
    ]
    image, target = _batch(batch, device)
    image = image.contiguous(memory_format=last)
    loss = LossSettings()

    def step() -> None:
        with autocast(torch.device(device), precision):
            judged = judge(generator, discriminator, image, target)
            said = generator_gradients(judged, generator, loss)
            said |= discriminator_gradients(judged, discriminator)
        descend(generator, optimizers[0])
        descend(discriminator, optimizers[1])
        _ = [value.item() for value in said.values()]  # the authors' trainer fetches its losses too

    return step


def _batch(batch: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    image = torch.randn(batch, CHANNELS, SIDE, SIDE, device=device)
    return image, (torch.rand(batch, SIDE, SIDE, device=device) > 0.7).to(torch.uint8)


def main() -> None:
    """Read "STEPS" lines, answer seconds."""
    case, batch, device, threads = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if case.startswith("authors"):
        step = _authors(batch, device, paper=case == "authors-paper")
    else:
        step = _ours(batch, device, case.removeprefix("ours-"))
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        if device == "cuda":
            torch.cuda.synchronize()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
