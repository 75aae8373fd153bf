"""The model card: what a model is, what it was made from, how good it is, where it ends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kseq.metrics.evaluation import Evaluation, counted, higher_is_better
from kseq.report.wording import (
    TYPE_COLUMNS,
    best_values,
    calibration_line,
    interval_line,
    kind_of_tags,
    metric_name,
    metric_order,
    number,
    type_cells,
    types_by_support,
)
from kseq.tags import parse, scheme_of

_PARTS = (("train", "training"), ("valid", "validation"), ("test", "test"))
_FEW_ITEMS = 200
_MOST_TYPES = 40
_SECTIONS = ("embedding", "text")


def model_card(
    recipe: Mapping[str, Any],
    evaluation: Evaluation | None,
    *,
    facts: Mapping[str, Any],
    pictures: Mapping[str, str] | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """A short Markdown page that claims nothing but what the run knows.

    Args:
        recipe: The recipe as plain values.
        evaluation: The score on test data; None where there was none.
        facts: What else is known, every key optional: `files` (name -> sha256), `sequences` and
            `steps`, `texts`, `tokens` and `spans` (`train`, `valid`, `test` -> count), `parameters`
            (count), `epochs`, `best_epoch` (from 1), `seconds`, `seed`, `targets`, `classes` and
            `tags` (names), `vocabulary` (stream -> count), `tokenizer` and `fitted_on` (of text),
            `limits` (further sentences), `versions` (library -> version).
        pictures: Captions by file name, shown at the end.
        remarks: Sentences about the report itself.

    Example:
        >>> card = model_card({"name": "gun", "task": "classification"}, None, facts={"seed": 7})
        >>> print(card[:5])
        # gun
        >>> "Not tested" in card
        True
    """
    sections = [
        _opening(recipe),
        _section("Score", _score(evaluation)),
        _section("Data", _data(recipe, facts)),
        _section("Model", _model(recipe, facts)),
        _section("Training", _training(recipe, facts)),
        _section("Intended use and limits", _limits(recipe, evaluation, facts)),
        _section("Versions", [f"- {n} {v}" for n, v in sorted(facts.get("versions", {}).items())]),
        _section("Pictures", _pictures(pictures or {}, remarks)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(lines)
    return f"## {title}\n\n{body}" if body else ""


def _task(recipe: Mapping[str, Any]) -> dict[str, Any]:
    task = recipe.get("task", "")
    return dict(task) if isinstance(task, Mapping) else {"kind": task}


def _opening(recipe: Mapping[str, Any]) -> str:
    kind = _task(recipe).get("kind", "")
    builder = recipe.get("model", {}).get("builder")
    made = f" built by `{builder}`" if builder else ""
    name = recipe.get("name", "model")
    return f"# {name}\n\nA Keras sequence model for {kind}{made}, trained by kseq from a recipe."


def _score(evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return ["No test data was given, so there is no score."]
    metrics, best = metric_order(evaluation), best_values(evaluation)
    compared = evaluation.notes.get("compared", counted(evaluation.items, "item"))
    lines = [
        f"On test data ({compared}); the first metric decides, the best value is bold.",
        "",
        _row(["", *(metric_name(metric) for metric in metrics)]),
        _row(["---", *("---:" for _ in metrics)]),
    ]
    for name, row in {"model": evaluation.metrics, **evaluation.baselines}.items():
        cells = [(row.get(metric), best.get(metric)) for metric in metrics]
        marked = [
            f"**{number(mine)}**" if mine is not None and mine == top else number(mine)
            for mine, top in cells
        ]
        lines.append(_row([f"**{name}**" if name == "model" else name, *marked]))
    lines += ["", _verdict(evaluation)]
    for key, note in sorted(evaluation.notes.items()):
        if isinstance(note, str) and key != "compared":
            lines.append(f"\n{note[:1].upper()}{note[1:]}.")
    undefined = evaluation.to_dict()["notes"].get("undefined", {})
    if undefined:
        lines.append("\nWithout a value:\n")
        lines += [f"- {_where(place)}: {reason}" for place, reason in sorted(undefined.items())]
    return [*lines, *_interval(evaluation), *_by_type(evaluation), *_calibration(evaluation)]


def _by_type(evaluation: Evaluation) -> list[str]:
    """The table of each type of span, or plain tag."""
    types = types_by_support(evaluation)
    if not types:
        return []
    kind = kind_of_tags(evaluation)
    columns = [metric_name(column) for column in TYPE_COLUMNS]
    lines = [f"\nBy {kind}:\n", _row([kind, *columns]), _row(["---", *("---:" for _ in columns)])]
    shown = list(types.items())[:_MOST_TYPES]
    lines += [_row([name, *type_cells(row)]) for name, row in shown]
    if len(types) > len(shown):
        lines.append(f"\nThe {_MOST_TYPES} commonest of {len(types)}; all are in `metrics.json`.")
    return lines


def _interval(evaluation: Evaluation) -> list[str]:
    """How the prediction intervals did, and of several targets each."""
    line = interval_line(evaluation)
    if not line:
        return []
    note = evaluation.notes["interval"]
    lines = [
        f"\n{line}. Their width comes from the validation part; it holds as far as what comes is "
        "like it."
    ]
    targets = list(note.get("per_target", {}).items())
    if targets:
        lines += ["", _row(["target", "coverage", "mean width"]), _row(["---", "---:", "---:"])]
    for name, each in targets[:_MOST_TYPES]:
        lines.append(_row([name, f"{100 * each['coverage']:.1f} %", number(each["width"])]))
    if len(targets) > _MOST_TYPES:
        lines.append(f"\nThe first {_MOST_TYPES} of {len(targets)}; all are in `metrics.json`.")
    return lines


def _calibration(evaluation: Evaluation) -> list[str]:
    line = calibration_line(evaluation)
    if not line:
        return []
    of = evaluation.notes["calibration"]["of"]
    return [f"\nProbabilities of {of}: {line}; at 0 they are as often right as they say."]


def _verdict(evaluation: Evaluation) -> str:
    best, better = evaluation.best_baseline(), evaluation.better()
    primary = metric_name(evaluation.primary)
    if not evaluation.baselines:
        return "No baseline was computed."
    if best is None or better is None:
        return f"Whether the model beats a baseline cannot be said: {primary} has no value."
    mine = number(evaluation.metrics[evaluation.primary])
    theirs = number(evaluation.baselines[best][evaluation.primary])
    beats = "beats" if better else "does **not** beat"
    direction = "higher" if higher_is_better(evaluation.primary) else "lower"
    return (
        f"The model {beats} the best baseline, {best}: "
        f"{primary} {mine} against {theirs} ({direction} is better)."
    )


def _where(place: str) -> str:
    """`persistence.mase` as `MASE of persistence`."""
    row, dot, metric = place.rpartition(".")
    if dot:
        return f"{metric_name(metric)} of {row}"
    names = {"model": "all metrics of the model", "by_step": "some lead times"}
    return names.get(metric, metric_name(metric))


def _data(recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    lines = []
    files = facts.get("files", {})
    if files:
        lines += [_row(["file", "sha256"]), _row(["---", "---"])]
        lines += [_row([f"`{name}`", f"`{digest[:12]}`"]) for name, digest in files.items()]
    counts = []
    for part, word in _PARTS:
        said = [
            counted(facts[what][part], what.removesuffix("s"))
            for what in ("sequences", "steps", "clips", "frames", "texts", "tokens", "spans")
            if facts.get(what, {}).get(part)
        ]
        if said:
            counts.append(f"- {word}: {', '.join(said)}")
    return [*lines, "", *counts] if lines and counts else lines + counts


def _model(recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    lines = []
    model = recipe.get("model", {})
    if model.get("builder"):
        lines.append(f"- builder: `{model['builder']}`")
    text = _task(recipe).get("text")
    given = {**{name: v for name, v in model.items() if name != "builder"}, "text": text}
    lines += [f"- {name}: {_value(v)}" for name, v in _flat(given)]
    if facts.get("parameters") is not None:
        lines.append(f"- weights: {counted(facts['parameters'], 'number')}")
    if facts.get("vocabulary"):
        sizes = [f"{count:,} {stream}" for stream, count in facts["vocabulary"].items()]
        lines.append(f"- ids: {', '.join(sizes)}, each with padding and unknown among them")
    return lines


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Values by their path, those of sections inside too; a section left out has none."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif name not in _SECTIONS or value is not None:
            yield f"{above}{name}", value


def _training(recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    lines = []
    if facts.get("epochs") is not None:
        best = f", weights of epoch {facts['best_epoch']}" if facts.get("best_epoch") else ""
        lines.append(f"- run: {counted(facts['epochs'], 'epoch')}{best}")
    if facts.get("seconds") is not None:
        lines.append(f"- time: {_seconds(facts['seconds'])}")
    seed = facts.get("seed", recipe.get("seed"))
    if seed is not None:
        lines.append(f"- seed: {seed}")
    lines += [
        f"- {name}: {_value(v)}"
        for name, v in recipe.get("training", {}).items()
        if name not in ("epochs", "verbose")
    ]
    return lines


def _limits(
    recipe: Mapping[str, Any], evaluation: Evaluation | None, facts: Mapping[str, Any]
) -> list[str]:
    task = _task(recipe)
    lines = [*_purpose(task, facts)]
    if evaluation is None:
        lines.append("Not tested: how well it does on data it was not trained on is unknown.")
    else:
        if evaluation.better() is False:
            lines.append("Not better than a naive baseline on the test data, so of no use yet.")
        lines.append("Tested on the test part named above alone, on no other data.")
        if evaluation.task == "classification" and 0 < evaluation.items < _FEW_ITEMS:
            share = number(100 / evaluation.items)
            item = "text" if facts.get("texts") else "sequence"
            lines.append(f"The test is small: one {item} is {share} points of accuracy.")
    if facts.get("seed", recipe.get("seed")) is not None:
        lines.append("One training with one seed: how far others would differ was not measured.")
    lines += [str(limit) for limit in facts.get("limits", ())]
    return [f"- {line}" for line in lines]


def _purpose(task: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    kind = task.get("kind")
    if kind == "tagging" and facts.get("tags"):
        return _tagging(facts)
    if kind == "forecasting" and task.get("horizon"):
        past = f" from the last {task['window']}" if task.get("window") else ""
        what = facts.get("targets") or task.get("target")
        of = f" of {_names(what)}" if what else ""
        return [f"Forecasts {counted(task['horizon'], 'step')}{of}{past}."]
    if kind == "video" and task.get("horizon"):
        seen = f" from the last {task['window']}" if task.get("window") else ""
        size = f" of {' x '.join(map(str, facts['frame'][:-1]))}" if facts.get("frame") else ""
        return [
            f"Foretells {counted(task['horizon'], 'frame')}{size}{seen}, and more from its own. "
            "The further ahead, the more blurred, where several things may happen."
        ]
    if kind == "classification" and facts.get("classes"):
        classes = list(facts["classes"])
        item = "text" if facts.get("texts") else "sequence"
        return [
            f"Answers with one of {len(classes)} labels: "
            f"{_names(classes)}. A {item} of any other kind gets one of these labels too."
        ]
    if kind == "regression" and facts.get("targets"):
        return [f"Predicts {_names(facts['targets'])}."]
    return []


def _tagging(facts: Mapping[str, Any]) -> list[str]:
    """What a tagger answers with, and what it takes for a token."""
    tags = list(facts["tags"])
    if scheme_of(tags):
        types = sorted({kind for _, kind in map(parse, tags) if kind})
        lines = [f"Finds spans of {counted(len(types), 'type')}: {_names(types)}."]
    else:
        lines = [f"Gives each token one of {counted(len(tags), 'tag')}: {_names(tags)}."]
    if facts.get("classes"):
        classes = list(facts["classes"])
        lines.append(
            f"Gives each text one of {len(classes)} labels: {_names(classes)}. A text of any other "
            "kind gets one of these labels too."
        )
    if facts.get("fitted_on") == "tokens":
        lines.append(
            "Learned and tested on tokens as the files divide them. Raw text is divided by the "
            f"tokenizer `{facts.get('tokenizer')}`; where it divides otherwise, expect more "
            "mistakes."
        )
    return lines


def _pictures(pictures: Mapping[str, str], remarks: Sequence[str]) -> list[str]:
    shown = [f"![{caption}]({name})" for name, caption in pictures.items()]
    return ["\n\n".join([*shown, *remarks])] if shown or remarks else []


def _names(names: Any, most: int = 20) -> str:
    if isinstance(names, str):
        return f"`{names}`"
    quoted = [f"`{name}`" for name in names]
    rest = f" and {len(quoted) - most} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + rest


def _value(value: Any) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) or value is None else value}`"


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{number(seconds)} s"
    minutes = math.floor(seconds / 60)
    return f"{minutes} min {seconds - 60 * minutes:.0f} s"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
