"""`kseq predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from kseq.cli.answers import answers, write_columns
from kseq.cli.foretell import foretell
from kseq.cli.marked import Marker
from kseq.cli.options import (
    artefact_argument,
    changed,
    console,
    json_option,
    print_json,
    set_option,
    writing,
)
from kseq.cli.reading import asked_texts, reading, sequences_in
from kseq.cli.rows import forecasts, predictions, write_rows
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.intervals import IntervalEstimator
from kseq.estimators.load import restore
from kseq.estimators.tagger import SequenceTagger
from kseq.estimators.video import VideoPredictor
from kseq.recipe import Recipe
from kseq.run import read_data
from kseq.serving import artefact as artefacts
from kseq.tags import parse


@click.command("predict", short_help="Predict with a saved model.")
@artefact_argument
@click.argument("file", type=click.Path(), required=False)
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="TEXT",
    help="A text, for a model of text. Repeatable; - reads the lines of standard input.",
)
@click.option(
    "--nbest",
    type=click.IntRange(1, 100),
    metavar="N",
    help="For a tagger: the N most probable taggings too, with --text or --json.",
)
@set_option
@click.option(
    "--future",
    type=click.Path(dir_okay=False),
    help="For a forecaster with future covariates: the file with their next rows.",
)
@click.option(
    "--horizon",
    type=click.IntRange(min=1),
    metavar="N",
    help="For video: how many frames to foretell, in place of what the model was trained for.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="LEVEL",
    help="For numbers and forecasts: bounds that hold this share, such as 0.9, as columns too.",
)
@click.option("--output", type=click.Path(dir_okay=False), help="A file, in place of stdout.")
@json_option
def command(
    artefact: str,
    file: str | None,
    texts: tuple[str, ...],
    nbest: int | None,
    changes: tuple[str, ...],
    future: str | None,
    horizon: int | None,
    interval: float | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Predict with the saved model ARTEFACT for the sequences or texts in FILE, or for --text.

    FILE is read as the training data was, without targets; --set data.layout=... and the like
    change that. Without FILE a forecaster continues the series it was trained on.

    A model of numbers reads .csv, .tsv, .ts and .npz, and writes CSV.

    A model of text reads .conll, .conllu, .jsonl, .csv, .tsv and what ends as its training files
    do; any other file is a text a line. A tagger writes columns: a token and its tag a line, a
    blank line after each text. Others write CSV. Texts that are given by --text are shown with
    their spans marked, their tags, or their three most probable labels.

    A model of video reads a folder or file of clips (folders of images, .gif, .npz with `frames` or
    `clips`) and writes the frames that follow to --output, an .npz with `clips`, or a .gif.
    """
    if as_json and output:
        raise click.UsageError("--json writes to stdout, --output to a file; choose one")
    read = artefacts.read(Path(artefact))
    estimator, saved = restore(read, artefact), Recipe.from_dict(read.recipe)
    _check(estimator, file, texts, nbest, changes, future, horizon)
    if interval is not None and not isinstance(estimator, IntervalEstimator):
        raise click.UsageError(
            f"--interval is for numbers and forecasts; this model is for {estimator.task}"
        )
    if isinstance(estimator, VideoPredictor):
        if as_json or changes:
            raise click.UsageError("--json and --set are not for video; give --output")
        foretell(estimator, str(file), horizon, output)
        return
    if estimator.spec_.streams:
        X, ids = asked_texts(saved, file, texts, changes)
        _of_text(estimator, X, ids, nbest, interval, output, as_json, shown=bool(texts))
        return
    if isinstance(estimator, Forecaster):
        X, ids = (None, None) if file is None else sequences_in(saved, file, changes)
        known = _known(estimator, saved, future, changes)
        forecast = estimator.predict(X, known, interval=interval)
        rows = list(forecasts(estimator, forecast, ids))
    else:
        X, ids = sequences_in(saved, str(file), changes)
        rows = list(predictions(estimator, X, ids, interval))
    if as_json:
        print_json(rows)
    else:
        with _open(output) as stream:
            write_rows(rows, stream)


def _check(
    estimator: Estimator,
    file: str | None,
    texts: Sequence[str],
    nbest: int | None,
    changes: Sequence[str],
    future: str | None,
    horizon: int | None,
) -> None:
    """Raises where options do not go together, or not with the model.

    Raises:
        click.UsageError: With what to do.
    """
    of_text = bool(estimator.spec_.streams)
    if texts and not of_text:
        raise click.UsageError("--text: the model was fitted to numbers, not to text; give FILE")
    if texts and file is not None:
        raise click.UsageError("FILE holds texts, and so does --text; choose one")
    if texts and changes:
        raise click.UsageError("--set says how FILE is read, and --text comes without one")
    if nbest and not isinstance(estimator, SequenceTagger):
        raise click.UsageError(f"--nbest is for taggers; this model is for {estimator.task}")
    if future is not None and not isinstance(estimator, Forecaster):
        raise click.UsageError(f"--future is for forecasters; this model is for {estimator.task}")
    if file is not None and Path(file).is_dir() and not isinstance(estimator, VideoPredictor):
        raise click.UsageError(f"{file} is a directory; expected a file")
    if horizon is not None and not isinstance(estimator, VideoPredictor):
        raise click.UsageError(f"--horizon is for video; this model is for {estimator.task}")
    if file is None and not texts and not isinstance(estimator, Forecaster):
        if of_text:
            raise click.UsageError("FILE or --text is missing: what is to be predicted?")
        raise click.UsageError("FILE is missing: which sequences are to be predicted?")


def _of_text(
    estimator: Estimator,
    X: Any,
    ids: Sequence[str] | None,
    nbest: int | None,
    interval: float | None,
    output: str | None,
    as_json: bool,
    *,
    shown: bool,
) -> None:
    """Writes what a model of text says: JSON, a table, or texts to read."""
    tagger = isinstance(estimator, SequenceTagger)
    if nbest and not as_json and (output or not shown):
        raise click.UsageError("--nbest has no place in a table; give --json too")
    if as_json:
        print_json(answers(estimator, X, ids, nbest=nbest, interval=interval))
    elif shown and not output:
        types = {kind for _, kind in map(parse, estimator.spec_.tags) if kind}
        marker = Marker(console(), sorted(types))
        for answer in answers(estimator, X, nbest=nbest, interval=interval):
            marker.show(answer)
    else:
        with _open(output) as stream:
            if tagger:
                write_columns(answers(estimator, X), stream)
            else:
                write_rows(list(predictions(estimator, X, ids, interval)), stream)


@contextmanager
def _open(output: str | None) -> Iterator[TextIO]:
    """The file of `--output`, or stdout."""
    if output is None:
        yield sys.stdout
        return
    with (
        writing("--output", output) as path,
        path.open("w", encoding="utf-8", newline="") as stream,
    ):
        yield stream


def _known(estimator: Forecaster, recipe: Recipe, file: str | None, changes: Sequence[str]) -> Any:
    """The future covariates in a file; None where there are neither."""
    if file is None:
        if estimator.columns_.future:
            names = ", ".join(map(str, estimator.columns_.future))
            raise click.UsageError(
                f"--future is missing: a file with the next {estimator.horizon} rows of {names}"
            )
        return None
    found = reading(recipe, file, text=False)
    assert found is not None  # lines are text
    columns = [str(name) for name in estimator.columns_.future]
    return read_data(changed(found.replace("data.columns", columns), changes)).train.X
