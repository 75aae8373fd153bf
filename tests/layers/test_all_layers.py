"""What holds for every layer of the package."""

from __future__ import annotations

import ast
from pathlib import Path

import keras
import pytest

import kseq.layers


def test_all_is_what_is_imported():
    tree = ast.parse(Path(kseq.layers.__file__).read_text())
    imported = [a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names]
    assert sorted(imported) == sorted(kseq.layers.__all__)


@pytest.mark.parametrize("name", kseq.layers.__all__)
def test_registered_under_a_stable_name(name):
    assert keras.saving.get_registered_object(f"kseq>{name}") is getattr(kseq.layers, name)
