"""crosspatch: from volunteers' outlines to a working segmentation model.

The public names load on first use, so that ``import crosspatch`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "CrosspatchError": "crosspatch.errors",
    "Dataset": "crosspatch.dataset",
    "Crops": "crosspatch.crops",
    "Generator": "crosspatch.models.generator",
    "Discriminator": "crosspatch.models.discriminator",
    "focal_tversky_loss": "crosspatch.models.losses",
    "Model": "crosspatch.models.storage",
    "Run": "crosspatch.training.run",
    "Predictions": "crosspatch.workflows.predict",
    "Queue": "crosspatch.workflows.queue",
    "Simulation": "crosspatch.workflows.simulate_queue",
    "consensus": "crosspatch.workflows.consensus",
    "import_coco_stuff": "crosspatch.workflows.import_coco_stuff",
    "prepare": "crosspatch.workflows.prepare",
    "Study": "crosspatch.studies.folder",
    "study": "crosspatch.workflows.study",
    "train": "crosspatch.workflows.train",
    "resume": "crosspatch.workflows.train",
    "evaluate": "crosspatch.workflows.evaluate",
    "predict": "crosspatch.workflows.predict",
    "export": "crosspatch.workflows.export",
    "rank": "crosspatch.workflows.rank",
    "report": "crosspatch.workflows.report",
    "queue": "crosspatch.workflows.queue",
    "simulate_queue": "crosspatch.workflows.simulate_queue",
    "info": "crosspatch.workflows.info",
}

__all__ = [
    "Crops",
    "CrosspatchError",
    "Dataset",
    "Discriminator",
    "Generator",
    "Model",
    "Predictions",
    "Queue",
    "Run",
    "Simulation",
    "Study",
    "__version__",
    "consensus",
    "evaluate",
    "export",
    "focal_tversky_loss",
    "import_coco_stuff",
    "info",
    "predict",
    "prepare",
    "queue",
    "rank",
    "report",
    "resume",
    "simulate_queue",
    "study",
    "train",
]

if TYPE_CHECKING:
    from crosspatch.crops import Crops
    from crosspatch.dataset import Dataset
    from crosspatch.errors import CrosspatchError
    from crosspatch.models.discriminator import Discriminator
    from crosspatch.models.generator import Generator
    from crosspatch.models.losses import focal_tversky_loss
    from crosspatch.models.storage import Model
    from crosspatch.studies.folder import Study
    from crosspatch.training.run import Run
    from crosspatch.workflows.consensus import consensus
    from crosspatch.workflows.evaluate import evaluate
    from crosspatch.workflows.export import export
    from crosspatch.workflows.import_coco_stuff import import_coco_stuff
    from crosspatch.workflows.info import info
    from crosspatch.workflows.predict import Predictions, predict
    from crosspatch.workflows.prepare import prepare
    from crosspatch.workflows.queue import Queue, queue
    from crosspatch.workflows.rank import rank
    from crosspatch.workflows.report import report
    from crosspatch.workflows.simulate_queue import Simulation, simulate_queue
    from crosspatch.workflows.study import study
    from crosspatch.workflows.train import resume, train


def __getattr__(name: str) -> Any:
    """Load a public name from the room that holds it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'crosspatch' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
