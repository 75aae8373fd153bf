"""Builders: plain functions from a spec and some parameters to an uncompiled Keras model.

Importing this package registers every builder of its folder.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

# After the loop: the import of the module of that name would put itself in the function's place.
from kseq.builders.build import build  # noqa: E402

__all__ = ["build"]
