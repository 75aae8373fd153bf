"""What combinations are trained and scored on: the same for all that name the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import joblib

from kseq.data.dataset import Dataset
from kseq.errors import DataError
from kseq.recipe import Recipe
from kseq.run import read_data
from kseq.search.given import as_dataset
from kseq.search.section import Search
from kseq.search.splits import splits

_HELD_OUT = 0.2  # of the training part, where there is no test part


class Shared:
    """The data of each combination, read once for all that name the same."""

    def __init__(self, X: Any, y: Any, validation_data: Any, test_data: Any) -> None:
        self.given = None if X is None else (X, y, validation_data, test_data)
        self.held_out = False
        self._read_before: dict[str, tuple[Dataset, str]] = {}
        self._divided: dict[str, Dataset] = {}

    def digest(self, recipe: Recipe) -> str:
        """What tells the data of a combination from others."""
        read, digest = self._whole(recipe)
        held = None if read.test is not None else recipe.seed  # by which a part is held out
        found: str = joblib.hash((digest, held))
        return found

    def _whole(self, recipe: Recipe) -> tuple[Dataset, str]:
        key = json.dumps(recipe.data, sort_keys=True)
        if key not in self._read_before:
            self._read_before[key] = self._read(recipe)
        return self._read_before[key]

    def of(self, recipe: Recipe) -> Dataset:
        """What a combination is trained and scored on."""
        data, _ = self._whole(recipe)
        if data.test is not None:
            return data
        # What is held out may depend on the window and the horizon.
        key = json.dumps([recipe.data, recipe.task, recipe.seed], sort_keys=True)
        if key not in self._divided:
            self._divided[key] = self._divide(recipe, data)
        return self._divided[key]

    def _read(self, recipe: Recipe) -> tuple[Dataset, str]:
        if self.given is None:
            data = read_data(recipe)
            return data, joblib.hash((sorted(data.files.items()), dict(recipe.fill().data)))
        X, y, valid, test = self.given
        return as_dataset(recipe, X, y, valid, test), joblib.hash(self.given)

    def _divide(self, recipe: Recipe, data: Dataset) -> Dataset:
        """Holds a share of the training part out, to be scored on."""
        if recipe.task["kind"] == "forecasting" and data.valid is not None:
            raise DataError(
                "data: has a validation part and no test part; of series the test is what comes "
                "last, so give it, or leave the validation part out"
            )
        self.held_out = True
        settings = Search(space={}, holdout=_HELD_OUT)
        try:
            (split,) = splits(recipe.fill(), settings, Dataset(train=data.train))
        except DataError:
            raise DataError(
                "data: has no test part, and a fifth of the training part cannot be held out for "
                "it; give data.test or data.split, or in Python test_data"
            ) from None
        return replace(data, train=split.train, test=split.scored)
