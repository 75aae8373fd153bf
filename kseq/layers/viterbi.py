"""The best taggings of a linear chain, in log space.

Everything is time-major and compact (`kseq.layers.steps`). The recursion runs from each row's last
step to its first, so that the taggings are read off from the first step on, where all rows start.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from kseq.layers.chain import FORBIDDEN, POSSIBLE, Chain
from kseq.layers.steps import Steps, follow, rows


def best_tags(chain: Chain, scores: Any, steps: Steps) -> Any:
    """The best tagging of each row, `(time, batch)`.

    Only scores are kept on the way back; the tag that a score came from is found again on the way
    forth, for one tag before it in place of all of them.
    """

    def back(state: Any, now: Any) -> tuple[Any, Any]:
        best = now + ops.max(ops.expand_dims(state, 1) + chain.transitions, axis=-1)
        return best - ops.max(best, axis=-1, keepdims=True), state

    backwards = rows(scores, steps.flip)
    _, best = ops.scan(back, chain.end + backwards[0], follow(backwards))
    best = rows(best, steps.flip)

    def forth(tag: Any, now: Any) -> tuple[Any, Any]:
        return _highest(ops.take(chain.transitions, tag, axis=0) + now), tag

    return ops.scan(forth, _highest(chain.start + best[0]), follow(best))[1]


def _highest(scores: Any) -> Any:
    """The first of the highest `(batch, tags)`: `(batch,)`; in a loop faster than `argmax`."""
    return ops.cast(ops.top_k(scores, 1)[1][:, 0], "int32")


def best_taggings(chain: Chain, scores: Any, steps: Steps, n: int) -> tuple[Any, Any]:
    """The n best taggings of each row, `(time, batch, n)`, and which of them exist, `(batch, n)`.

    For every tag and step the n best ways to go on are kept (Seshadri & Sundberg, 1994).
    """
    batch, tags = ops.shape(scores)[1], scores.shape[-1]

    def choose(candidates: Any) -> tuple[Any, Any]:
        best, index = ops.top_k(candidates, n)
        return best, ops.cast(index, "int32")

    def back(state: Any, now: Any) -> tuple[Any, Any]:
        before, _ = state  # (batch, to, n)
        moves = ops.expand_dims(before, 1) + ops.expand_dims(chain.transitions, -1)
        best, index = choose(ops.reshape(moves, (-1, tags, tags * n)))
        best = ops.maximum(best + ops.expand_dims(now, -1), FORBIDDEN)
        highest = ops.max(best, axis=(1, 2), keepdims=True)
        # Where nothing is possible nothing shall become so.
        return (best - ops.where(highest > POSSIBLE, highest, 0.0), index), state

    backwards = rows(scores, steps.flip)
    # A row's end is reached in one way alone.
    one = ops.concatenate([ops.zeros((1,)), ops.full((n - 1,), FORBIDDEN)])
    begin = ops.expand_dims(chain.end + backwards[0], -1) + one
    _, (best, index) = ops.scan(
        back, (begin, ops.zeros_like(begin, dtype="int32")), follow(backwards)
    )
    best, index = rows(best, steps.flip), rows(index, steps.flip)
    moves = ops.expand_dims(chain.start, -1) + best[0]
    total, first = choose(ops.reshape(moves, (-1, tags * n)))

    # Ways are numbered through all rows, so that one look-up serves the batch.
    offset = ops.expand_dims(ops.arange(batch) * (tags * n), -1)
    index = ops.reshape(index, (-1, batch, tags * n)) + offset

    def forth(way: Any, now: Any) -> tuple[Any, Any]:
        return ops.take(ops.reshape(now, (-1,)), way), way

    _, ways = ops.scan(forth, first + offset, index)
    exists = ops.where(ops.expand_dims(steps.occupied, -1), total > POSSIBLE, one == 0)
    return ops.where(exists, (ways - offset) // n, 0), exists
