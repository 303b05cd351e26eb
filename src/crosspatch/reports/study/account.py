"""The sections of a study's report that account for it: settings, time, failures, limits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from crosspatch.config import NetworkSettings
from crosspatch.crops import Crops
from crosspatch.errors import CrosspatchError
from crosspatch.models.facts import read_facts
from crosspatch.reports.architecture import network_figure, trace_networks
from crosspatch.reports.page import Block, Details, Drawing, Section, Table, Text
from crosspatch.reports.study.material import Material, called
from crosspatch.studies.cube import Cell
from crosspatch.studies.savings import percent
from crosspatch.studies.statistics import Findings
from crosspatch.training.run import MODEL, TRANSFER, Run

_LISTED = 200  # rows of a table that may be endless
_SIDE = 256  # pixels of the image that Figure 1 is drawn for, where the plan names no crop size
_CHANNELS = 3  # of the image, where nothing says how many


def network_section(material: Material, figures: dict[str, str]) -> Section:
    """Figure 1, drawn from the networks that this study trained."""
    table = material.plan.get("settings", {}).get("network", {})
    network = NetworkSettings.model_validate(table)
    target = material.plan.get("target", {})
    side = int(target.get("size") or _SIDE)
    channels = _channels(material)
    generator, discriminator = trace_networks(network, channels or _CHANNELS, side)
    figures["figure-1"] = network_figure(generator, discriminator)
    verdicts = discriminator.layers[-1].side
    caption = (
        f"The paper's Figure 1, drawn from the networks as they are, for a crop of {side} x {side} "
        f"pixels and {_channels_words(channels)}: under each block its features and its side; "
        "\"+\": features of the block at the other end of the dashed line join it. Each of the "
        "discriminator's "
        f"{verdicts} x {verdicts} verdicts sees {discriminator.patch} x {discriminator.patch} "
        "pixels."
    )  # fmt: skip
    return Section("The two networks", [Drawing(figures["figure-1"], caption, wide=True)])


def _channels(material: Material) -> int | None:
    """Count the channels that the networks take: by a model, else the crops, else the target."""
    for run in material.results.filter(pl.col("kind") != "baseline")["run"].unique().sort():
        try:
            return len(
                read_facts(material.path / "runs" / run / MODEL / "model.toml").channel_names
            )
        except (CrosspatchError, OSError):
            continue
    for folder in sorted((material.path / "crops").glob("target*")):
        try:
            return len(Crops.open(folder).channel_names)
        except CrosspatchError:
            continue
    return len((material.dataset and material.dataset.channel_names) or ()) or None


def _channels_words(channels: int | None) -> str:
    if channels is None:
        return f"{_CHANNELS} channels (how many the target has is not known here)"
    return f"{channels} channel{'s' * (channels != 1)}"


def transfer_section(material: Material) -> Section | None:
    """Say what each start took from its source, and left."""
    blocks: list[Block] = []
    for arm in material.arms:
        run = _first_run(material, arm)
        if run is None or not (run.path / TRANSFER).is_file():
            continue
        try:
            report = run.transfer
        except CrosspatchError as error:
            blocks.append(Text([f"{called(arm)}: {error}"]))
            continue
        if report is not None:
            blocks.append(Details(f"From {called(arm)}", [Text(report.lines())]))
    if not blocks:
        return None
    told = (
        "Of every tensor of both networks it is known whether it was copied. Shown is the first "
        "run of each start; the others took the same."
    )
    return Section("What was taken from the sources", [Text([told]), *blocks])


def _first_run(material: Material, arm: str) -> Run | None:
    names = material.results.filter(pl.col("arm") == arm)["run"].head(1).to_list()
    try:
        return Run.open(material.path / "runs" / names[0]) if names else None
    except CrosspatchError:
        return None


def settings_section(material: Material) -> Section:
    """Every setting of the study, as it was resolved."""
    plan = {key: value for key, value in material.plan.items() if key not in ("runs", "said")}
    own = [(name, value) for name, value in _flat(plan, "") if not name.startswith("settings.")]
    common = list(_flat(plan.get("settings", {}), ""))
    return Section(
        "Every setting",
        [
            Text(
                ["What the plan says, resolved; study.toml in the study's folder holds the same."]
            ),
            _pairs(own, "The plan."),
            Details("Settings that all runs share", [_pairs(common, "As for crosspatch train.")]),
        ],
    )


def _flat(table: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            listed = isinstance(value, list | tuple)
            yield f"{before}{key}", ", ".join(map(str, value)) if listed else str(value)


def _pairs(rows: Iterable[tuple[str, str]], caption: str) -> Table:
    return Table(["setting", "value"], [list(row) for row in rows], caption)


def account_section(material: Material, found: Findings | None) -> Section:
    """Time spent, what failed, what is missing, and who looked at test labels."""
    blocks: list[Block] = [Text([_time_words(material), _log_words(material)])]
    if len(material.failed):
        blocks.append(
            _listed(
                ["run", "why"], material.failed.select("run", "why").rows(),
                "Runs that failed; they are tried again when the study goes on.",
            )
        )  # fmt: skip
    if material.missing:
        names = [[name] for name in material.missing]
        blocks.append(Details(f"{len(names)} runs to come", [_listed(["run"], names, "")]))
    if found is not None and found.cube.incomplete:
        rows: list[list[str | int | float | None]] = [
            [called(cell.arm), percent(cell.fraction), seed, count]
            for cell, seed, count in found.cube.incomplete
        ]
        caption = "Scored on some of the test subjects only (a fold is missing), so left out."
        blocks.append(_listed(["start", "labels", "seed", "subjects"], rows, caption))
    if len(material.times):
        blocks.append(_time_table(material))
    if len(material.test_log):
        log = material.test_log.select("opened", "run", "fold", "subjects").rows()
        table = _listed(["opened", "run", "fold", "subjects"], log, "From test_log.csv.")
        blocks.append(Details("Each opening of the test set", [table]))
    return Section("What it took, and what is missing", blocks)


def _time_words(material: Material) -> str:
    hours = float(material.times["seconds"].sum()) / 3600
    took = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
    said = f"{len(material.times)} runs took {took} of training and scoring, added up."
    if material.missing:
        said += f" {len(material.missing)} of {len(material.planned)} planned runs are to come."
    if material.broken:
        said += f" {len(material.broken)} failed."
    return said


def _log_words(material: Material) -> str:
    log = material.test_log
    if not len(log):
        return "No opening of the test set is on record."
    runs = log["run"].n_unique()
    again = len(log) - runs
    more = (
        f", {again} of them again by a run that was stopped and repeated, or done anew"
        if again
        else ", each run once"
    )
    return f"Test labels were looked at {len(log)} times by {runs} runs{more}."


def _time_table(material: Material) -> Table:
    by_run = material.results.select("run", "arm", "fraction").unique()
    known = material.times.with_columns(pl.col("run").cast(pl.String)).join(
        by_run.with_columns(pl.col("run").cast(pl.String)), on="run", how="left"
    )
    grouped = (
        known.with_columns(pl.col("arm").cast(pl.String).fill_null("(sources)"))
        .group_by("arm")
        .agg(pl.len().alias("runs"), pl.col("seconds").mean().alias("each"),
             pl.col("seconds").sum().alias("all"))
        .sort("arm")
    )  # fmt: skip
    rows = [
        [called(arm), runs, f"{each:.0f}", f"{total / 60:.0f}"]
        for arm, runs, each, total in grouped.iter_rows()
    ]
    return Table(
        ["start", "runs", "seconds a run, mean", "minutes together"], rows,
        "Wall clock of this machine, with whatever else it was doing.",
    )  # fmt: skip


def _listed(
    columns: Sequence[str], rows: Sequence[Sequence[str | int | float | None]], caption: str
) -> Table:
    more = f" The first {_LISTED} of {len(rows)}." if len(rows) > _LISTED else ""
    return Table(columns, [list(row) for row in rows[:_LISTED]], caption + more)


def limits_section(material: Material, found: Findings | None) -> Section:
    """Say what these numbers do not."""
    said = [f"{one[:1].upper()}{one[1:].rstrip('.')}." for one in _limits(material, found)]
    return Section("Limits", [Text(said)])


def _limits(material: Material, found: Findings | None) -> Iterator[str]:
    if found is not None:
        yield from found.limits
        cube = found.cube
        yield (
            f"one target ({material.target}), {cube.subjects} test subjects of {len(cube.groups)} "
            "groups: intervals allow for other groups like these and other trainings, not for "
            "other targets"
        )
        if Cell("forest", 1.0) not in found.scores or Cell("threshold", 1.0) not in found.scores:
            yield "a pixel baseline is missing beside the models"
        if not cube.arms("pretrained"):
            yield "an ImageNet-pretrained encoder, what else one would do, was not part of it"
        if int(material.plan.get("folds", 0) or 0):
            yield (
                "in cross-validation the trainings of different folds share images, which "
                "intervals do not know of"
            )
        if found.longer is None:
            yield "it was not measured whether training for longer would have gained anything"
    if material.generated:
        yield "the target's images were generated by a program: nothing here holds for real ones"
    if "epochs" in material.plan:
        yield (
            "with equal epochs, as in the paper, fewer labels also mean fewer updates of the "
            "weights: what fewer labels cost and what less training costs cannot be told apart"
        )
    yield "one kind of machine: another may give other last digits"
    yield from material.said
