"""Data from a file to batches. Importing it registers kseq's readers."""

from kseq.data import readers

__all__ = ["readers"]
