"""The `search` section of a recipe: names, types, defaults and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from kseq.builders.build import MAX_PARAMETERS
from kseq.errors import RecipeError, shown
from kseq.metrics.evaluation import METRICS, higher_is_better
from kseq.recipe import Recipe
from kseq.registry import suggest
from kseq.schema import Fraction, Positive, fill
from kseq.search.space import Space
from kseq.search.space_reading import bare, read_space

Whole = Annotated[int, Field(gt=0, le=1_000_000)]
_TRIALS = 20
# With another value the validation loss means something else.
_LOSSES = (
    *("training.loss", "training.label_smoothing", "training.monitor"),
    *("training.validation_fraction", "model.reading_loss", "task.standardize"),
    "task.class_weight",
)


@dataclass(frozen=True, kw_only=True)
class Search:
    """How an architecture is searched for.

    Args:
        space: What varies: recipe paths with `{choice: [...]}`, `{int: [low, high], step: 8}`,
            `{float: [low, high]}` or `{log: [low, high]}`; with `length: [1, 3]` the value is a
            list of so many entries, and with `when: {model.cell: slstm}` the path counts only then.
        strategy: `bayesian`, a Gaussian process over the space; `random`; `grid`, every
            combination; or `hyperband`, many trials of few epochs of which the best go on.
        trials: How many recipes are tried, the recipe as it stands among them as the first. 20
            where neither `trials` nor `minutes` is given; all of a grid, all of a hyperband.
        minutes: No trial is begun after so much time, summed over interruptions.
        metric: What the best recipe is the best in: any metric of the task; its primary one where
            it is not given.
        cv: What a trial is scored on, which is never the test part: `holdout`, the validation part,
            or where the data has none, a share of the training part; `kfold`, parts of the training
            part in turn, classes in proportion; `grouped`, the same with groups kept together;
            `time_series`, always what follows.
        folds: How many parts, for all but `holdout`.
        holdout: The share, where there is no validation part.
        groups: For `grouped`: a text file with the group of each training sequence, a line each.
        seeds: Trainings of each trial and fold, with different seeds; the score is the mean.
        prune: Whether a trial is given up whose best validation loss or score is worse than the
            median of earlier trials at the same epoch.
        max_parameters: Trials of larger models fail before the model is built.
        trial_minutes: Trials that take longer fail. One that is no smaller than one that failed so
            fails before the model is built.
        parallel: How many trials may run at the same time. A trial is chosen without knowing how
            those so near before it end, so that as many workers find what one finds.

    Reference:
        Li et al. (2018), Hyperband; Golovin et al. (2017), Google Vizier (the median rule).
    """

    space: Mapping[str, Any]
    strategy: Literal["bayesian", "random", "grid", "hyperband"] = "bayesian"
    trials: Whole | None = None
    minutes: Positive | None = None
    metric: str | None = None
    cv: Literal["holdout", "kfold", "grouped", "time_series"] = "holdout"
    folds: Annotated[int, Field(ge=2, le=100)] = 5
    holdout: Annotated[Fraction, Field(gt=0)] = 0.2
    groups: str | None = None
    seeds: Annotated[int, Field(gt=0, le=100)] = 1
    prune: bool = False
    max_parameters: Annotated[int, Field(gt=0, le=MAX_PARAMETERS)] | None = None
    trial_minutes: Positive | None = None
    parallel: Annotated[int, Field(gt=0, le=1024)] = 4


@dataclass(frozen=True)
class Plan:
    """A search that holds: the recipe without its `search` section, and what that says.

    Args:
        recipe: What is searched from.
        settings: The section.
        space: Its space, read.
    """

    recipe: Recipe
    settings: Search
    space: Space

    @property
    def trials(self) -> int | None:
        """How many trials there are at most; None where the strategy or the time decides."""
        settings = self.settings
        if settings.trials is not None:
            return settings.trials
        bounded = settings.minutes is not None or settings.strategy in ("grid", "hyperband")
        return None if bounded else _TRIALS


def read_search(
    recipe: Recipe, search: Mapping[str, Any] | None = None, *, grouped: bool = False
) -> Plan:
    """Reads and checks a recipe's `search` section.

    Args:
        recipe: A recipe.
        search: The section, where it is not the recipe's own.
        grouped: Whether the groups of the sequences come from elsewhere.

    Raises:
        RecipeError: With all mistakes, each with its path.
    """
    given = recipe.search if search is None else search
    if not isinstance(given, Mapping):
        raise recipe.refusal(f"search: expected a mapping, got {shown(given)}")
    given = dict(given)
    if not given:
        raise recipe.refusal(
            "search: missing; it says what varies, such as "
            "search: {space: {model.units: {choice: [16, 32, 64]}}}"
        )
    # Through a recipe, so that the limits of a document hold for it.
    recipe = recipe.replace("search", given) if search is not None else recipe
    recipe.fill()
    filled, mistakes = fill("search", Search, recipe.search)
    if not mistakes:
        mistakes = _conflicts(recipe, Search(**filled), grouped)
    if mistakes and "space" in recipe.search:  # all in one go
        try:
            read_space(recipe, recipe.search["space"])
        except RecipeError as error:
            mistakes += [bare(m) for m in error.mistakes if bare(m) not in mistakes]
    if mistakes:
        raise recipe.refusal(mistakes)
    settings = Search(**filled)
    space = read_space(recipe, settings.space)
    _check_strategy(recipe, settings, space)
    return Plan(recipe.replace("search", {}), settings, space)


def _conflicts(recipe: Recipe, settings: Search, grouped: bool) -> list[str]:
    """Mistakes in values that hold one by one, but not together or not for the task."""
    mistakes = []
    kind = recipe.task["kind"]
    known = METRICS.get(kind, ())
    metric = settings.metric
    thresholds = recipe.task.get("thresholds") or [] if kind == "video" else []
    known = (*known, *(f"csi_{threshold:g}" for threshold in thresholds))
    if metric is not None and metric not in known:
        near = suggest(metric, list(known))
        mistakes.append(
            f"search.metric: {kind} has no {shown(metric)}{near}; known: {', '.join(known)}"
        )
    if settings.cv == "grouped" and settings.groups is None and not grouped:
        mistakes.append("search.groups: missing; cv grouped needs the group of each sequence")
    if settings.cv != "grouped" and (settings.groups is not None or grouped):
        mistakes.append(f"search.groups: is for cv grouped, got cv {settings.cv}")
    if kind == "forecasting" and settings.cv in ("kfold", "grouped"):
        mistakes.append(
            f"search.cv: a forecast is scored on what follows; choose time_series, "
            f"got {settings.cv}"
        )
    return mistakes


def _check_strategy(recipe: Recipe, settings: Search, space: Space) -> None:
    mistakes = []
    paths = {entry.path for entry in space.entries}
    if settings.strategy == "grid":
        mistakes += [
            f"search.space.{entry.path}: a grid has no end of {entry.kind} values; give a choice"
            + (", or a step" if entry.kind == "float" else "")
            for entry in space.entries
            if entry.kind == "log" or (entry.kind == "float" and entry.step is None)
        ]
    if settings.strategy == "hyperband" and "training.epochs" in paths:
        mistakes.append("search.space.training.epochs: hyperband itself decides on the epochs")
    if settings.prune:
        # Losses are compared, so they have to be of one kind.
        mistakes += [
            f"search.prune: compares trials by their validation loss, which {path} changes"
            for path in _LOSSES
            if path in paths
        ]
    if mistakes:
        raise recipe.refusal(mistakes)


def direction(metric: str) -> str:
    """`max` or `min`.

    Example:
        >>> direction("accuracy"), direction("mae")
        ('max', 'min')
    """
    return "max" if higher_is_better(metric) else "min"
