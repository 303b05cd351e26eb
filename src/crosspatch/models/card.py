"""The model card: what a person should know before trusting a model, in a README beside it."""

from collections.abc import Mapping
from typing import Any

from crosspatch.models.facts import ModelFacts


def card(facts: ModelFacts) -> str:
    """Write the card in Markdown: data, licence, provenance, scores, limits.

    The lines between dashes are what the Hugging Face hub reads of a model that is shared there.
    """
    provenance = facts.provenance
    asks_presence = facts.network.head == "presence"
    does = "Says whether crops show any" if asks_presence else "Segments"
    lines = [
        "---",
        "library_name: crosspatch",
        f"pipeline_tag: image-{'classification' if asks_presence else 'segmentation'}",
        "---",
        "",
        "# Model card",
        "",
        f"{does} **{', '.join(facts.foreground)}** in images with the channels "
        f"{', '.join(facts.channel_names)} ({facts.dtype}).",
        "",
        f"- Network: {_network(facts)}",
        f"- Trained on: {provenance.get('data', 'not said')}",
        f"- Licence of the data: {provenance.get('licence') or 'not said'}",
        f"- Labelled subjects spent: {len(facts.contents)}",
        f"- Steps: {provenance.get('steps', 'not said')}, seed {provenance.get('seed', '?')}",
        *_started_from(provenance, len(facts.source_contents)),
        "",
        "## Scores",
        "",
        *(
            [f"- {name}: {value:.4g}" for name, value in facts.scores.items()]
            or ["None: there was no validation."]
        ),
        "",
        "Validation scores are of crops, from the same project as the training images; score whole "
        "subjects with `crosspatch evaluate`.",
        "",
        "## Limits",
        "",
        limits(facts),
        "",
    ]
    return "\n".join(lines)


def _network(facts: ModelFacts) -> str:
    if facts.network.encoder == "imagenet":
        return "EfficientNet-Lite0 encoder, first trained on ImageNet, and a small decoder"
    return f"PatchGAN U-Net, width {facts.network.width}, depth {facts.network.depth}"


def limits(facts: ModelFacts) -> str:
    """Say what the model was never shown to be able to do."""
    return (
        "One training run. It has seen only images like those above: other sensors, places or "
        "magnifications need a check on labelled subjects first. Masks are where the probability "
        f"is at least {facts.threshold:g}, a threshold that was not tuned."
    )


def _started_from(provenance: Mapping[str, Any], subjects: int) -> list[str]:
    if not provenance.get("source"):
        return ["- Started from: random weights (from scratch)"]
    return [
        f"- Started from: {provenance['source']} (fingerprint "
        f"{str(provenance.get('source_fingerprint', 'not said'))[:12]}), which had seen "
        f"{subjects} labelled subjects",
        f"- The source's data: {provenance.get('source_data') or 'not said'}",
        f"- Licence of the source's data: {provenance.get('source_licence') or 'not said'}",
        "- Taken from it:",
        *(f"    - {sentence}" for sentence in provenance.get("transfer", ())),
    ]
