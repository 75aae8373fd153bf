"""Comparisons: the same data, other recipes, and whether the difference is more than noise."""

from kseq.comparison.comparing import Comparison, compare, run_comparison

__all__ = ["Comparison", "compare", "run_comparison"]
