"""Searches for the best recipe."""

from kseq.search.section import Search
from kseq.search.tuning import Tuning, tune

__all__ = ["Search", "Tuning", "tune"]
