"""After a training: no further from where it began than what was learned needs."""

from __future__ import annotations

from nightschool.learn.trainer import STUDENT, Measure, accuracy_of
from nightschool.models.hf import HFModel
from nightschool.models.lora import Adapter

SHARES = (0.9, 0.8)  # of the way from the start to where the training ended


def go_back(model: HFModel, start: Adapter, student: Adapter, accuracy: float, measure: Measure) -> float:
    """Move `student` back towards `start` as long as not one request less of those measured is right than at
    its end (`accuracy`), and return the share of the way that it keeps. What was trained is robust to that,
    and the drift on everything else falls about with the square of the share (interpolation of weights:
    WiSE-FT, arXiv 2109.01903)."""
    end, kept = student.copy(), 1.0
    for share in SHARES:
        part = start.copy()
        part.approach(end, share)
        part.refresh()
        model.put(STUDENT, part)
        if accuracy_of(measure()) < accuracy:
            break
        kept = share
        student.approach(part, 1.0)
    student.refresh()
    model.put(STUDENT, student)
    return kept
