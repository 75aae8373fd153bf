"""The only place that compiles and fits."""

from kseq.training.fit import Outcome, Trainer
from kseq.training.loop import copied
from kseq.training.progress import Progress
from kseq.training.seeds import seeded

__all__ = ["Outcome", "Progress", "Trainer", "copied", "seeded"]
