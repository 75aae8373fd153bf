"""The readers: one file each, registered by name for `data.reader` in a recipe."""

from kseq.data.readers.clips import clips
from kseq.data.readers.conll import conll
from kseq.data.readers.conllu import conllu
from kseq.data.readers.csv import csv
from kseq.data.readers.jsonl import jsonl
from kseq.data.readers.memory import memory
from kseq.data.readers.moving_digits import moving_digits
from kseq.data.readers.npz import npz
from kseq.data.readers.sample import sample
from kseq.data.readers.ts import ts

__all__ = [
    "clips",
    "conll",
    "conllu",
    "csv",
    "jsonl",
    "memory",
    "moving_digits",
    "npz",
    "sample",
    "ts",
]
