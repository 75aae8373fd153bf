"""Whether a combination is worse than the best one by more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from kseq.comparison.result import Result

_RESAMPLES = 2000
_HORIZONS = 3  # of a block of windows
_CHUNK = 4_000_000  # numbers of a table of resamples
LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """How far a combination is from the best one.

    Args:
        behind: The difference of their mean scores, positive where this one is worse.
        error: Its standard error; NaN where it is not known.
        p: How often chance alone would make one so large, corrected for as many pairs as there are
            (Holm 1979), since the best one was chosen among them; NaN where it is not known.
    """

    behind: float
    error: float
    p: float

    @property
    def noise(self) -> bool | None:
        """Whether it may be chance; None where that is not known."""
        return None if math.isnan(self.p) else bool(self.p >= LEVEL)


def differences(
    combinations: Sequence[Sequence[Result]], *, higher: bool, seed: int = 0
) -> list[Difference | None]:
    """What each combination is behind the best one, which itself is None.

    Two things are left to chance: the seed of a training, and which items the test has. The first
    is known from the scores of two seeds or more, of both combinations; the second from a bootstrap
    over the test items, the same ones for both, where the score is one of sums over items. Windows
    of a forecast that overlap are drawn in blocks of three horizons. The standard error holds both,
    and the p value is that of a t test with Welch's degrees of freedom.

    Args:
        combinations: The trainings of each that came to a score, all on the same test items.
        higher: Whether a higher score is better.
        seed: Of the bootstrap.

    Reference:
        Efron and Tibshirani (1993), An introduction to the bootstrap; Künsch (1989), The jackknife
        and the bootstrap for general stationary observations; Holm (1979), A simple sequentially
        rejective multiple test procedure.
    """
    scores = [np.array([r.score for r in results], np.float64) for results in combinations]
    sign = 1.0 if higher else -1.0
    best = int(np.argmax([sign * each.mean() for each in scores]))
    drawn = _drawn(combinations, seed)
    found: list[Difference | None] = []
    for place, mine in enumerate(scores):
        if place == best:
            found.append(None)
            continue
        behind = sign * float(scores[best].mean() - mine.mean())
        both = (mine, scores[best])
        if min(map(len, both)) < 2 or (drawn is not None and drawn[1] < 2):
            found.append(Difference(behind, math.nan, math.nan))
            continue
        parts = [(float(each.var(ddof=1)) / len(each), len(each) - 1) for each in both]
        if drawn is not None:
            values, observations = drawn
            variance = float(np.var(values[place] - values[best], ddof=1))
            parts.append((variance, observations - 1))
        found.append(_tested(behind, parts))
    return _corrected(found)


def _tested(behind: float, parts: Sequence[tuple[float, int]]) -> Difference:
    """A t test of a difference with variances and their degrees of freedom (Welch 1947)."""
    variance = sum(v for v, _ in parts)
    if variance <= 0:
        return Difference(behind, 0.0, 1.0 if behind == 0 else 0.0)
    freedom = variance**2 / sum(v**2 / d for v, d in parts)
    error = math.sqrt(variance)
    return Difference(behind, error, float(2 * student.sf(abs(behind) / error, freedom)))


def _corrected(found: Sequence[Difference | None]) -> list[Difference | None]:
    every = [(place, d) for place, d in enumerate(found) if d is not None and not math.isnan(d.p)]
    result, largest = list(found), 0.0
    pairs = len(found) * (len(found) - 1) // 2
    for rank, (place, each) in enumerate(sorted(every, key=lambda pair: pair[1].p)):
        largest = max(largest, min(1.0, (pairs - rank) * each.p))
        result[place] = Difference(each.behind, each.error, largest)
    return result


def _drawn(
    combinations: Sequence[Sequence[Result]], seed: int
) -> tuple[list[np.ndarray], int] | None:
    """The mean score of each combination over its seeds, on resampled test items.

    Returns:
        `(resamples,)` for each, and how many observations were drawn from; None where the metric
        is none of sums over items.
    """
    whole = [[result.by_item() for result in results] for results in combinations]
    tables = [[each for each in row if each is not None] for row in whole]
    if list(map(len, tables)) != list(map(len, whole)):
        return None
    items = len(tables[0][0].sums)
    together = max(result.together for results in combinations for result in results)
    # Blocks of one horizon would lose a third of the variance of windows that overlap.
    block = 1 if together == 1 else max(1, min(_HORIZONS * together, items // 2))
    rng = np.random.default_rng(seed)
    values: list[list[np.ndarray]] = [[] for _ in tables]
    size = max(1, _CHUNK // items)
    for start in range(0, _RESAMPLES, size):
        counts = _counts(rng, min(size, _RESAMPLES - start), items, block)
        for place, row in enumerate(tables):
            each = [table.score(counts @ table.sums) for table in row]
            values[place].append(np.mean(each, axis=0))
    return [np.concatenate(parts) for parts in values], items // together


def _counts(rng: np.random.Generator, resamples: int, items: int, block: int) -> np.ndarray:
    """How often each resample has each item, `(resamples, items)`; blocks go round the end."""
    starts = rng.integers(0, items, (resamples, -(-items // block)))
    rows = (starts[:, :, None] + np.arange(block)) % items  # (resamples, blocks, block)
    flat = rows.reshape(resamples, -1)[:, :items] + items * np.arange(resamples)[:, None]
    counts = np.bincount(flat.reshape(-1), minlength=resamples * items)
    return counts.reshape(resamples, items).astype(np.float64)
