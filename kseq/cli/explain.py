"""`kseq explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from kseq.cli.options import (
    artefact_argument,
    changed,
    console,
    json_option,
    print_json,
    set_option,
    writing,
)
from kseq.cli.reading import asked_texts, sequences_in
from kseq.data.home import locate
from kseq.errors import DataError, MissingExtraError
from kseq.estimators.base import Estimator
from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.load import restore
from kseq.estimators.tagger import SequenceTagger
from kseq.estimators.video import VideoPredictor
from kseq.explain.attributions import Attribution, attribute
from kseq.explain.gate_pictures import OPENINGS
from kseq.explain.gating import Gates, gates
from kseq.explain.reaches import Reach, reach
from kseq.metrics.evaluation import counted
from kseq.recipe import Recipe
from kseq.report import canvas
from kseq.report.wording import number
from kseq.run import items_of_test, read_data
from kseq.serving import artefact as artefacts

What = Literal["reach", "gates", "attribution"]
Explanation = Reach | Gates | Attribution
_STRONGEST = 5
# What the arguments of explanations are called on the command line.
_OPTIONS = {
    "output": "--of",
    "layer": "--layer",
    "X": "what is explained",
    "streaming": "--streaming",
}


@click.command("explain", short_help="Show what a saved model's answers rest on.")
@artefact_argument
@click.argument("file", type=click.Path(), required=False)
@click.option(
    "--what",
    type=click.Choice(["reach", "gates", "attribution"]),
    default="attribution",
    show_default=True,
    help="How far back it remembers; what its gates do; or what an answer rests on.",
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="TEXT",
    help="A text, for a model of text. Repeatable; - reads the lines of standard input.",
)
@click.option(
    "--item",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which text, sequence, series or clip is looked at, from 0 on; the reach takes up to 32.",
)
@click.option(
    "--of",
    metavar="OUTPUT",
    help="What is attributed: a class or label; TOKEN or TOKEN:TAG, a token being a word of the "
    "text or its place from 0 on; TARGET or TARGET:STEP of a forecast, steps ahead from 1 on; a "
    "target of numbers by its place, or STEP or STEP:TARGET of numbers at every step, all from 0 "
    "on; a frame ahead, from 1 on.",
)
@click.option(
    "--method",
    type=click.Choice(["integrated_gradients", "occlusion"]),
    default="integrated_gradients",
    show_default=True,
    help="How an answer is attributed.",
)
@click.option("--streaming", is_flag=True, help="The reach while further input arrives.")
@click.option(
    "--layer", metavar="NAME", help="Whose gates are drawn; the first layer's by default."
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False),
    help="Where to write the picture; by default NAME_WHAT.png in the working folder.",
)
@set_option
@json_option
def command(
    artefact: str,
    file: str | None,
    what: What,
    texts: tuple[str, ...],
    item: int,
    of: str | None,
    method: Literal["integrated_gradients", "occlusion"],
    streaming: bool,
    layer: str | None,
    picture: str | None,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Explain the saved model ARTEFACT on the sequences or texts in FILE, or of --text.

    FILE is read as `kseq predict` reads it; but it holds future covariates too, and where the
    model takes some, its last rows, as many as the horizon, are what is forecast. Without FILE and
    --text the test part of the recipe's data is taken; --set data.path=... and the like change
    where that is found.

    A picture is written and a summary printed. --json prints the numbers in place of the summary,
    and writes a picture to --picture alone.
    """
    _check(what, of, method, streaming, layer)
    if picture is not None and Path(picture).suffix.lower() != ".png":
        raise click.UsageError(f"--picture {picture}: expected a name ending in .png")
    saved = artefacts.read(Path(artefact))
    estimator, recipe = restore(saved, artefact), Recipe.from_dict(saved.recipe)
    items, names = _items(estimator, recipe, file, texts, changes)
    with _in_words_of_the_command():
        if what == "reach":
            found: Explanation = reach(estimator, items, streaming=streaming)
        else:
            one = _one(items, item)
            found = _explained(estimator, one, what, method, of)
        if isinstance(found, Gates):
            found.layer(layer)  # of --json too, which may draw nothing
        # Before anything is printed: drawing and writing may fail.
        name = recipe.fill().name
        remark = ""
        if picture is not None or not as_json:
            remark = _draw(found, picture, picture or f"{name}_{what}.png", layer)
    if as_json:
        print_json(found.to_dict())
    else:
        where = None if what == "reach" or names is None else names[item]
        for line in _summary(found, name, where):
            console().print(line, markup=False)
    if remark:
        console(stderr=True).print(remark, markup=False)


@contextmanager
def _in_words_of_the_command() -> Iterator[None]:
    """Within this context, what is wrong with an argument is said of the option."""
    try:
        yield
    except DataError as error:
        name, colon, rest = str(error).partition(": ")
        if not colon or name not in _OPTIONS:
            raise
        raise DataError(f"{_OPTIONS[name]}: {rest}") from None


def _check(what: What, of: str | None, method: str, streaming: bool, layer: str | None) -> None:
    """Raises where options do not go with what is asked.

    Raises:
        click.UsageError: With what to do.
    """
    belongs = {
        "--of": ("attribution", of is not None),
        "--method": ("attribution", method != "integrated_gradients"),
        "--streaming": ("reach", streaming),
        "--layer": ("gates", layer is not None),
    }
    for option, (owner, given) in belongs.items():
        if given and what != owner:
            raise click.UsageError(f"{option} is for --what {owner}, but --what is {what}")


# --- what is looked at ---


def _items(
    estimator: Estimator,
    recipe: Recipe,
    file: str | None,
    texts: Sequence[str],
    changes: Sequence[str],
) -> tuple[Any, Sequence[str] | None]:
    """Texts, sequences, series or clips, and their names where they have some."""
    if texts and not estimator.spec_.streams:
        raise click.UsageError("--text: the model was fitted to numbers, not to text; give FILE")
    if texts and file is not None:
        raise click.UsageError("FILE holds texts, and so does --text; choose one")
    if texts and changes:
        raise click.UsageError("--set says how FILE is read, and --text comes without one")
    if file is None and not texts:
        return _test_items(estimator, changed(recipe, changes))
    if estimator.spec_.streams:
        return asked_texts(recipe, file, texts, changes)
    if isinstance(estimator, VideoPredictor):
        if changes:
            raise click.UsageError("--set is not for a FILE of clips; leave it out")
        clips = estimator._checked(locate(str(file), folders=True), _window(estimator), "FILE")
        return clips, clips.names
    return sequences_in(recipe, str(file), changes)


def _test_items(estimator: Estimator, recipe: Recipe) -> tuple[Any, Sequence[str] | None]:
    """Those of the test part, and their names."""
    data = read_data(recipe)
    items = items_of_test(estimator, data)
    if isinstance(estimator, VideoPredictor):
        items = estimator._checked(items, _window(estimator), "test")
    return items, None if data.test is None else data.test.ids


def _window(estimator: Estimator) -> int:
    return int(estimator.recipe_.task["window"])


def _one(items: Any, place: int) -> Any:
    """One of the items.

    Raises:
        click.UsageError: If there are not so many.
    """
    if hasattr(items, "form"):  # clips
        count = len(items)
    else:
        items = [items] if isinstance(items, dict) else items
        count = len(items)
    if place >= count:
        raise click.UsageError(f"--item {place}: there are {count}, numbered from 0")
    if hasattr(items, "form"):
        rows, starts = np.array([place]), np.array([0])
        clip = items.window(rows, starts, int(items.lengths[place]))[0]
        return clip[..., 0] if items.flat else clip
    return items[place]


# --- what is said of it ---


def _explained(
    estimator: Estimator, one: Any, what: What, method: Any, of: str | None
) -> Gates | Attribution:
    if what == "gates":
        return gates(estimator, one)
    future = None
    if isinstance(estimator, Forecaster) and estimator.columns_.future:
        # The last rows of the series are those that the forecast is of.
        window, horizon = (estimator.recipe_.task[name] for name in ("window", "horizon"))
        rows = len(next(iter(one.values())))
        if rows < window + horizon:
            raise DataError(
                f"X: has {counted(rows, 'row')}, but a window takes {window} rows, and the future "
                f"covariates after it {horizon}"
            )
        future = {name: np.asarray(one[name])[-horizon:] for name in estimator.columns_.future}
        one = {name: np.asarray(values)[:-horizon] for name, values in one.items()}
    return attribute(estimator, one, method=method, output=_output(estimator, of), future=future)


def _output(estimator: Estimator, of: str | None) -> Any:
    """What `--of` names."""
    if of is None:
        return None
    if isinstance(estimator, SequenceClassifier):
        names = {str(label): label for label in estimator.classes_.tolist()}
        return names.get(of, of)
    if isinstance(estimator, SequenceTagger):
        labels = [] if estimator.classes_ is None else estimator.classes_.tolist()
        token, _, tag = of.rpartition(":")
        if of in labels:
            return of
        return (_number(token), tag) if token else (_number(of), None)
    first, colon, second = of.partition(":")
    if isinstance(estimator, Forecaster):
        names = {str(target): target for target in estimator.targets_}
        target = names.get(first, first)
        return (target, _number(second)) if colon else target
    return (_number(first), _number(second)) if colon else _number(first)


def _number(text: str) -> Any:
    return int(text) if text.isdecimal() else text


def _summary(found: Explanation, name: str, where: str | None) -> list[str]:
    """What a person reads first."""
    if isinstance(found, Reach):
        return [f"{name} {found} (over {found.sample})."]
    if isinstance(found, Gates):
        lines = []
        for layer in found.layers:
            named = [each for each in layer.values if each in OPENINGS]
            means = ", ".join(f"{each} {layer.values[each].mean():.2f}" for each in named)
            lines.append(f"{layer.label}: gates open on average: {means}")
        return lines
    head = f"{found.output}{f' of {where}' if where else ''}: {number(found.score)}"
    lines = [f"{head}, {number(found.baseline)} for {found.start}"]
    for label, weight in found.strongest(_STRONGEST):
        lines.append(f"  {'-' if weight < 0 else '+'}{number(abs(weight))}  {label}")
    if found.held:
        lines.append(f"known future values of {', '.join(found.held)} are left as they are")
    return lines


def _draw(found: Explanation, asked: str | None, path: str, layer: str | None) -> str:
    """Writes the picture and says where; if it was not asked for, it may be missing."""
    try:
        figure = found.figure(layer) if isinstance(found, Gates) else found.figure()
    except MissingExtraError as missing:
        if asked is not None:
            raise
        return f"no picture: {missing}"
    with writing("--picture", path) as place:
        canvas.write(figure, place)
    return f"picture: {path}"
