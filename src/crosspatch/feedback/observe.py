"""What a model makes of one subject: its map, its features, and the discriminator's verdict.

The windows that the map is stitched of also give the bottleneck's features and the verdicts, in
the same pass; only uncertainty takes more.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crosspatch.dataset import IGNORED, Dataset, Subject
from crosspatch.dataset.check import same_size
from crosspatch.dataset.folder import content_of
from crosspatch.errors import InputError
from crosspatch.feedback.measures import confidence, disagreement, iou_or_right
from crosspatch.feedback.votes import VoteTable
from crosspatch.images import Image
from crosspatch.models.discriminator import Discriminator, beside, verdict_side
from crosspatch.models.generator import Down, Generator
from crosspatch.models.storage import Model
from crosspatch.prediction.scene import (
    check_units,
    choose_channels,
    predict_probability,
    to_mask,
)
from crosspatch.prediction.uncertainty import predict_with_uncertainty, subject_uncertainty

Status = Literal["open", "labelled", "trained"]


@dataclass(frozen=True, eq=False)
class Seen:
    """A subject as the model sees it. Measures without meaning are nan.

    Attributes
    ----------
    subject : of the data set
    status : "open", "labelled", or "trained": the model has seen its label
    uncertainty, confidence, verdict, disagreement, foreground : see `crosspatch.feedback.table`
    features : (F,) float32, means of the bottleneck's features
    iou : of the model's mask with the drawn one, 1 where both are empty; nan without a mask
    trained : whether the model has seen its label; an open one's was what volunteers had so far
    """

    subject: Subject
    status: Status
    uncertainty: float
    confidence: float
    verdict: float
    disagreement: float
    foreground: float
    features: NDArray[np.float32]
    iou: float = math.nan
    trained: bool = False


class Witness(nn.Module):
    """A generator that also notes features and verdicts of every window it is shown.

    Parameters
    ----------
    generator : in evaluation mode
    discriminator : likewise, or None
    """

    def __init__(self, generator: Generator, discriminator: Discriminator | None) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.multiple = generator.multiple
        deepest = generator.encoder[-1]
        assert isinstance(deepest, Down)
        self.bottleneck = deepest.conv.out_channels
        self.features: list[NDArray[np.float32]] = []
        self.verdicts: list[float] = []
        deepest.register_forward_hook(self._note_features)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 1, H, W) of standardised windows (B, C, H, W)."""
        logits: Tensor = self.generator(image)
        if self.discriminator is not None and self._fits(image):
            said = self.discriminator(beside(image, torch.sigmoid(logits)))  # (B, 1, h, w)
            real = torch.sigmoid(said.float()).mean(dim=(1, 2, 3))
            self.verdicts += real.cpu().tolist()
        return logits

    def forget(self) -> None:
        """Begin a new subject."""
        self.features, self.verdicts = [], []

    def verdict(self) -> float:
        """Mean over the subject's windows of the share of patches called real; nan without any."""
        return float(np.mean(self.verdicts)) if self.verdicts else math.nan

    def mean_features(self) -> NDArray[np.float32]:
        """Mean of the bottleneck's features over the subject, (F,)."""
        if not self.features:  # nothing but no-data: no window was shown
            return np.zeros(self.bottleneck, dtype=np.float32)
        mean: NDArray[np.float32] = np.concatenate(self.features).mean(axis=0)
        return mean

    def _note_features(self, block: nn.Module, given: Any, out: Tensor) -> None:
        self.features.append(out.float().mean(dim=(2, 3)).cpu().numpy())  # (B, F)

    def _fits(self, image: Tensor) -> bool:
        assert self.discriminator is not None
        layers = sum(
            isinstance(block, nn.Conv2d) and block.stride[0] == 2
            for block in self.discriminator.blocks
        )
        return verdict_side(min(image.shape[-2:]), layers) >= 1


@dataclass(frozen=True)
class Observer:
    """Looks at subjects of a data set through one model.

    votes : what volunteers said of the data set's subjects
    with_uncertainty : False: uncertainty is nan, and a look takes a ninth of the time
    said : what had to be assumed about the images
    """

    model: Model
    dataset: Dataset
    witness: Witness
    votes: VoteTable
    precision: str = "fp32"
    with_uncertainty: bool = True
    said: dict[str, None] = field(default_factory=dict)

    def look(self, subject: Subject) -> Seen:
        """Measure one subject.

        Raises
        ------
        InputError
            Its image cannot be read or is of another kind than the model's, or its mask or votes
            do not fit it.
        """
        image = self.dataset.read_image(subject)
        pixels = self._shown(image)
        probability = self._predict(image, pixels)
        mask = self._mask(subject, image)
        votes = self.votes.fractions(subject.name)
        if votes is not None and (other := same_size(probability.shape, votes.shape)):
            raise InputError(f"votes of {subject.name}: {other}")
        threshold = self.model.facts.threshold
        claimed = probability >= threshold
        known = ~np.isnan(probability)
        counted = int(np.count_nonzero(known))
        trained = content_of(image.pixels) in self.model.facts.seen
        return Seen(
            subject=subject,
            status=self._status(subject, trained),
            uncertainty=self._uncertainty(image, pixels) if counted else math.nan,
            confidence=confidence(probability, threshold),
            verdict=self.witness.verdict() if counted else math.nan,
            disagreement=_disagreement(claimed, known, votes, mask),
            foreground=float(np.count_nonzero(claimed)) / counted if counted else math.nan,
            features=self.witness.mean_features(),
            iou=_iou(claimed, mask),
            trained=trained,
        )

    def mask_of(self, image: Image) -> NDArray[np.uint8]:
        """Draw the mask of an image, (H, W) uint8 of 0, 1, 255."""
        return to_mask(self._predict(image, self._shown(image)), self.model.facts.threshold)

    def _shown(self, image: Image) -> NDArray[Any]:
        """Pick the channels that the model is to see, in its order."""
        facts = self.model.facts
        names = image.channel_names
        if self.dataset.channels_declared:
            names = self.dataset.channel_names
        pixels = image.pixels[list(choose_channels(facts.channel_names, names, len(image.pixels)))]
        if assumed := check_units(facts.dtype, pixels, image.nodata):
            self.said[f"an image {assumed}"] = None
        return pixels

    def _predict(self, image: Image, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Draw the map of an image, (H, W); the witness notes what goes with it."""
        self.witness.forget()
        return predict_probability(
            self.model, self.witness, pixels, nodata=image.nodata, precision=self.precision
        )

    def _uncertainty(self, image: Image, pixels: NDArray[Any]) -> float:
        """Ask the generator alone for its eight views: what they differ by."""
        if not self.with_uncertainty:
            return math.nan
        both = predict_with_uncertainty(
            self.model, self.witness.generator, pixels, nodata=image.nodata,
            precision=self.precision,
        )  # fmt: skip
        return subject_uncertainty(*both)

    def _mask(self, subject: Subject, image: Image) -> NDArray[np.uint8] | None:
        if subject.mask is None:
            return None
        mask = self.dataset.read_mask(subject)
        if other := same_size((image.pixels.shape[1], image.pixels.shape[2]), mask.shape):
            raise InputError(f"{subject.mask}: {other}")
        return np.where(image.valid, mask, np.uint8(IGNORED))

    def _status(self, subject: Subject, trained: bool) -> Status:
        if self.votes.unfinished(subject.name):
            return "open"
        if trained:
            return "trained"
        return "open" if subject.mask is None else "labelled"


def observer(
    model: Model,
    dataset: Dataset,
    *,
    device: torch.device,
    precision: str = "fp32",
    with_uncertainty: bool = True,
) -> Observer:
    """Load a model's networks, and the volunteers' votes, to look at a data set with."""
    judge = model.load_discriminator(device) if model.has_discriminator else None
    generator = model.load_generator(device)
    if not isinstance(generator, Generator):
        raise InputError(
            f"{model.path}: has an ImageNet encoder, whose features are not looked at here: take a "
            "model with the paper's encoder"
        )
    witness = Witness(generator, judge).eval()
    return Observer(
        model, dataset, witness, VoteTable.read(dataset.path), precision, with_uncertainty
    )


def _disagreement(
    claimed: NDArray[np.bool_],
    known: NDArray[np.bool_],
    votes: NDArray[np.float32] | None,
    mask: NDArray[np.uint8] | None,
) -> float:
    if mask is None:  # too few voters for a consensus: half of them stand in for it
        if votes is None:
            return math.nan
        mask = (votes >= 0.5).astype(np.uint8)
    return disagreement(claimed, np.where(known, mask, np.uint8(IGNORED)), votes)


def _iou(claimed: NDArray[np.bool_], mask: NDArray[np.uint8] | None) -> float:
    if mask is None or (mask == IGNORED).all():
        return math.nan
    return iou_or_right(claimed, mask)
