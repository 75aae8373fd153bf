"""Sequences in, a trained, reported and servable Keras model out.

Importing kseq loads no backend; the first use of a name that needs one does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kseq import compat, explain, layers
    from kseq.builders import build
    from kseq.comparison import compare
    from kseq.errors import (
        ArtefactError,
        DataError,
        KseqError,
        MissingExtraError,
        RecipeError,
        TrainingError,
    )
    from kseq.estimators import (
        Forecaster,
        SequenceClassifier,
        SequenceRegressor,
        SequenceTagger,
        VideoPredictor,
        from_recipe,
        load,
    )
    from kseq.recipe import Recipe
    from kseq.run import train
    from kseq.search import tune
    from kseq.spec import Spec

__version__ = "0.1.0"

_HOMES = {
    "kseq.builders": ["build"],
    "kseq.comparison": ["compare"],
    "kseq.errors": [
        "ArtefactError",
        "DataError",
        "KseqError",
        "MissingExtraError",
        "RecipeError",
        "TrainingError",
    ],
    "kseq.estimators": [
        "Forecaster",
        "SequenceClassifier",
        "SequenceRegressor",
        "SequenceTagger",
        "VideoPredictor",
        "from_recipe",
        "load",
    ],
    "kseq.recipe": ["Recipe"],
    "kseq.run": ["train"],
    "kseq.search": ["tune"],
    "kseq.spec": ["Spec"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ArtefactError",
    "DataError",
    "Forecaster",
    "KseqError",
    "MissingExtraError",
    "Recipe",
    "RecipeError",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "Spec",
    "TrainingError",
    "VideoPredictor",
    "build",
    "compare",
    "compat",
    "explain",
    "from_recipe",
    "layers",
    "load",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in ("compat", "explain", "layers"):
        return importlib.import_module(f"kseq.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'kseq' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
