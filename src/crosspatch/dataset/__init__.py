"""The data set room: a folder of images and masks, what its numbers mean, what is wrong with it.

``Dataset`` opens and reads one, ``check`` finds every problem at once, ``new_dataset`` writes one.
"""

from crosspatch.dataset.check import check
from crosspatch.dataset.folder import Dataset
from crosspatch.dataset.index import Problem, Subject
from crosspatch.dataset.masks import BACKGROUND, FOREGROUND, IGNORED, MaskValues
from crosspatch.dataset.pair import read_pair
from crosspatch.dataset.writer import DatasetWriter, new_dataset

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "IGNORED",
    "Dataset",
    "DatasetWriter",
    "MaskValues",
    "Problem",
    "Subject",
    "check",
    "new_dataset",
    "read_pair",
]
