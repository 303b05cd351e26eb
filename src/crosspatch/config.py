"""Every setting of a training run: typed, a sentence each, unknown keys refused.

A TOML file given by ``--config`` holds any of them, in the tables named here; flags win over it.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from crosspatch.errors import SettingsError
from crosspatch.files import PathLike, read_plain_toml

_Model = TypeVar("_Model", bound=BaseModel)
_MOST_FEATURES = 4096
"""Features of a first block at most: one inner layer of such a generator takes 128 GiB."""


class Table(BaseModel):
    """A table of a TOML file: what is not in the schema is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NetworkSettings(Table):
    """The two networks."""

    encoder: Literal["paper", "imagenet"] = Field(
        "paper",
        description=(
            "Of the generator. imagenet: EfficientNet-Lite0 with ImageNet weights and a small "
            "decoder (extra pretrained); width, depth and dropout then say nothing."
        ),
    )
    head: Literal["presence"] | None = Field(
        None,
        description=(
            "By itself a mask is drawn. presence: the encoder alone learns whether there is any "
            "foreground in a crop; such a model draws no masks, others start from it."
        ),
    )
    width: int = Field(
        64, ge=1, le=_MOST_FEATURES, description="Features of the generator's first block."
    )
    depth: int = Field(6, ge=2, le=10, description="Blocks down, and up, in the generator.")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="Share of features dropped in the generator's inner blocks."
    )
    discriminator_width: int = Field(
        64, ge=1, le=_MOST_FEATURES, description="Features of the discriminator's first block."
    )
    discriminator_layers: int = Field(
        3, ge=1, le=6, description="Its blocks of stride 2; 3 give patches of 70 x 70 pixels."
    )

    @model_validator(mode="after")
    def _presence_of_the_paper(self) -> Self:
        if self.head == "presence" and self.encoder != "paper":
            raise ValueError("head = presence goes with the paper's encoder")
        return self


class LossSettings(Table):
    """What the networks are asked to minimise."""

    fn_weight: float = Field(0.7, ge=0, description="Weight of false negatives (Tversky).")
    fp_weight: float = Field(0.3, ge=0, description="Weight of false positives (Tversky).")
    gamma: float = Field(0.75, gt=0, description="Power of the focal Tversky loss.")
    tversky_weight: float = Field(200.0, gt=0, description="Weight of the mask's own loss.")
    adversarial_weight: float = Field(
        1.0, ge=0, description="Weight of the discriminator's verdict; 0 trains without one."
    )


class TrainingSettings(Table):
    """How long, on what, how fast."""

    epochs: int | None = Field(50, ge=1, description="Passes over the training samples.")
    steps: int | None = Field(None, ge=1, description="Optimiser steps, instead of epochs.")
    batch: int = Field(16, ge=1, description="Samples of one step, on all devices together.")
    accumulate: int = Field(
        1, ge=1, description="Parts a device takes its share of a batch in, to need less memory."
    )
    fraction: float = Field(
        1.0, gt=0, le=1, description="Share of the training subjects, by group, nested."
    )
    validation_share: float = Field(
        0.15,
        ge=0,
        lt=1,
        description="Share of those set aside for validation where the crops have no val split.",
    )
    versions: bool = Field(
        True, description="Train on the recipe's rotations and flips, not on crops as they are."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of weights, subsets, order, dropout.")
    generator_rate: float = Field(5e-4, gt=0, description="Adam's learning rate, generator.")
    discriminator_rate: float = Field(
        1e-4, gt=0, description="Adam's learning rate, discriminator."
    )
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first decay.")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second decay.")
    decay: float = Field(
        0.95, gt=0, le=1, description="Factor on both rates at each tenth of the schedule."
    )
    averaging: float = Field(
        0.99, ge=0, lt=1, description="Decay of the averaged generator (EMA); 0: no averaging."
    )
    checks: int | None = Field(
        None, ge=1, description="Validations in the run; one an epoch, or 20 if given in steps."
    )
    keep_best: bool = Field(False, description="Also keep the weights of the best validation.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Arithmetic of the convolutions; auto: bf16 where the device has it."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads; results depend on them.")

    @model_validator(mode="before")
    @classmethod
    def _steps_replace_epochs(cls, data: Any) -> Any:
        """Let ``steps`` alone mean steps; epochs and steps together contradict each other."""
        if isinstance(data, Mapping) and data.get("steps") is not None:
            if data.get("epochs") is not None:
                raise ValueError("epochs and steps are two ways to say how long: give one")
            return {**data, "epochs": None}
        return data

    @model_validator(mode="after")
    def _some_length(self) -> Self:
        if self.epochs is None and self.steps is None:
            raise ValueError("give epochs or steps")
        return self


class TransferSettings(Table):
    """What a warm start takes from its source model (``--from``)."""

    stem: Literal["auto", "skip", "copy", "mean"] = Field(
        "auto",
        description=(
            "Input layers. skip: fresh; copy: each channel's weights by its name, zero for a new "
            "channel; mean: the same, and the mean of the source's channels for a new one; auto: "
            "copy where both have the same channels, else skip."
        ),
    )
    layers: Literal["encoder"] | None = Field(
        None,
        description=(
            "By itself all that fit. encoder: those of the generator's encoder; its decoder and "
            "the discriminator stay fresh."
        ),
    )
    discriminator: Literal["copy", "fresh"] = Field(
        "copy", description="Whether the discriminator starts from the source's too."
    )
    staged_steps: int = Field(
        0, ge=0, description="First steps in which only fresh layers and batch norm are trained."
    )
    copied_rate: float = Field(
        1.0, gt=0, description="Factor on the learning rates of copied layers."
    )


class Settings(Table):
    """All of them."""

    network: NetworkSettings = Field(default_factory=NetworkSettings)
    loss: LossSettings = Field(default_factory=LossSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    transfer: TransferSettings = Field(default_factory=TransferSettings)


def load_settings(
    config: PathLike | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Read settings from a TOML file and lay ``overrides`` over them.

    Parameters
    ----------
    config : path or None
        TOML with any of the tables of `Settings`; None for the defaults.
    overrides : mapping of table to mapping of key to value
        What wins over the file: the flags of a command.

    Raises
    ------
    SettingsError
        An unknown key (with a suggestion), a value out of range, a contradiction.
    """
    table = read_plain_toml(config) if config is not None else {}
    where = f"{config}: " if config is not None else ""
    _refuse_unknown(table, Settings, where)
    merged = merge(table, overrides or {})
    return parse_settings(merged, where)


def merge(table: Mapping[str, Any], overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Lay ``overrides`` over ``table``; steps given anew drop epochs given before, and back."""
    merged = {key: dict(value) if isinstance(value, Mapping) else value
              for key, value in table.items()}  # fmt: skip
    for name, values in overrides.items():
        section = merged.setdefault(name, {})
        given = {key: value for key, value in values.items() if value is not None}
        if name == "training" and len(given.keys() & {"epochs", "steps"}) == 1:
            section.pop("epochs", None)
            section.pop("steps", None)
        section.update(given)
    return merged


def parse_settings(table: Mapping[str, Any], where: str = "") -> Settings:
    """Check a nested mapping against the schema; ``where`` opens the error message."""
    return parse_table(Settings, table, where)


def parse_table(model: type[_Model], table: Mapping[str, Any], where: str = "") -> _Model:
    """Check a nested mapping against a model of tables; ``where`` opens the error message.

    Raises
    ------
    SettingsError
        An unknown key (with a suggestion), a value out of range, a contradiction.
    """
    _refuse_unknown(table, model, where)
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise SettingsError(where + "; ".join(map(_said, error.errors()))) from None


def _said(item: Any) -> str:
    """Say one problem of pydantic's in our words: where, and what."""
    where = ".".join(str(part) for part in item["loc"])
    what = item["msg"].removeprefix("Value error, ")
    return f"{where}: {what[:1].lower()}{what[1:]}" if where else what


def _refuse_unknown(table: Mapping[str, Any], model: type[BaseModel], where: str) -> None:
    unknown = list(_unknown_keys(table, model, ""))
    if unknown:
        raise SettingsError(where + "; ".join(unknown))


def _unknown_keys(table: Mapping[str, Any], model: type[BaseModel], path: str) -> Iterator[str]:
    """Say each key that the schema does not know, with the nearest that it does."""
    for key, value in table.items():
        field = model.model_fields.get(key)
        if field is None:
            near = difflib.get_close_matches(key, model.model_fields, n=1)
            hint = f", did you mean {path}{near[0]}?" if near else ""
            yield f"unknown setting {path}{key}{hint}"
            continue
        inner, named = _inner_model(field.annotation)
        if inner is None:
            continue
        if not isinstance(value, Mapping):
            below = f"[{path}{key}.NAME]" if named else f"[{path}{key}]"
            yield f"{path}{key} is a table: write {below} and its settings below"
        elif not named:
            yield from _unknown_keys(value, inner, f"{path}{key}.")
        for name, one in value.items() if named and isinstance(value, Mapping) else ():
            if isinstance(one, Mapping):
                yield from _unknown_keys(one, inner, f"{path}{key}.{name}.")
            else:
                yield f"{path}{key}.{name} is a table: write [{path}{key}.{name}]"


def _inner_model(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Find the model of a field that is a table, and whether there are several, by name."""
    if get_origin(annotation) is dict:
        return _inner_model(get_args(annotation)[1])[0], True
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one, False
    return None, False


def schema_fields() -> Iterator[tuple[str, str, Any, str]]:
    """Yield (table, key, default, description) of every setting, for the reference page."""
    for table, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        for key, inner in model.model_fields.items():
            yield table, key, inner.default, inner.description or ""
