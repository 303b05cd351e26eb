"""From packed crops to batches on the training device, one batch ahead of the step that eats it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from crosspatch.crops import Crops
from crosspatch.crops.augment import apply_versions
from crosspatch.crops.batches import gather
from crosspatch.models.storage import standardise, to_tensor
from crosspatch.training.samples import Indices, Order


class Batches:
    """Loads samples of one pack onto one device.

    Parameters
    ----------
    crops : Crops
    device : torch.device
    """

    def __init__(self, crops: Crops, device: torch.device) -> None:
        self.crops = crops
        self.device = device
        self._mean, self._std = crops.statistics

    def load(self, rows: Indices, versions: Indices) -> tuple[Tensor, Tensor]:
        """Gather, move, turn and standardise.

        Returns
        -------
        (B, C, H, W) float32 images in channels-last memory, (B, H, W) uint8 masks
        """
        return self._finish(*gather(self.crops, rows), versions)

    def stream(
        self, order: Order, steps: range, *, mine: range = range(1), parts: int = 1
    ) -> Iterator[list[tuple[Tensor, Tensor]]]:
        """Yield the batch of each step; a thread reads the next one from disk meanwhile.

        A batch falls into ``parts``; part p holds every ``parts``-th of its samples, from the p-th
        on. Those numbered ``mine`` are yielded, in order.
        """

        def read(step: int) -> list[tuple[np.ndarray, np.ndarray, Indices]]:
            rows, versions = order.at(step)
            return [
                (*gather(self.crops, rows[part::parts]), versions[part::parts]) for part in mine
            ]

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, steps.start) if steps else None
            for step in steps:
                assert ahead is not None
                ready = ahead.result()
                ahead = pool.submit(read, step + 1) if step + 1 in steps else None
                yield [self._finish(*part) for part in ready]

    def _finish(
        self, images: np.ndarray, masks: np.ndarray, versions: Indices
    ) -> tuple[Tensor, Tensor]:
        ahead = self.device.type == "cuda"  # MPS might copy what has been freed by then
        image = to_tensor(images).to(self.device, non_blocking=ahead)
        target = torch.from_numpy(masks).to(self.device, non_blocking=ahead)
        image, target = apply_versions(image, target, torch.from_numpy(versions))
        image = standardise(image, self._mean, self._std)
        return image.contiguous(memory_format=torch.channels_last), target
