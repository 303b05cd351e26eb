"""The paper's losses: focal Tversky for the mask, binary cross entropy for the verdicts.

Both are computed in float32 whatever the networks run in.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORED = 255
EMPTY_SMOOTHING = 0.01
"""What stands in for the true positives of an empty mask, as a share of its pixels."""
_ABOVE_ZERO = 1e-7  # (1 - TI)^0.75 has infinite slope at 0


def focal_tversky_loss(
    probability: Tensor,
    target: Tensor,
    fn_weight: float = 0.7,
    fp_weight: float = 0.3,
    gamma: float = 0.75,
) -> Tensor:
    """Focal Tversky loss, one index a sample, mean over samples.

    TI = TP / (TP + fn_weight FN + fp_weight FP), loss = (1 - TI)^gamma: Mantha et al. 2022,
    section 3; Abraham and Khan 2019. Libraries disagree on which weight is called alpha: here
    they are named after what they weigh.

    The index of a mask without foreground is 0 / (fp_weight FP): its gradient would vanish, and
    the network would never learn to leave a picture empty. For such a sample the index is
    s / (s + fp_weight FP), with s one hundredth of its pixels, a choice of ours (the authors'
    scripts add 1 to numerator and denominator of every sample).

    Parameters
    ----------
    probability : (B, K, H, W) or (B, H, W) float tensor in [0, 1]
    target : tensor of the same shape, or (B, H, W) for K = 1
        0 background, 1 foreground, 255 ignored (counts nowhere).
    fn_weight, fp_weight : float
        Weights of false negatives and false positives; the paper has 0.7 and 0.3.
    gamma : float
        The power, after the index of each sample; the paper has 0.75.

    Returns
    -------
    () float32 tensor

    Raises
    ------
    ValueError
        The shapes do not match.
    """
    if target.ndim == 3 and probability.ndim == 4:
        target = target.unsqueeze(1)  # (B, 1, H, W)
    if target.shape != probability.shape:
        raise ValueError(
            f"probability {tuple(probability.shape)} and target {tuple(target.shape)} differ"
        )
    counted = (target != IGNORED).flatten(1).float()  # (B, N)
    truth = (target == 1).flatten(1).float()
    claimed = probability.float().flatten(1) * counted
    true_positive = (claimed * truth).sum(1)  # (B,)
    false_negative = ((1.0 - claimed) * truth).sum(1)
    false_positive = (claimed * (1.0 - truth)).sum(1)
    empty = truth.sum(1) == 0
    smoothing = torch.where(empty, EMPTY_SMOOTHING * counted.sum(1).clamp(min=1.0), 0.0)
    wrong = fn_weight * false_negative + fp_weight * false_positive
    # 1 - TI, written without the subtraction that would lose its last digits near TI = 1.
    distance = wrong / (true_positive + smoothing + wrong)
    return (distance + _ABOVE_ZERO).pow(gamma).mean()


def verdict_loss(verdicts: Tensor, real: bool) -> Tensor:
    """Binary cross entropy of the discriminator's logits (B, 1, h, w) against one answer."""
    logits = verdicts.float()
    return F.softplus(-logits if real else logits).mean()
