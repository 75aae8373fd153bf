"""Writes the report folder of a run."""

from __future__ import annotations

import csv
import json
import math
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kseq.errors import KseqError, MissingExtraError
from kseq.metrics.evaluation import Evaluation, plain
from kseq.report import canvas, films, forecasts, intervals, pictures, taggings
from kseq.report.card import model_card
from kseq.report.html import report_page
from kseq.report.markup import Picture
from kseq.report.wording import kind_of_tags, types_by_support

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(
    directory: str | Path,
    *,
    recipe: Mapping[str, Any],
    evaluation: Evaluation | None,
    history: Mapping[str, Sequence[float]],
    facts: Mapping[str, Any],
    index: Sequence[Any] | None = None,
    windows: Any = None,
    items: Sequence[Any] | None = None,
    ids: Sequence[str] | None = None,
    explained: Sequence[tuple[str, str, Callable[[], Figure]]] = (),
    remarks: Sequence[str] = (),
) -> list[Path]:
    """Writes `metrics.json`, `history.csv`, pictures, `model_card.md` and `report.html`.

    The page holds all that the card does, the pictures, and what went wrong with examples; it
    needs no other file. Without matplotlib the pictures are left out and both say so. Without an
    evaluation all say that there was no test data; a training score is never shown as one.

    Args:
        directory: Where to write; made if it is not there.
        recipe: The recipe as plain values.
        evaluation: The score on test data; None where there was none.
        history: Values of each epoch by name, as Keras names them.
        facts: What else is known; see `model_card` for the keys that the card shows.
        index: Of a forecast: the time stamp of each window's first forecast step.
        windows: Of a forecast: `(windows, time, targets)`, the observed steps before each window.
        items: The test items in the order of the evaluation, for examples of what went wrong: of a
            tagging the tokens of each text.
        ids: Their names, where they have some.
        explained: File name, caption and drawing of pictures of what the model looks at; one that
            cannot be drawn is left out, and the report says so.
        remarks: Sentences about the report itself.

    Returns:
        The files written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     files = write_report(
        ...         folder, recipe={"task": "regression"}, evaluation=None, history={}, facts={}
        ...     )
        >>> [file.name for file in files]
        ['metrics.json', 'history.csv', 'model_card.md', 'report.html']
    """
    facts = plain(facts)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(
        _metrics(recipe, evaluation, facts),
        indent=2,
        sort_keys=True,
        ensure_ascii=False,
        allow_nan=False,
    )
    written = [folder / "metrics.json", folder / "history.csv"]
    written[0].write_text(content + "\n", encoding="utf-8", newline="\n")
    _write_history(written[1], history)

    plan = _plan(evaluation, history, facts, index, windows)
    shown: list[Picture] = []
    about: list[Picture] = []
    remarks = list(remarks)
    try:
        for name, caption, draw in plan:
            make = _animated if name.endswith(".gif") else _drawn
            shown.append(make(folder / name, caption, draw))
        for name, caption, draw in explained:
            try:
                about.append(_drawn(folder / name, caption, draw))
            except MissingExtraError:
                raise
            except Exception as error:  # a training must not be lost for it
                remarks.append(left_out(name, error))
    except MissingExtraError as missing:
        remarks.append(f"The pictures were left out: {missing}.")

    written += [folder / picture.name for picture in [*shown, *about]]
    captions = {picture.name: picture.caption for picture in [*shown, *about]}
    page = report_page(
        recipe,
        evaluation,
        facts=facts,
        pictures=shown,
        explained=about,
        remarks=remarks,
        items=items,
        ids=ids,
        index=index,
    )
    card = model_card(recipe, evaluation, facts=facts, pictures=captions, remarks=remarks)
    for name, text in (("model_card.md", card), ("report.html", page)):
        written.append(folder / name)
        written[-1].write_text(text, encoding="utf-8", newline="\n")
    return written


def left_out(what: str, error: Exception) -> str:
    """A remark on what failed, and of a defect a warning that says where.

    Args:
        what: What is left out of the report.
        error: Why.

    Example:
        >>> left_out("gates.png", KseqError("too short"))
        'gates.png was left out: too short.'
    """
    if isinstance(error, KseqError):
        return f"{what} was left out: {str(error).rstrip('.')}."
    remark = f"{what} was left out, for a defect of kseq ({type(error).__name__})"
    home = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(home)]
    places = [f"{Path(f.filename).relative_to(home.parent)}, line {f.lineno}" for f in own[-1:]]
    where = " in ".join(["", *places])
    warnings.warn(f"{remark}{where}: {error}; please report it", UserWarning, stacklevel=2)
    return f"{remark}."


def _drawn(path: Path, caption: str, draw: Callable[[], Any]) -> Picture:
    """Writes a picture, and draws it once more for dark screens, which the page alone shows."""
    figure = draw()
    light = canvas.png(figure)
    path.write_bytes(light)
    with canvas.drawn_with(canvas.DARK):
        dark = canvas.png(draw())
    said = figure.get_label()
    return Picture(path.name, caption, f"{caption}. {said}." if said else caption, light, dark)


def _animated(path: Path, caption: str, draw: Callable[[], Any]) -> Picture:
    """Writes an animation; its last frame stands for it where nothing shall move."""
    frames = draw()
    canvas.write_animation(frames, path)
    still = canvas.still(frames[-1])
    return Picture(path.name, caption, f"Animation. {caption}", path.read_bytes(), still=still)


def _metrics(
    recipe: Mapping[str, Any], evaluation: Evaluation | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
    if evaluation is not None:
        return {**evaluation.to_dict(), "facts": dict(facts)}
    task = recipe.get("task", "")
    return {
        "task": task.get("kind") if isinstance(task, Mapping) else task,
        "primary": None,
        "metrics": {},
        "baselines": {},
        "items": 0,
        "notes": {"metrics": "no test data"},
        "facts": dict(facts),
    }


def _write_history(path: Path, history: Mapping[str, Sequence[float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["epoch", *history])
        for epoch, values in enumerate(zip_longest(*history.values()), start=1):
            table.writerow([epoch, *(_cell(value) for value in values)])


def _cell(value: Any) -> str:
    """The shortest form that reads back equal; empty where there is no finite number."""
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def _plan(
    evaluation: Evaluation | None,
    history: Mapping[str, Sequence[float]],
    facts: Mapping[str, Any],
    index: Sequence[Any] | None,
    windows: Any,
) -> list[tuple[str, str, Callable[[], Any]]]:
    """File name, caption and drawing of each picture that has something to show."""
    plan: list[tuple[str, str, Callable[[], Any]]] = []
    if any(len(history.get(name, ())) for name in ("loss", "val_loss")):
        best = facts.get("best_epoch") or None
        plan.append(
            (
                "learning_curve.png",
                "Loss and metric over epochs",
                lambda: pictures.learning_curve(history, best=best),
            )
        )
    if evaluation is None or not evaluation.items:
        return plan
    if evaluation.task == "classification":
        caption = "True against predicted classes"
        plan.append(("confusion.png", caption, lambda: pictures.confusion(evaluation)))
        plan += _reliability(evaluation)
    elif evaluation.task == "regression":
        caption = "Predicted against true numbers"
        plan.append(("scatter.png", caption, lambda: pictures.scatter(evaluation)))
        if isinstance(evaluation.truth, list):
            caption = "Truth and prediction over steps"
            plan.append(("series.png", caption, lambda: pictures.series(evaluation)))
    elif evaluation.task == "tagging":
        plan += _of_tagging(evaluation)
    elif evaluation.task == "video":
        caption = "Frames seen, true frames ahead, those foretold, and the error"
        plan.append(("filmstrip.png", caption, lambda: films.filmstrip(evaluation)))
        caption = "Above what happened, below what was foretold (bar: grey seen, blue foretold)"
        plan.append(("clips.gif", caption, lambda: films.animation(evaluation)))
        caption = "Scores by lead time"
        plan.append(("lead_time.png", caption, lambda: films.lead_times(evaluation)))
    elif evaluation.task == "forecasting":
        plan.append(
            (
                "forecast.png",
                "Truth, forecast and best baseline",
                lambda: forecasts.forecast(evaluation, index=index, history=windows),
            )
        )
        if evaluation.truth.shape[1] > 1:
            caption = "Error at each lead time"
            plan.append(("lead_time.png", caption, lambda: forecasts.lead_time(evaluation)))
    if "interval" in evaluation.notes:
        caption = "Share of test points that intervals hold, against what they promise"
        plan.append(("coverage.png", caption, lambda: intervals.coverage(evaluation)))
    return plan


def _of_tagging(evaluation: Evaluation) -> list[tuple[str, str, Callable[[], Any]]]:
    plan: list[tuple[str, str, Callable[[], Any]]] = []
    kind = kind_of_tags(evaluation)
    if types_by_support(evaluation):
        plan.append(("types.png", f"F1 of each {kind}", lambda: taggings.by_type(evaluation)))
    if kind == "tag":
        caption = "True against predicted tags"
        plan.append(("confusion.png", caption, lambda: taggings.confusion(evaluation)))
    return plan + _reliability(evaluation)


def _reliability(evaluation: Evaluation) -> list[tuple[str, str, Callable[[], Any]]]:
    if "calibration" not in evaluation.notes:
        return []
    caption = "Stated probabilities against how often they are right"
    return [("reliability.png", caption, lambda: taggings.reliability(evaluation))]
