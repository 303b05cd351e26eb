"""Simulated volunteers: they outline a true mask as people do, errors, habits and all.

A person groups what lies close together, draws a little outside of it, with a hand that wavers and
cuts corners, passes over small things, sees some that are not there, and now and then submits a
blank. Some are sloppy. And people err alike: where the picture misleads one, it misleads the next.
That last part (``shared``, ``shared_edge``) is what no number of votes can average away.

Lengths are shares of the side of the picture, sqrt(H W), because everybody sees it screen-filling.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import SettingsError
from crosspatch.volunteers.hand import Errors, Hand, Person, Scene, VolunteerSettings, decoy
from crosspatch.volunteers.trace import Outline

__all__ = ["SimulatedClassification", "VolunteerSettings", "simulate"]

_DECOYS = 4  # places in a picture that look like objects to many
_FIRST_DAY = datetime(2025, 1, 31, 14, 0, tzinfo=UTC)


@dataclass(frozen=True)
class SimulatedClassification:
    """What one volunteer submitted on one subject.

    Attributes
    ----------
    classification_id, subject_id : as Panoptes numbers them
    name : the subject's own name
    volunteer : "not-logged-in-..." for anonymous people
    user_id : None for anonymous people
    created_at : when, UTC
    shape : (H, W) of the picture
    outlines : closed outlines, (N, 2) float64 row and column in pixels; they may leave the frame
    """

    classification_id: int
    subject_id: int
    name: str
    volunteer: str
    user_id: int | None
    created_at: datetime
    shape: tuple[int, int]
    outlines: tuple[Outline, ...]


def simulate(
    masks: Mapping[str, NDArray[np.uint8]],
    *,
    volunteers: int | Mapping[str, int],
    seed: int = 0,
    settings: VolunteerSettings | None = None,
    people: int | None = None,
) -> list[SimulatedClassification]:
    """Let a crowd outline the true masks.

    Parameters
    ----------
    masks : name -> (H, W) uint8, 1 is foreground
    volunteers : how many classify each subject
    seed : same seed, same drawings; a subject's do not depend on the other subjects
    settings : how they draw; like Floating Forests' volunteers by default
    people : size of the crowd, four times ``volunteers`` by default; some classify far more than
        others

    Returns
    -------
    classifications in the order of arrival, with those of one subject scattered as in real exports

    Raises
    ------
    SettingsError
        More volunteers a subject than people, or none.
    """
    settings = settings or VolunteerSettings()
    wanted = {
        name: volunteers if isinstance(volunteers, int) else volunteers[name] for name in masks
    }
    most = max(wanted.values(), default=1)
    crowd = 4 * most if people is None else people
    if min(wanted.values(), default=1) < 1 or most > crowd:
        raise SettingsError(f"{most} volunteers a subject out of {crowd} people cannot be had")
    drawn = [
        (name, number, person, outlines)
        for number, (name, mask) in enumerate(masks.items())
        for person, outlines in _subject(name, mask, wanted[name], crowd, seed, settings)
    ]
    order = np.random.default_rng([seed, 1]).permutation(len(drawn))
    return [
        _classification(place, drawn[which], masks[drawn[which][0]].shape)
        for place, which in enumerate(order.tolist())
    ]


def _subject(
    name: str,
    mask: NDArray[np.uint8],
    wanted: int,
    crowd: int,
    seed: int,
    settings: VolunteerSettings,
) -> Iterator[tuple[Person, tuple[Outline, ...]]]:
    """Yield who classified a subject, and what they drew."""
    key = crc32(name.encode())
    random = np.random.default_rng([seed, 2, key])
    eager = 1 / np.arange(1, crowd + 1)  # a few people do most of the work
    numbers = random.choice(crowd, wanted, replace=False, p=eager / eager.sum())
    shared = Errors.draw(random, mask.shape)
    scene = Scene(mask)
    decoys = [decoy(random, scene) for _ in range(_DECOYS)]
    for number in numbers.tolist():
        person = _person(number, seed, settings)
        hand = Hand(np.random.default_rng([seed, 3, key, number]), person, shared, settings, scene)
        yield person, tuple(hand.draw(decoys))


def _person(number: int, seed: int, settings: VolunteerSettings) -> Person:
    random = np.random.default_rng([seed, 4, number])
    return Person(
        number=number,
        anonymous=bool(random.random() < settings.anonymous),
        outward=float(random.normal(settings.outward, settings.outward_spread)),
        scale=settings.sloppiness if random.random() < settings.sloppy else 1.0,
    )


def _classification(
    place: int, drawn: tuple[str, int, Person, tuple[Outline, ...]], shape: tuple[int, ...]
) -> SimulatedClassification:
    name, number, person, outlines = drawn
    anonymous = f"not-logged-in-{crc32(str(person.number).encode()):020x}"
    return SimulatedClassification(
        classification_id=600_000_001 + 3 * place,
        subject_id=90_000_001 + number,
        name=name,
        volunteer=anonymous if person.anonymous else f"volunteer{person.number:04d}",
        user_id=None if person.anonymous else 1_000_001 + person.number,
        created_at=_FIRST_DAY + timedelta(seconds=41 * place),
        shape=(shape[0], shape[1]),
        outlines=outlines,
    )
