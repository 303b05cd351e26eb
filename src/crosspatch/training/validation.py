"""Scores of crops while training, and pictures to look at."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crosspatch.crops import Crops
from crosspatch.files import write_bytes
from crosspatch.images import pictures
from crosspatch.models.losses import focal_tversky_loss
from crosspatch.models.presence import presence_loss, present
from crosspatch.models.runtime import autocast
from crosspatch.training.batches import Batches
from crosspatch.training.samples import Indices

Mask = NDArray[np.uint8]


@torch.inference_mode()
def score(
    network: nn.Module, batches: Batches, rows: Indices, *, batch: int, precision: str
) -> dict[str, float]:
    """Score a network on crops as they are, neither turned nor flipped.

    Returns
    -------
    ``loss`` (the paper's focal Tversky, mean over the crops that hold a pixel that counts), ``iou``
    and ``dice`` (pooled over all pixels that count, threshold 0.5; nan where neither truth nor mask
    has foreground)
    """
    summed = 0.0  # losses of the crops that have one
    areas = torch.zeros(4, dtype=torch.int64)  # crops with a loss; pixels of both, drawn, true
    for image, target in _in_order(batches, rows, batch):
        with autocast(image.device, precision):
            logits = network(image)
        probability = torch.sigmoid(logits.float())[:, 0]  # (B, H, W)
        counts = (target != 255).flatten(1).any(1)  # (B,); no pixel that counts, no loss
        some = slice(None) if counts.all() else counts
        loss = focal_tversky_loss(probability[some], target[some]) if counts.any() else counts.sum()
        drawn, true = (probability >= 0.5) & (target != 255), target == 1
        found = [counts.sum(), (drawn & true).sum(), drawn.sum(), true.sum()]
        # Added up here, not on the device: Apple's GPUs have no float64.
        areas += torch.stack(found).cpu()
        summed += loss.item() * int(found[0])
    crops_counted, both, drawn_area, true_area = areas.tolist()
    either = drawn_area + true_area - both
    return {
        "loss": summed / crops_counted if crops_counted else float("nan"),
        "iou": both / either if either else float("nan"),
        "dice": 2 * both / (drawn_area + true_area) if either else float("nan"),
    }


@torch.inference_mode()
def score_presence(
    network: nn.Module, batches: Batches, rows: Indices, *, batch: int, precision: str
) -> dict[str, float]:
    """Score the answers to "is there any in this crop?", of crops as they are.

    Returns
    -------
    ``loss`` and ``balanced_accuracy`` (mean share of right answers among crops with foreground and
    among those without; nan where there are only crops of one kind)
    """
    losses, right = [], {True: [0, 0], False: [0, 0]}  # answer -> right, all
    for image, target in _in_order(batches, rows, batch):
        with autocast(image.device, precision):
            logits = network(image)
        answer, known = present(target)
        losses += [presence_loss(logits, target).item()] * int(known.sum())
        for said, true in zip((logits[known] >= 0).tolist(), answer[known].tolist(), strict=True):
            right[bool(true)][0] += said == bool(true)
            right[bool(true)][1] += 1
    shares = [hits / count if count else float("nan") for hits, count in right.values()]
    return {
        "loss": float(np.mean(losses)) if losses else float("nan"),
        "balanced_accuracy": float(np.mean(shares)),
    }


@torch.inference_mode()
def write_preview(
    path: Path, network: nn.Module, batches: Batches, rows: Indices, *, precision: str
) -> None:
    """Write a picture of some crops: image, truth, mask; one row a crop."""
    crops: Crops = batches.crops
    tiles: list[NDArray[np.uint8]] = []
    captions: list[str] = []
    for image, target in _in_order(batches, rows, 1):
        with autocast(image.device, precision):
            logits = network(image)
        mask = (logits[0, 0] >= 0).cpu().numpy().astype(np.uint8)
        row = int(rows[len(tiles) // 3])
        picture = pictures.to_rgb(np.asarray(crops.images[row]), crops.channel_names)
        truth: Mask = target[0].cpu().numpy()
        tiles += [
            picture,
            pictures.overlay(picture, truth),
            pictures.overlay(picture, mask),
        ]
        captions += [str(crops.table["subject"][row]), "truth", "prediction"]
    sheet = pictures.contact_sheet(tiles, captions, columns=3)
    write_bytes(path, pictures.to_png_bytes(sheet))


def _in_order(batches: Batches, rows: Indices, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        yield batches.load(some, np.zeros(len(some), dtype=np.int64))
