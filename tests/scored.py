"""Rows of scores worked by hand, for tests."""

import math

from crosspatch.evaluation.rows import SubjectScore

NAN = math.nan


def row(name, group, tp, fp, fn, tn, **scores):
    counted = tp + fp + fn + tn
    has = tp + fn > 0
    values = {
        "iou": tp / (tp + fp + fn) if tp + fp + fn else NAN,
        "dice": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else NAN,
        "boundary_f": 0.5,
        "matthews": NAN,
        "false_positive_area": NAN if has else fp / counted,
        "average_precision": 0.5 if has else NAN,
        "loss": 0.5,
    } | scores
    return SubjectScore(name, group, 2, 50, counted, (tp + fn) / counted, tp, fp, fn, tn, **values)


ROWS = [
    row("a", "north", 30, 10, 20, 40, boundary_f=0.9, average_precision=0.8, loss=0.2),
    row("b", "north", 5, 0, 15, 80, boundary_f=0.3, average_precision=0.6, loss=0.6),
    row("c", "south", 0, 4, 0, 96, boundary_f=0.0, loss=0.1),
    row("d", "west", 0, 0, 0, 100, boundary_f=NAN, loss=0.0),
    row("e", "west", 90, 0, 10, 0, boundary_f=0.0, average_precision=1.0, loss=0.4),
]
