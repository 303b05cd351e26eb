"""The models that a run leaves behind."""

from torch import nn

from crosspatch.files import new_folder
from crosspatch.models.facts import ModelFacts
from crosspatch.models.storage import save_model
from crosspatch.training.run import MODEL, PLAIN
from crosspatch.training.work import Work


def write_models(work: Work) -> None:
    """Write ``plain/`` beside an averaged model, then ``model/``, whose presence means finished."""
    if work.average is not None:
        write_model(work, PLAIN, work.generator)
    write_model(work, MODEL, work.judged_by)


def write_model(work: Work, name: str, generator: nn.Module) -> None:
    """Write one model folder into the run."""
    crops, run = work.crops, work.run
    prefix = "averaged_" if generator is not work.generator else "plain_"
    mean, std = crops.statistics
    facts = ModelFacts(
        network=work.settings.network,
        channel_names=crops.channel_names,
        mean=mean,
        std=std,
        dtype=str(crops.images.dtype),
        resize=crops.recipe.resize,
        crop_size=crops.recipe.size,
        foreground=crops.foreground,
        provenance={
            **run.table["provenance"],
            "steps": work.step,
            "seed": work.settings.training.seed,
            "weights": "averaged" if prefix == "averaged_" else "plain",
            **({"transfer": work.transfer.lines()} if work.transfer else {}),
        },
        scores={
            key.replace(prefix, "validation_"): value
            for key, value in work.scores.items()
            if key.startswith(prefix)
        },
        contents=frozenset(crops.contents[subject] for subject in work.chosen.subjects),
        source_contents=run.source_contents,
    )
    with new_folder(run.path / name, kind="model", overwrite=True) as folder:
        save_model(folder, facts, generator, work.discriminator)
