"""What to train, on what, and how: as plain values, without code."""

from kseq.recipe.recipe import Recipe
from kseq.recipe.training import Training

__all__ = ["Recipe", "Training"]
