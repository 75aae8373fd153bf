"""A comparison as a table: a row for each combination, the best first, the naive answers last."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kseq.comparison.noise import Difference, differences
from kseq.comparison.result import Result
from kseq.comparison.variants import Variant, name_of
from kseq.explain.reaches import Reach
from kseq.metrics.evaluation import higher_is_better


@dataclass(frozen=True)
class Row:
    """A combination, or a naive answer to the same test items.

    Args:
        name: What it is called.
        changes: The values of the paths that vary; of a naive answer those it shares with all
            combinations that were scored on the same test items.
        test: What tells its test part from others: differences are within one alone.
        score: The mean over seeds; None where no training came to one.
        spread: Its standard deviation over seeds; None of one seed.
        difference: From the best; None of the best itself, of naive answers, and without a score.
        best: Whether it is the best on its test part.
        naive: Whether it is a naive answer.
        results: Its trainings.
    """

    name: str
    changes: dict[str, Any]
    test: str
    score: float | None
    spread: float | None = None
    difference: Difference | None = None
    best: bool = False
    naive: bool = False
    results: tuple[Result, ...] = ()

    def mean(self, cost: str) -> float | None:
        """The mean of a cost over the trainings that came to a score, such as `seconds`."""
        known = [getattr(r, cost) for r in self.results if r.status == "done"]
        known = [value for value in known if value is not None]
        return statistics.fmean(known) if known else None

    def reaches(self) -> list[Reach]:
        """How far back the models of its trainings remember."""
        found = [result.reach for result in self.results if "norms" in result.reach]
        return [
            Reach(np.array(each["norms"], np.float64), np.array(each["counts"]), each["step"])
            for each in found
        ]

    @property
    def reach(self) -> tuple[float | None, int] | None:
        """The median lag at which input is forgotten, and the longest that was looked at.

        The lag is None where half of the models never forget within that.
        """
        found = self.reaches()
        if not found:
            return None
        longest = max(len(each.norms) for each in found)
        lags = [math.inf if each.lag is None else float(each.lag) for each in found]
        median = statistics.median_high(lags)
        return None if math.isinf(median) else median, longest

    @property
    def alike(self) -> bool:
        """Whether it is the best, or not told apart from it."""
        return self.best or bool(self.difference is not None and self.difference.noise)

    @property
    def left_out(self) -> str:
        """Why the reach of trainings is not known; empty where it is."""
        found = [result.reach["left_out"] for result in self.results if "left_out" in result.reach]
        return "; ".join(dict.fromkeys(found))

    @property
    def failed(self) -> str:
        """Why trainings failed; empty where none did."""
        return "; ".join(dict.fromkeys(r.reason for r in self.results if r.status == "failed"))


def rows(variants: Sequence[Variant], ended: Sequence[Sequence[Result]], metric: str) -> list[Row]:
    """The rows of the table, best first on each test part, in the order in which these came.

    Args:
        variants: The combinations.
        ended: The trainings of each.
        metric: What is compared.
    """
    higher = higher_is_better(metric)
    groups: dict[str, list[tuple[Variant, list[Result]]]] = {}
    lost = []
    for variant, trainings in zip(variants, ended, strict=True):
        mine = list(trainings)
        done = [result for result in mine if result.score is not None]
        if done:
            groups.setdefault(done[0].test, []).append((variant, mine))
        elif mine:
            lost.append(Row(variant.name, variant.changes, "", None, results=tuple(mine)))
    found: list[Row] = []
    for test, members in groups.items():
        scored = [[r for r in mine if r.score is not None] for _, mine in members]
        behind = differences(scored, higher=higher)
        group = []
        for (variant, mine), these, difference in zip(members, scored, behind, strict=True):
            scores = [result.score for result in these if result.score is not None]
            group.append(
                Row(
                    name=variant.name,
                    changes=variant.changes,
                    test=test,
                    score=statistics.fmean(scores),
                    spread=statistics.stdev(scores) if len(scores) > 1 else None,
                    difference=difference,
                    best=difference is None,
                    results=tuple(mine),
                )
            )
        group.sort(key=lambda row: (row.score or 0.0) * (-1 if higher else 1))
        found += group + _naive(members, test, metric)
    return found + lost


def _naive(
    members: Sequence[tuple[Variant, Sequence[Result]]], test: str, metric: str
) -> list[Row]:
    """The naive answers to a test part; a path counts that has one value where an answer is."""
    answers: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for variant, mine in members:
        first = next(result for result in mine if result.score is not None)
        for name, values in first.baselines.items():
            value = values.get(metric)
            if value is not None:
                answers.setdefault((name, value), []).append(variant.changes)
    return [
        Row(name, _shared(changes), test, value, naive=True)
        for (name, value), changes in answers.items()
    ]


def _shared(changes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The values that all have in common."""
    return {
        path: value
        for path, value in changes[0].items()
        if all(other[path] == value for other in changes)
    }


def parts(found: Sequence[Row], paths: Sequence[str]) -> dict[str, tuple[str, str]]:
    """What each test part is called, by the paths that it depends on, and what it was scored on.

    Of one part the name is empty.

    Args:
        found: The rows.
        paths: What varied.
    """
    of_part: dict[str, list[Row]] = {}
    for row in found:
        if row.results and row.score is not None:
            of_part.setdefault(row.test, []).append(row)
    names: dict[str, list[str]] = {test: [] for test in of_part}
    for path in (path for path in paths if path.partition(".")[0] in ("data", "task")):
        values = {
            test: list(dict.fromkeys(name_of({path: row.changes[path]}) for row in members))
            for test, members in of_part.items()
        }
        if len({tuple(sorted(each)) for each in values.values()}) > 1:
            for test, each in values.items():
                names[test].append(" or ".join(each))
    compared = {
        test: next(result.compared for result in members[0].results if result.score is not None)
        for test, members in of_part.items()
    }
    return {test: (", ".join(names[test]), compared[test]) for test in of_part}


def records(found: Sequence[Row], paths: Sequence[str], metric: str) -> list[dict[str, Any]]:
    """The rows as plain values: a column for each path, score, difference and costs.

    Times are in seconds and milliseconds, memory in megabytes (10^6 bytes). `reach` is empty where
    it is more than the `reach_within` steps that were looked at.
    """
    table = []
    for row in found:
        difference = row.difference
        predict, memory = row.mean("predict_seconds"), row.mean("memory")
        table.append(
            {
                "name": row.name,
                **{path: row.changes.get(path) for path in paths},
                metric: row.score,
                "spread": row.spread,
                "behind": 0.0 if row.best else None if difference is None else difference.behind,
                "p": None if difference is None else _known(difference.p),
                "noise": None if difference is None else difference.noise,
                "parameters": row.mean("parameters"),
                "epoch_seconds": row.mean("epoch_seconds"),
                "epochs": row.mean("epochs"),
                "seconds": row.mean("seconds"),
                "predict_ms": None if predict is None else 1e3 * predict,
                "memory_mb": None if memory is None else memory / 1e6,
                "reach": None if row.reach is None else row.reach[0],
                "reach_within": None if row.reach is None else row.reach[1],
                "seeds": sum(r.status == "done" for r in row.results),
                "reason": row.failed,
            }
        )
    return table


def _known(value: float) -> float | None:
    return None if value != value else value


def as_csv(table: Sequence[dict[str, Any]]) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in table)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (list, dict, bool)) else value
