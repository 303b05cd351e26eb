"""Versions of crops: turned and mirrored on the device that trains, never stored."""

import torch
from torch import Tensor

from crosspatch.crops.recipes import VERSIONS


def apply_versions(images: Tensor, masks: Tensor, versions: Tensor) -> tuple[Tensor, Tensor]:
    """Turn and mirror each sample of a batch; the mask goes with its image.

    Parameters
    ----------
    images : (B, C, S, S), any dtype, square
    masks : (B, S, S), any dtype
    versions : (B,) integers 0..7: v % 4 quarter turns counter-clockwise, after a left-right flip
        where v >= 4 (``crops.recipes.VERSIONS``)

    Returns
    -------
    images, masks : new tensors of the same shapes, dtypes and device
    """
    if images.shape[-1] != images.shape[-2]:
        raise ValueError(f"only square crops can be turned, not {tuple(images.shape)}")
    if versions.numel() and not 0 <= int(versions.min()) <= int(versions.max()) < VERSIONS:
        raise ValueError("versions go from 0 to 7")
    wanted = versions.to(images.device)
    turned_images, turned_masks = torch.empty_like(images), torch.empty_like(masks)
    for version in torch.unique(versions).tolist():  # one call a version, not one a sample
        chosen = torch.nonzero(wanted == version).squeeze(1)  # (b,)
        turned_images[chosen] = _lay(images[chosen], version)
        turned_masks[chosen] = _lay(masks[chosen], version)
    return turned_images, turned_masks


def _lay(squares: Tensor, version: int) -> Tensor:
    """Lay squares, (..., S, S), in one version."""
    if version >= 4:
        squares = squares.flip(-1)
    return torch.rot90(squares, version % 4, (-2, -1))
