"""What all estimators share: parameters, the life of their models, and persistence."""

from __future__ import annotations

import inspect
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from kseq.builders.build import build
from kseq.errors import ArtefactError, DataTypeError, RecipeError, shown
from kseq.estimators.models import POOL, Loan, Models
from kseq.estimators.parameters import Parameters
from kseq.metrics.evaluation import Evaluation
from kseq.recipe import Recipe, Training
from kseq.registry import builders
from kseq.schema import fill
from kseq.serving.artefact import Artefact
from kseq.serving.export import export
from kseq.serving.save import save
from kseq.serving.weights import assign, collect
from kseq.spec import Spec
from kseq.training import seeded

# Parameters that say what is made of the trained weights, and none of those.
_AFTERWARDS = ("interval", "calibrate")
Batches = tuple[keras.utils.PyDataset, keras.utils.PyDataset | None]


class Estimator(Parameters, ABC):
    """The base of all estimators.

    A subclass says how data becomes batches, and how the builder's network is joined to its
    preprocessing (`_assemble`). It has two Keras models over the same layers: `model_`, which is
    trained, and `servable_`, which goes from raw input to finished output and is what predicts
    here and is saved for TF Serving.
    """

    history_: dict[str, list[float]]
    n_iter_: int
    _loan: Loan
    # Asked before models are built, and may refuse them: a search has its limits.
    _gate: Callable[[Recipe, Spec], None] | None = None

    # --- the life of the models ---

    @property
    def model_(self) -> keras.Model:
        """The Keras model that was trained; it stays as it is, whatever the estimator does next."""
        return self._shown().trainable

    @property
    def servable_(self) -> keras.Model:
        """The Keras model that predicts and is saved, over the same layers."""
        self._shown()
        return self._finished()

    @property
    def _models(self) -> Models:
        return self._loan.models

    def _finished(self) -> keras.Model:
        """The model that is saved and served."""
        return self._models.servable

    def _shown(self) -> Models:
        if "_loan" not in vars(self):
            raise AttributeError(
                f"this {type(self).__name__} is not fitted, so it has no model yet"
            )
        self._models.shown = True
        return self._models

    @abstractmethod
    def _prepare(self, X: Any, y: Any, validation_data: Any) -> Batches:
        """Checks data and parameters, builds the models, and gives the batches to fit them to."""

    def build(self, X: Any, y: Any = None) -> keras.Model:
        """The untrained model that `fit` would train on these data, to look at.

        The estimator stays as it is.

        Args:
            X: What `fit` takes.
            y: What `fit` takes.
        """
        other = clone(self)
        other._prepare(X, y, None)
        return other.model_

    @abstractmethod
    def _assemble(self, network: keras.Model) -> Models:
        """Joins the builder's network to its preprocessing."""

    def _architecture(self) -> dict[str, Any]:
        """What decides the models, but not their weights: plain values."""
        return {
            "task": self.recipe_.task,
            "model": self.recipe_.model,
            "spec": self.spec_.to_dict(),
        }

    def _build(self, recipe: Recipe, spec: Spec) -> None:
        if self._gate is not None:
            self._gate(recipe, spec)
        self.recipe_, self.spec_ = recipe, spec
        # Fitted again only when this fit comes to its end; and its models may be the old ones.
        for name in ("history_", "_loan"):
            self.__dict__.pop(name, None)
        key = (
            type(self),
            builders.get(recipe.model["builder"]),
            keras.config.dtype_policy().name,
            keras.config.floatx(),
            json.dumps(self._architecture(), sort_keys=True),
        )

        def draw() -> keras.Model:
            with seeded(recipe.seed):
                return build(recipe.model, spec)

        self._loan = POOL.lend(key, recipe.seed, draw, self._assemble)

    def _goes_on(self) -> bool:
        """Whether `fit` starts from the weights of the last one."""
        return self.warm_start and self.__sklearn_is_fitted__()

    def _onward(self) -> Recipe:
        """The recipe of a training that goes on with the models of the last one.

        Raises:
            RecipeError: If the parameters ask for other models.
        """
        recipe = self.recipe().fill()
        for section in ("task", "model"):
            old, new = getattr(self.recipe_, section), getattr(recipe, section)
            for name in new:
                if name not in _AFTERWARDS and new[name] != old.get(name):
                    raise RecipeError(
                        f"{section}.{name}: was {old.get(name)!r} in the last fit and is "
                        f"{new[name]!r} now, but the weights of that fit are to be kept; set it "
                        "back, or fit with warm_start=False"
                    )
        self.recipe_ = recipe
        return recipe

    def _epochs(self, onward: bool) -> int:
        """Epochs that were run before: the order of the next one follows from it."""
        return self.n_iter_ if onward else 0

    def _fit(
        self,
        train: keras.utils.PyDataset,
        valid: keras.utils.PyDataset | None,
        *,
        loss: keras.losses.Loss | dict[str, keras.losses.Loss],
        metrics: Sequence[str] = (),
        score: Callable[[], float] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        onward: bool = False,
        partial: bool = False,
    ) -> None:
        config = self._training()
        for place, callback in enumerate(callbacks or ()):
            if not isinstance(callback, keras.callbacks.Callback):
                raise DataTypeError(
                    f"callbacks[{place}]: expected a keras.callbacks.Callback, got "
                    f"{shown(callback)}"
                )
        if partial:  # one pass, at one rate
            config = replace(config, epochs=1, schedule="constant", warmup=0.0, ema=0.0)
        outcome = self._models.trainer.fit(
            train,
            valid,
            config,
            loss=loss,
            metrics=metrics,
            score=score,
            callbacks=callbacks or (),
            onward=onward and partial,
        )
        before = self.history_ if onward else {}
        done = self.n_iter_ if onward else 0
        self.history_ = {
            name: [*before.get(name, []), *values] for name, values in outcome.history.items()
        }
        self.n_iter_ = done + outcome.epochs
        self.best_epoch_ = done + outcome.best_epoch
        self.fit_seconds_ = outcome.seconds
        outcome.raise_failure()

    def _training(self) -> Training:
        return Training(**self.recipe_.training)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "history_")

    @abstractmethod
    def evaluate(self, X: Any, y: Any = None) -> Evaluation:
        """Scores the estimator on held-out data, beside naive baselines."""

    # --- persistence ---

    def save(
        self,
        path: str | Path,
        *,
        recipe: Recipe | None = None,
        report: str | Path | None = None,
    ) -> Path:
        """Publishes the fitted estimator as the next version below `path`.

        The version is written beside, checked in a clean process without kseq and Keras, and then
        renamed; a version is never overwritten.

        Args:
            path: The artefact's folder, such as `saved_models/ner`.
            recipe: The recipe to record, with its data; the estimator's own by default.
            report: A folder with a report to publish with it.

        Returns:
            The folder of the new version.

        Raises:
            ArtefactError: If it cannot be written or does not predict the same when served.
        """
        check_is_fitted(self)
        artefact = Artefact(
            recipe=(recipe or self.recipe_).to_dict(),
            preprocessing=self._preprocessing(),
            arrays={**collect(self._finished()), **self._arrays()},
            report=Path(report) if report else None,
        )
        return save(
            Path(path),
            artefact,
            self._finished(),
            **self._endpoints(),
        )

    def _export(self, folder: str | Path) -> None:
        """Writes the SavedModel alone, unchecked, into an empty folder."""
        given = self._endpoints()
        wanted = {
            k: v for k, v in given.items() if k in ("labels", "minimum_steps", "pixels", "text")
        }
        export(self._finished(), Path(folder), **wanted)

    def _endpoints(self) -> dict[str, Any]:
        """What the saved model's signatures are made and verified with."""
        return {
            "examples": self._examples(),
            "labels": self._label_names(),
            "minimum_steps": self._minimum_steps(),
        }

    def _preprocessing(self) -> dict[str, Any]:
        """What a loaded estimator needs beside recipe and arrays, as plain values."""
        return {
            "spec": self.spec_.to_dict(),
            # A failed training ends with a loss that JSON has no number for.
            "history": {
                name: [value if math.isfinite(value) else None for value in values]
                for name, values in self.history_.items()
            },
            "best_epoch": self.best_epoch_,
            "seconds": self.fit_seconds_,
        }

    def _arrays(self) -> dict[str, np.ndarray]:
        """Arrays beside the weights; their names start with `_`."""
        return {}

    def _restore(
        self,
        recipe: Recipe,
        preprocessing: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
    ) -> None:
        """Makes the estimator what `_preprocessing` and the arrays say; the inverse of saving.

        Raises:
            ArtefactError: If they do not fit the recipe.
        """
        given = preprocessing.get("spec")
        if not isinstance(given, dict):
            raise ArtefactError("preprocessing.json: spec: missing")
        spec, mistakes = fill("spec", Spec, given)
        if mistakes:
            raise ArtefactError(f"preprocessing.json: {mistakes[0]}")
        self._restore_task(preprocessing, arrays)
        self._build(recipe.fill(), Spec(**spec))
        assign(self._finished(), {k: v for k, v in arrays.items() if not k.startswith("_")})
        self.history_ = {
            name: [math.nan if value is None else value for value in values]
            for name, values in preprocessing.get("history", {}).items()
        }
        self.n_iter_ = len(self.history_.get("loss", []))
        self.best_epoch_ = int(preprocessing.get("best_epoch", 0))
        self.fit_seconds_ = float(preprocessing.get("seconds", 0.0))

    @abstractmethod
    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        """Restores what the subclass added to `_preprocessing` and `_arrays`."""

    @abstractmethod
    def _examples(self) -> list[dict[str, np.ndarray]]:
        """Raw inputs on which the saved model is compared with this one."""

    def _label_names(self) -> np.ndarray | None:
        return None

    def _minimum_steps(self) -> int:
        return 0

    def __getstate__(self) -> dict[str, Any]:
        """A pickle carries the recipe and arrays, never a live model."""
        params = self.get_params(deep=False)
        state = {"params": params, "version": 1}
        if self.__sklearn_is_fitted__():
            state["recipe"] = self.recipe_.to_dict()
            state["preprocessing"] = self._preprocessing()
            state["arrays"] = {**collect(self._finished()), **self._arrays()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuilds the models from the recipe and assigns the arrays."""
        known = inspect.signature(type(self)).parameters.items()
        defaults = {name: each.default for name, each in known if each.default is not each.empty}
        for name, value in {**defaults, **state["params"]}.items():  # some may be new
            setattr(self, name, value)
        if "recipe" in state:
            # Not the parameters': they may have been changed after the fit.
            recipe = Recipe.from_dict(state["recipe"])
            self._restore(recipe, state["preprocessing"], state["arrays"])
