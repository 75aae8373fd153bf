"""What all estimators share: parameters, the life of their models, and persistence."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from kseq.builders.build import build
from kseq.errors import ArtefactError
from kseq.inference import Forward
from kseq.metrics.evaluation import Evaluation
from kseq.recipe import Recipe, Training
from kseq.recipe.recipe import NOT_TASK
from kseq.schema import fill
from kseq.serving.artefact import Artefact
from kseq.serving.save import save
from kseq.serving.weights import assign, collect
from kseq.spec import Spec
from kseq.training import fit, seeded

SECTIONS = ("model", "training")
Batches = tuple[keras.utils.PyDataset, keras.utils.PyDataset | None]


class Estimator(BaseEstimator, ABC):
    """The base of all estimators.

    A subclass says how data becomes batches, and how the builder's network is joined to its
    preprocessing (`_assemble`). It keeps two Keras models over the same layers: `model_`, which is
    trained, and `servable_`, which goes from raw input to finished output and is what predicts
    here and is saved for TF Serving.
    """

    task: ClassVar[str]
    default_builder: ClassVar[str] = "stacked_rnn"

    model: Mapping[str, Any] | None
    training: Mapping[str, Any] | None
    random_state: int | np.random.RandomState | None

    # --- parameters ---

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments; with `deep` also `model__units` and the like."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for section in SECTIONS:
                if isinstance(params[section], Mapping):
                    for name, value in params[section].items():
                        params[f"{section}__{name}"] = value
        return params

    def set_params(self, **params: Any) -> Estimator:
        """Sets constructor arguments; `model__units=64` sets one entry of `model`."""
        sections: dict[str, dict[str, Any]] = {}
        plain = {}
        for name, value in params.items():
            section, _, inner = name.partition("__")
            if inner and section in SECTIONS:
                sections.setdefault(section, {})[inner] = value
            else:
                plain[name] = value
        super().set_params(**plain)
        for section, values in sections.items():
            # A new dict: the old one may be shared with a clone.
            setattr(self, section, {**(getattr(self, section) or {}), **values})
        return self

    def recipe(self) -> Recipe:
        """The estimator's parameters as a recipe, as they stand.

        Raises:
            RecipeError: If a value is not one that a recipe can hold.
        """
        own = {k: v for k, v in self.get_params(deep=False).items() if k not in NOT_TASK}
        return Recipe.from_dict(
            {
                "task": {"kind": self.task, **_plain(own)},
                "model": _plain(self.model or {}),
                "training": _plain(self.training or {}),
                "seed": _seed(self.random_state),
            }
        )

    # --- the life of the models ---

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
    def _assemble(self, network: keras.Model) -> tuple[keras.Model, keras.Model]:
        """Joins the builder's network to its preprocessing: `(model_, servable_)`."""

    def _build(self, recipe: Recipe, spec: Spec) -> None:
        self.recipe_, self.spec_ = recipe, spec
        with seeded(recipe.seed):
            network = build(recipe.model, spec)
            self.model_, self.servable_ = self._assemble(network)
        self._forward = Forward(self.servable_)

    def _fit(
        self,
        train: keras.utils.PyDataset,
        valid: keras.utils.PyDataset | None,
        *,
        loss: keras.losses.Loss | dict[str, keras.losses.Loss],
        metrics: Sequence[str] = (),
        score: Callable[[], float] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> None:
        outcome = fit(
            self.model_,
            train,
            valid,
            self._training(),
            loss=loss,
            metrics=metrics,
            score=score,
            callbacks=callbacks or (),
        )
        self.history_ = outcome.history
        self.n_iter_ = outcome.epochs
        self.best_epoch_ = outcome.best_epoch
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
            arrays={**collect(self.servable_), **self._arrays()},
            report=Path(report) if report else None,
        )
        return save(
            Path(path),
            artefact,
            self.servable_,
            **self._endpoints(),
        )

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
        assign(self.servable_, {k: v for k, v in arrays.items() if not k.startswith("_")})
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
            state["arrays"] = {**collect(self.servable_), **self._arrays()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuilds the models from the recipe and assigns the arrays."""
        for name, value in state["params"].items():
            setattr(self, name, value)
        if "recipe" in state:
            # Not the parameters': they may have been changed after the fit.
            recipe = Recipe.from_dict(state["recipe"])
            self._restore(recipe, state["preprocessing"], state["arrays"])


def parameters_of(recipe: Recipe) -> dict[str, Any]:
    """A recipe's sections as the constructor arguments of its task's estimator."""
    return {
        **{name: value for name, value in recipe.task.items() if name != "kind"},
        "model": dict(recipe.model) or None,
        "training": dict(recipe.training) or None,
        "random_state": recipe.seed,
    }


def _seed(random_state: Any) -> int:
    """An integer seed: the one given, or one drawn from a generator or from chance."""
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if random_state is None:
        return int(np.random.randint(2**31 - 1))
    return random_state  # the recipe says what is wrong with it


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays, tuples and mappings as the plain values of a recipe."""
    if hasattr(value, "tolist"):  # an index of pandas too
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
