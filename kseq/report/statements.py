"""What a report says in words, for the model card and the page alike.

A sentence is plain text but for names, which stand between backticks as in Markdown, and for what
is stressed, between two asterisks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kseq.metrics.evaluation import Evaluation, counted, higher_is_better
from kseq.report.wording import best_values, interval_line, metric_name, metric_order, number
from kseq.tags import parse, scheme_of

_PARTS = (("train", "training"), ("valid", "validation"), ("test", "test"))
_FEW_ITEMS = 200
_SECTIONS = ("embedding", "text")


def code(name: Any) -> str:
    """A name between backticks, more of them where it has some itself.

    Example:
        >>> code("lstm"), code("a`b")
        ('`lstm`', '`` a`b ``')
    """
    text = str(name)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"{fence}{text}{fence}"


def task_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The task of a recipe, `kind` and what is asked of it."""
    task = recipe.get("task", "")
    return dict(task) if isinstance(task, Mapping) else {"kind": task}


def opening(recipe: Mapping[str, Any]) -> str:
    """What kind of model it is."""
    kind = task_of(recipe).get("kind", "")
    builder = recipe.get("model", {}).get("builder")
    made = f" built by {code(builder)}" if builder else ""
    return f"A Keras sequence model for {kind}{made}, trained by kseq from a recipe."


def tested(evaluation: Evaluation | None) -> str:
    """What the score was taken on."""
    if evaluation is None:
        return "No test data was given, so there is no score."
    compared = evaluation.notes.get("compared", counted(evaluation.items, "item"))
    return f"On test data ({compared}); the first metric decides, the best value is bold."


def score_rows(evaluation: Evaluation) -> list[tuple[str, list[tuple[str, bool]]]]:
    """The model and the baselines: each metric as it is written, and whether it is the best."""
    metrics, best = metric_order(evaluation), best_values(evaluation)
    rows = []
    for name, row in {"model": evaluation.metrics, **evaluation.baselines}.items():
        cells = [(row.get(metric), best.get(metric)) for metric in metrics]
        rows.append(
            (name, [(number(mine), mine is not None and mine == top) for mine, top in cells])
        )
    return rows


def verdict(evaluation: Evaluation) -> str:
    """Whether the model beats the best baseline."""
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


def observations(evaluation: Evaluation) -> list[str]:
    """What must be known to read the score."""
    return [
        f"{note[:1].upper()}{note[1:]}."
        for key, note in sorted(evaluation.notes.items())
        if isinstance(note, str) and key != "compared"
    ]


def without_value(evaluation: Evaluation) -> list[str]:
    """Why metrics have no value."""
    undefined = evaluation.to_dict()["notes"].get("undefined", {})
    return [f"{_where(place)}: {reason}" for place, reason in sorted(undefined.items())]


def _where(place: str) -> str:
    """`persistence.mase` as `MASE of persistence`."""
    row, dot, metric = place.rpartition(".")
    if dot:
        return f"{metric_name(metric)} of {row}"
    names = {"model": "all metrics of the model", "by_step": "some lead times"}
    return names.get(metric, metric_name(metric))


def files(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each file that was read, with the beginning of its hash."""
    return [(name, digest[:12]) for name, digest in facts.get("files", {}).items()]


def counts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How much data each part holds."""
    rows = []
    for part, word in _PARTS:
        said = [
            counted(facts[what][part], what.removesuffix("s"))
            for what in ("sequences", "steps", "clips", "frames", "texts", "tokens", "spans")
            if facts.get(what, {}).get(part)
        ]
        if said:
            rows.append((word, ", ".join(said)))
    return rows


def model(recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The parameters of the model, and its size."""
    rows = []
    given = recipe.get("model", {})
    if given.get("builder"):
        rows.append(("builder", code(given["builder"])))
    text = task_of(recipe).get("text")
    shown = {**{name: v for name, v in given.items() if name != "builder"}, "text": text}
    rows += [(name, _value(v)) for name, v in _flat(shown)]
    if facts.get("parameters") is not None:
        rows.append(("weights", counted(facts["parameters"], "number")))
    if facts.get("vocabulary"):
        sizes = [f"{count:,} {stream}" for stream, count in facts["vocabulary"].items()]
        rows.append(("ids", f"{', '.join(sizes)}, each with padding and unknown among them"))
    return rows


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Values by their path, those of sections inside too; a section left out has none."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif name not in _SECTIONS or value is not None:
            yield f"{above}{name}", value


def training(recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the training went, and its parameters."""
    rows = []
    if facts.get("epochs") is not None:
        best = f", weights of epoch {facts['best_epoch']}" if facts.get("best_epoch") else ""
        rows.append(("run", f"{counted(facts['epochs'], 'epoch')}{best}"))
    if facts.get("seconds") is not None:
        rows.append(("time", _seconds(facts["seconds"])))
    seed = facts.get("seed", recipe.get("seed"))
    if seed is not None:
        rows.append(("seed", str(seed)))
    rows += [
        (name, _value(v))
        for name, v in recipe.get("training", {}).items()
        if name not in ("epochs", "verbose")
    ]
    return rows


def limits(
    recipe: Mapping[str, Any], evaluation: Evaluation | None, facts: Mapping[str, Any]
) -> list[str]:
    """What the model is for, and where that ends."""
    task = task_of(recipe)
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
    return lines + [str(limit) for limit in facts.get("limits", ())]


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
            f"tokenizer {code(facts.get('tokenizer'))}; where it divides otherwise, expect more "
            "mistakes."
        )
    return lines


def _names(names: Any, most: int = 20) -> str:
    if isinstance(names, str):
        return code(names)
    quoted = [code(name) for name in names]
    rest = f" and {len(quoted) - most} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + rest


def _value(value: Any) -> str:
    return code(str(value).lower() if isinstance(value, bool) or value is None else value)


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{number(seconds)} s"
    minutes = math.floor(seconds / 60)
    return f"{minutes} min {seconds - 60 * minutes:.0f} s"


def intervals(evaluation: Evaluation) -> tuple[str, list[list[str]]]:
    """How the prediction intervals did, and of several targets the cells of each; or nothing."""
    line = interval_line(evaluation)
    if not line:
        return "", []
    said = (
        f"{line}. Their width comes from the validation part; it holds as far as what comes is "
        "like it."
    )
    targets = evaluation.notes["interval"].get("per_target", {})
    return said, [
        [name, f"{100 * each['coverage']:.1f} %", number(each["width"])]
        for name, each in targets.items()
    ]
