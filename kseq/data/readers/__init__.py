"""The readers: one file each, registered by name for `data.reader` in a recipe."""

from kseq.data.readers.csv import csv
from kseq.data.readers.npz import npz
from kseq.data.readers.sample import sample
from kseq.data.readers.ts import ts

__all__ = ["csv", "npz", "sample", "ts"]
