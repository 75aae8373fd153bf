"""What is saved: written, checked, published, read back.

Reading and checking need numpy alone. Whatever would load Keras or TensorFlow is loaded when it is
first asked for; the function that saves is `kseq.serving.save.save`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kseq.serving.artefact import Artefact, check, read, write

if TYPE_CHECKING:
    from kseq.serving.weights import assign, collect

__all__ = ["Artefact", "assign", "check", "collect", "read", "write"]

_LAZY = {"assign": "kseq.serving.weights", "collect": "kseq.serving.weights"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
