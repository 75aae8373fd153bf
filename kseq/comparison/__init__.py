"""Comparisons: the same data, other recipes, and whether the difference is more than noise."""

from kseq.comparison.comparing import compare

__all__ = ["compare"]
