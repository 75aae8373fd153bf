"""`kseq predict`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np

from kseq.cli.options import (
    artefact_argument,
    changed,
    json_option,
    print_json,
    set_option,
    writing,
)
from kseq.data.files import Files
from kseq.data.tables import Table
from kseq.errors import DataError
from kseq.estimators.base import Estimator
from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.load import restore
from kseq.recipe import Recipe
from kseq.run import read_data
from kseq.serving import artefact as artefacts

READERS = {".csv": "csv", ".ts": "ts", ".npz": "npz"}
NOT_FOR_PREDICTION = ("train", "valid", "test", "split", "shuffle", "target", "name")

Row = dict[str, Any]


@click.command("predict", short_help="Predict with a saved model.")
@artefact_argument
@click.argument("file", type=click.Path(dir_okay=False), required=False)
@set_option
@click.option(
    "--future",
    type=click.Path(dir_okay=False),
    help="For a forecaster with future covariates: the file with their next rows.",
)
@click.option("--output", type=click.Path(dir_okay=False), help="A CSV file, in place of stdout.")
@json_option
def command(
    artefact: str,
    file: str | None,
    changes: tuple[str, ...],
    future: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Predict with the saved model ARTEFACT for the sequences in FILE (.csv, .ts or .npz).

    FILE is read as the training data was, without targets; --set data.layout=... and the like
    change that. Without FILE a forecaster continues the series it was trained on.
    """
    if as_json and output:
        raise click.UsageError("--json writes to stdout, --output to a file; choose one")
    read = artefacts.read(Path(artefact))
    estimator, saved = restore(read, artefact), Recipe.from_dict(read.recipe)
    if file is None:
        if not isinstance(estimator, Forecaster):
            raise click.UsageError("FILE is missing: which sequences are to be predicted?")
        known = _known(estimator, saved, future, changes)
        rows = list(_forecasts(estimator, estimator.predict(future=known), None))
    else:
        part = read_data(changed(_reading(saved, file), changes)).train
        if isinstance(estimator, Forecaster):
            known = _known(estimator, saved, future, changes)
            rows = list(_forecasts(estimator, estimator.predict(part.X, known), part.ids))
        else:
            rows = list(_predictions(estimator, part.X, part.ids))
    if as_json:
        print_json(rows)
    elif output:
        with (
            writing("--output", output) as path,
            path.open("w", encoding="utf-8", newline="") as stream,
        ):
            _write(rows, stream)
    else:
        _write(rows, sys.stdout)


def _reading(recipe: Recipe, file: str) -> Recipe:
    """A recipe that reads `file` as the training data was read, without targets."""
    suffix = Path(file.removesuffix(".gz")).suffix.lower()
    if suffix not in READERS:
        raise DataError(f"{file}: expected a name ending in {', '.join(READERS)}")
    reader = READERS[suffix]
    data: dict[str, Any] = {"reader": reader, "path": file}
    if recipe.data.get("reader") == reader:
        kept = {k: v for k, v in recipe.data.items() if k not in NOT_FOR_PREDICTION}
        data = {**kept, "path": file}
        if reader == "csv":
            data |= {"per_step": False, **_steps(file, recipe.data)}
    elif reader == "csv":
        data["layout"] = "series" if recipe.task["kind"] == "forecasting" else "wide"
    return Recipe.from_dict({"task": recipe.task, "data": data})


def _known(estimator: Forecaster, recipe: Recipe, file: str | None, changes: Sequence[str]) -> Any:
    """The future covariates in a file; None where there are neither."""
    if file is None:
        if estimator.columns_.future:
            names = ", ".join(map(str, estimator.columns_.future))
            raise click.UsageError(
                f"--future is missing: a file with the next {estimator.horizon} rows of {names}"
            )
        return None
    reading = _reading(recipe, file).replace(
        "data.columns", [str(n) for n in estimator.columns_.future]
    )
    return read_data(changed(reading, changes)).train.X


def _steps(file: str, data: Mapping[str, Any]) -> Row:
    """In a file of one sequence a row: the columns that are steps, should it have targets too."""
    if data.get("layout") != "wide" or data.get("target") is None:
        return {}
    targets = [data["target"]] if isinstance(data["target"], str) else data["target"]
    options = {name: data.get(name) for name in ("delimiter", "missing")}
    header = Table(file, Files().text(file), **options).header
    return {"columns": [name for name in header if name not in (*targets, data.get("id"))]}


def _predictions(estimator: Estimator, X: Any, ids: Sequence[str] | None) -> Iterator[Row]:
    names = ids if ids is not None else range(len(X))
    if isinstance(estimator, SequenceClassifier):
        probabilities = estimator.predict_proba(X)
        labels = estimator.classes_[probabilities.argmax(axis=1)].tolist()
        for name, label, row in zip(names, labels, probabilities.tolist(), strict=True):
            shares = {f"p({c})": p for c, p in zip(estimator.classes_, row, strict=True)}
            yield {"id": name, "label": label, **shares}
        return
    for name, value in zip(names, estimator.predict(X), strict=True):
        if estimator.spec_.per_step:
            for step, at in enumerate(value):
                yield {"id": name, "step": step, **_values(at)}
        else:
            yield {"id": name, **_values(value)}


def _forecasts(estimator: Forecaster, forecast: Any, ids: Sequence[str] | None) -> Iterator[Row]:
    many = forecast if isinstance(forecast, list) or np.ndim(forecast) == 3 else [forecast]
    names = ids if ids is not None else range(len(many))
    for name, one in zip(names, many, strict=True):
        columns = one if isinstance(one, dict) else _named(estimator, np.asarray(one))
        for step in range(int(estimator.horizon)):
            row = {str(target): float(values[step]) for target, values in columns.items()}
            yield {**({"id": name} if len(many) > 1 else {}), "step": step + 1, **row}


def _named(estimator: Forecaster, forecast: np.ndarray) -> dict[Any, np.ndarray]:
    table = forecast[:, None] if forecast.ndim == 1 else forecast
    return dict(zip(estimator.targets_, table.T, strict=True))


def _values(value: Any) -> Row:
    if np.ndim(value) == 0:
        return {"prediction": float(value)}
    return {f"prediction {i}": float(v) for i, v in enumerate(value)}


def _write(rows: list[Row], stream: TextIO) -> None:
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
