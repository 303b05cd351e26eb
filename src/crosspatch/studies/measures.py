"""What can be said of a source model on a new target before it is trained there.

Measures with labels look at the features in front of the source's last layer, pixel by pixel:
LogME (You et al. 2021, "LogME: practical assessment of pre-trained models for transfer learning"),
H-score (Bao et al. 2019, "An information-theoretic approach to transferability in task transfer
learning") and LEEP (Nguyen et al. 2020, "LEEP: a new measure to evaluate transferability of learned
representations"). The measure without labels is the distance between the statistics that the
source's batch norm has kept of its own images and those of the target's images in the same layers
(symmetric Kullback-Leibler divergence of normal distributions, as Li et al. 2016, "Revisiting batch
normalization for practical domain adaptation", compare domains).

All of them see the source with an input layer that fits the target: its own weights for a channel
that it knows by name; those of its other channels, summed and shared out evenly, for the rest. The
sum over channels stays, so that a distance is one of images, not of numbers of channels. A study
trains with a *fresh* input layer. What a source knows in its input layer (colours, finest edges)
therefore counts here and is lost there, and a domain can look nearer than it will be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crosspatch.errors import InputError
from crosspatch.models.generator import Down, Generator
from crosspatch.models.stem import plan_stem
from crosspatch.models.storage import GENERATOR, Model, build_generator, read_weights
from crosspatch.models.transfer import GENERATOR_STEM, carry_over

PER_CLASS = 5_000
"""Most pixels of foreground, and of background, that the measures with labels look at."""

_ROUNDS = 50  # of LogME's fixed point
_TOLERANCE = 1e-4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measures:
    """Of one source model on a target.

    ``log_me``, ``h_score``, ``leep``: higher is better; nan without labelled pixels of both kinds.
    ``distance``: lower is better.
    """

    log_me: float
    h_score: float
    leep: float
    distance: float
    stem: str
    """``copy`` or ``mean``: what became of the input layer for the measuring, see `adapted`."""


def adapted(model: Model, channel_names: Sequence[str]) -> tuple[Generator, str]:
    """Give a source's generator an input layer for other channels; nothing is trained.

    Returns
    -------
    generator in evaluation mode, and "copy", or "mean" where weights were shared out anew

    Raises
    ------
    InputError
        It has another encoder than the paper's, or draws no masks.
    """
    theirs = model.facts.channel_names
    stem = plan_stem("auto", tuple(channel_names), theirs).stem
    plan = plan_stem("copy" if stem == "copy" else "mean", tuple(channel_names), theirs)
    network = build_generator(model.facts.network, len(channel_names))
    if not isinstance(network, Generator):
        has = "an ImageNet encoder" if model.facts.network.head is None else "no decoder"
        raise InputError(f"{model.path}: has {has}, which these measures do not know")
    tensors = read_weights(model.path / GENERATOR)
    carry_over(network, tensors, GENERATOR_STEM, plan, len(theirs))
    if plan.stem == "mean":
        weight = f"{GENERATOR_STEM}.weight"
        network.state_dict()[weight].copy_(_shared_out(tensors[weight], plan.origins))
    return network.eval(), plan.stem


def _shared_out(weights: Tensor, origins: Sequence[int | None]) -> Tensor:
    """Lay an input layer out for other channels so that the sum over channels stays.

    Batch norm in evaluation mode keeps what it knows of the source: a third of the response would
    look like another domain. Channels of the same name keep their weights. Those of the source that
    are left are summed and shared out evenly, to the channels that are new, or to all where none
    is; new channels get nothing where none is left.

    Parameters
    ----------
    weights : (D, S, kh, kw) tensor
    origins : for each of C channels its place in the source, or None

    Returns
    -------
    (D, C, kh, kw) tensor
    """
    left = [place for place in range(weights.shape[1]) if place not in origins]
    new = [place for place, origin in enumerate(origins) if origin is None]
    takers = new or range(len(origins))
    share = weights[:, left].sum(dim=1) / len(takers)  # (D, kh, kw)
    laid = [
        weights[:, origin] if origin is not None else torch.zeros_like(share) for origin in origins
    ]
    for place in takers:
        laid[place] = laid[place] + share
    return torch.stack(laid, dim=1)


@torch.inference_mode()
def measure(
    model: Model,
    channel_names: Sequence[str],
    images: Tensor,
    masks: NDArray[np.uint8],
    *,
    seed: int = 0,
    batch: int = 8,
) -> Measures:
    """Measure how a source's features fit a target.

    Parameters
    ----------
    model : Model
    channel_names : names of the target's C channels
    images : (N, C, H, W) float32 tensor
        Crops, each channel standardised by the target's own training images.
    masks : (N, H, W) uint8
        0, 1, 255 (ignored).
    seed : of the drawn pixels
    batch : crops at a time
    """
    network, stem = adapted(model, channel_names)
    watch = _Watch(network)
    parts, said = [], []
    for start in range(0, len(images), batch):
        logits = network(images[start : start + batch])
        parts.append(watch.features)  # (B, F, H / 2, W / 2)
        said.append(torch.sigmoid(logits[:, 0]))
    features = torch.cat(parts).permute(0, 2, 3, 1).numpy()  # (N, H / 2, W / 2, F)
    half = masks[:, ::2, ::2][:, : features.shape[1], : features.shape[2]]
    probability = torch.cat(said).numpy()[:, ::2, ::2]
    drawn = draw_pixels(half, seed)
    distance = watch.distance()
    if drawn is None:
        return Measures(np.nan, np.nan, np.nan, distance, stem)
    labels = half[drawn]
    chosen = features[drawn].astype(np.float64)
    return Measures(
        log_me(chosen, labels), h_score(chosen, labels),
        leep(probability[drawn].astype(np.float64), labels), distance, stem,
    )  # fmt: skip


class _Watch:
    """Keeps what reaches the last layer, and sums up what reaches batch norm in the encoder."""

    def __init__(self, network: Generator) -> None:
        self.features = torch.empty(0)
        self._norms = [block.norm for block in network.encoder if isinstance(block, Down)]
        self._sums = [
            torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in self._norms
        ]
        network.head.register_forward_pre_hook(self._keep)
        for place, norm in enumerate(self._norms):
            norm.register_forward_pre_hook(self._adder(place))

    def _keep(self, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        self.features = given[0]

    def _adder(self, place: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def add(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            x = given[0].double()  # (B, C, H, W)
            count = torch.full((x.shape[1],), x[:, 0].numel(), dtype=torch.float64)
            self._sums[place] += torch.stack([count, x.sum((0, 2, 3)), (x**2).sum((0, 2, 3))])

        return add

    def distance(self) -> float:
        """Mean over layers of the mean over features of the symmetric divergence."""
        layers = []
        for norm, (count, total, squares) in zip(self._norms, self._sums, strict=True):
            mean = total / count
            variance = (squares / count - mean**2).clamp(min=0)
            layers.append(
                divergence(
                    mean.numpy(), variance.numpy(),
                    _kept(norm.running_mean), _kept(norm.running_var),
                ).mean()
            )  # fmt: skip
        return float(np.mean(layers))


def _kept(statistic: Tensor | None) -> Floats:
    assert statistic is not None
    kept: Floats = statistic.double().numpy()
    return kept


def divergence(
    mean: Floats, variance: Floats, other_mean: Floats, other_variance: Floats
) -> Floats:
    """Symmetric Kullback-Leibler divergence of normal distributions, element by element.

    Variances are kept above a millionth of the larger one: a feature that never moves would
    otherwise be infinitely far.
    """
    floor = 1e-6 * np.maximum(np.maximum(variance, other_variance), 1e-12)
    ours, theirs = np.maximum(variance, floor), np.maximum(other_variance, floor)
    apart = (mean - other_mean) ** 2
    both: Floats = ((ours + apart) / theirs + (theirs + apart) / ours - 2) / 2
    return both


def draw_pixels(masks: NDArray[np.uint8], seed: int) -> tuple[NDArray[np.intp], ...] | None:
    """Draw as many pixels of foreground as of background, `PER_CLASS` at most.

    Returns
    -------
    indices into ``masks``, one array an axis; None where one kind is missing
    """
    generator = np.random.default_rng(seed)
    kinds = [np.flatnonzero(masks == kind) for kind in (0, 1)]
    count = min(PER_CLASS, *map(len, kinds))
    if count < 2:
        return None
    chosen = np.concatenate([generator.choice(one, count, replace=False) for one in kinds])
    return np.unravel_index(np.sort(chosen), masks.shape)


def log_me(features: Floats, labels: NDArray[np.integer]) -> float:
    """Logarithm of the evidence that features explain labels linearly, a sample (You et al. 2021).

    Parameters
    ----------
    features : (n, d) float64
    labels : (n,) of 0 and 1
    """
    x = features - features.mean(axis=0)
    y = labels.astype(np.float64) - labels.mean()
    n, d = x.shape
    left, sizes, _ = np.linalg.svd(x, full_matrices=False)
    sigma = sizes**2
    z = (left.T @ y) ** 2
    rest = max(float(y @ y - z.sum()), 0.0)
    alpha = beta = 1.0
    for _ in range(_ROUNDS):
        ratio = alpha / beta
        gamma = float((sigma / (sigma + ratio)).sum())
        weights = float((sigma * z / (sigma + ratio) ** 2).sum())
        residual = float((z / (1 + sigma / ratio) ** 2).sum()) + rest
        alpha = gamma / max(weights, 1e-12)
        beta = (n - gamma) / max(residual, 1e-12)
        if abs(alpha / beta - ratio) <= _TOLERANCE * ratio:
            break
    evidence = (
        n * np.log(beta) + d * np.log(alpha) - n * np.log(2 * np.pi)
        - beta * residual - alpha * weights
        - np.log(alpha + beta * sigma).sum() - (d - len(sigma)) * np.log(alpha)
    ) / 2  # fmt: skip
    return float(evidence / n)


def h_score(features: Floats, labels: NDArray[np.integer]) -> float:
    """Part of the features' spread that lies between the classes (Bao et al. 2019), in [0, 1].

    tr(cov(F)^-1 cov(E[F | y])): for two classes 1 is a perfect linear separation.
    """
    x = features - features.mean(axis=0)
    means = np.stack([x[labels == kind].mean(axis=0) for kind in (0, 1)])[labels.astype(int)]
    within = np.linalg.pinv(x.T @ x / len(x), hermitian=True)
    return float(np.trace(within @ (means.T @ means / len(x))))


def leep(probability: Floats, labels: NDArray[np.integer]) -> float:
    """Log of the expected empirical prediction (Nguyen et al. 2020), at most 0.

    Parameters
    ----------
    probability : (n,) float64
        Of foreground, by the source's own head.
    labels : (n,) of 0 and 1, of the target
    """
    theta = np.stack([1 - probability, probability], axis=1)  # (n, 2), source classes
    joint = np.stack([theta[labels == kind].sum(axis=0) for kind in (0, 1)]) / len(theta)
    given = joint / np.maximum(joint.sum(axis=0), 1e-12)  # P(target | source)
    return float(np.log(np.maximum((theta @ given.T)[np.arange(len(theta)), labels], 1e-12)).mean())


def regrets(
    chosen: Mapping[str, str], scores: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Say how much was lost by a choice of source: best score minus that of the chosen one.

    Parameters
    ----------
    chosen : target -> source
    scores : target -> source -> mean IoU after training

    Returns
    -------
    target -> regret, at least 0
    """
    return {
        target: max(scores[target].values()) - scores[target][source]
        for target, source in chosen.items()
    }
