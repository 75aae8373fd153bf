"""What tells a training from all others, so that one that ended is not run again."""

from __future__ import annotations

import hashlib
import inspect
import json
from importlib.metadata import version
from typing import Any

import keras

from kseq.data.files import Files
from kseq.recipe import Recipe
from kseq.registry import builders
from kseq.report.facts import LIBRARIES
from kseq.run import beside

_FORMAT = 1  # of what is kept of a training
_SILENT = ("name", "search", "data")  # sections that do not change a training, or have a digest


def key_of(recipe: Recipe, data: str, metric: str | None) -> str:
    """A digest of all that a training and what is kept of it follows from.

    Args:
        recipe: What is trained, with its seed.
        data: What tells its data from others.
        metric: What is compared.

    Example:
        >>> recipe = Recipe.from_dict({"task": "classification"})
        >>> key_of(recipe, "", None) == key_of(recipe.replace("name", "other"), "", None)
        True
        >>> key_of(recipe, "", None) == key_of(recipe.replace("seed", 1), "", None)
        False
    """
    filled = recipe.fill()
    text = filled.task.get("text") or {}
    files = Files()
    with beside(recipe):
        for name in filter(None, (text.get("vectors"), text.get("extra_vectors"))):
            files.path(str(name))
    content: dict[str, Any] = {
        "format": _FORMAT,
        "recipe": {k: v for k, v in filled.to_dict().items() if k not in _SILENT},
        "data": data,
        "files": files.digests,
        "metric": metric,
        "versions": {name: version(name) for name in LIBRARIES},
        "backend": keras.config.backend(),
        "policy": [keras.config.dtype_policy().name, keras.config.floatx()],
        "builder": _source(builders.get(filled.model["builder"])),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _source(builder: Any) -> str:
    """The text of a builder that is not kseq's, which has a version."""
    if builder.__module__.startswith("kseq."):
        return ""
    try:
        return inspect.getsource(builder)
    except (OSError, TypeError):
        return ""
