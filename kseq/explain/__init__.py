"""Why a fitted model answers as it does: its reach, its gates, and what its answer rests on.

Explanations are numbers that draw themselves: they have `to_dict()` and `figure()`.
"""

from kseq.explain.attributions import Attribution, attribute
from kseq.explain.gating import Gates, LayerGates, gates
from kseq.explain.pictures import pictures_of
from kseq.explain.reaches import Reach, draw_reaches, reach

__all__ = [
    "Attribution",
    "Gates",
    "LayerGates",
    "Reach",
    "attribute",
    "draw_reaches",
    "gates",
    "pictures_of",
    "reach",
]
