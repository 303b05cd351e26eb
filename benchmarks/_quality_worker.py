"""The authors' trainer in time_to_quality.py, in a process of its own.

Arguments: crops folder, the folder that ``patchgan`` is installed in, width, batch, samples an
epoch, threads. The line ``train SEED EPOCHS`` is answered with the seconds that its trainer took,
``score`` with the IoU of the crops of the split ``val``.
"""

import contextlib
import sys
import tempfile
import time
import types
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from crosspatch.crops import Crops
from crosspatch.models.discriminator import Discriminator
from crosspatch.models.generator import Generator
from crosspatch.training.batches import Batches
from crosspatch.training.samples import Order
from crosspatch.training.validation import score


class Probability(torch.nn.Module):
    """Put the sigmoid, which the authors' networks end in, behind ours."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities instead of logits."""
        return torch.sigmoid(self.network(x))


class Epochs:
    """What the authors' trainer iterates over: an epoch at each call, in the order of our runs."""

    def __init__(self, batches: Batches, order: Order, steps: int) -> None:
        self.batches, self.order, self.steps, self.done = batches, order, steps, 0

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        span = range(self.done, self.done + self.steps)
        self.done += self.steps
        for ((image, target),) in self.batches.stream(self.order, span):
            yield image.contiguous(), (target == 1).unsqueeze(1).float()


def rows_of(crops: Crops, split: str) -> np.ndarray:
    """Rows of the crops of one split."""
    return np.flatnonzero(np.asarray(crops.table["split"]) == split).astype(np.int64)


def main() -> None:
    """Read lines, answer numbers."""
    path, packages, *numbers = sys.argv[1:]
    width, batch, samples, threads = map(int, numbers)
    for name in ("torchvision", "torchvision.io", "torchvision.transforms"):
        stub = types.ModuleType(name)  # patchgan.io imports these names and Trainer uses none
        stub.read_image = stub.ImageReadMode = stub.transforms = None  # type: ignore[attr-defined]
        sys.modules[name] = stub
    sys.path.append(packages)
    import patchgan  # type: ignore[import-not-found]

    torch.set_num_threads(threads)
    crops = Crops.open(path)
    batches = Batches(crops, torch.device("cpu"))
    channels = len(crops.channel_names)
    generator: Probability | None = None
    for line in sys.stdin:
        if line.startswith("score"):
            assert generator is not None
            network = generator.network.eval()
            said = score(network, batches, rows_of(crops, "val"), batch=batch, precision="fp32")
            print(said["iou"], flush=True)
            continue
        seed, epochs = map(int, line.split()[1:])
        torch.manual_seed(seed)
        generator = Probability(Generator(channels, width))
        judge = Probability(Discriminator(channels + 1, width))
        trainer = patchgan.Trainer(generator, judge, tempfile.mkdtemp(), device="cpu")
        order = Order(rows_of(crops, "train"), crops.recipe.train_versions, batch, seed)
        train = Epochs(batches, order, samples // batch)
        with contextlib.redirect_stdout(sys.stderr):
            start = time.perf_counter()
            trainer.train(train, [], epochs, save_freq=epochs + 1)
            spent = time.perf_counter() - start
        print(spent, flush=True)


if __name__ == "__main__":
    main()
