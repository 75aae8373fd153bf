"""Questions to a linear chain: how probable is it that the tags are such?

Everything is time-major and compact (`kseq.layers.steps`).
"""

from __future__ import annotations

from typing import Any

from keras import ops

from kseq.layers.chain import (
    FORBIDDEN,
    POSSIBLE,
    Chain,
    Messages,
    add_up,
    conditionals,
    log_marginals,
)
from kseq.layers.steps import Steps, follow, keep, linked, rows


def log_tagging_probability(chain: Chain, messages: Messages, tags: Any, steps: Steps) -> Any:
    """The log-probability of taggings `(time, batch, ways)`, each row's: `(batch, ways)`."""
    time, batch, ways = ops.shape(tags)
    after = ops.repeat(messages.after, ways, axis=1)  # (time, batch * ways, tags)
    flat = ops.reshape(tags, (time, -1))
    terms = pick(conditionals(chain, messages._replace(after=after), flat), flat)
    terms = keep(ops.reshape(terms, (time, batch, ways)), steps.valid)
    return or_never(ops.sum(terms, axis=0))


def span_probability(
    chain: Chain,
    messages: Messages,
    scores: Any,
    spans: tuple[Any, Any, Any],
    continues: Any,
    steps: Steps,
) -> Any:
    """The probability of each span in a tagging, at its last step; 0 elsewhere, `(time, batch)`.

    Args:
        chain: The chain.
        messages: What `forward_backward` says of it.
        scores: `(time, batch, tags)`.
        spans: The tags, and whether a step is the first and the last one of a span, each
            `(time, batch)`.
        continues: `(tags, tags)`, whether the second tag goes on with the span of the first.
        steps: The valid steps.
    """
    tags, starts, ends = spans
    given = conditionals(chain, messages, tags)
    enter = pick(log_marginals(messages, scores), tags)
    added = ops.where(starts, enter, pick(given, tags))  # (time, batch)

    def step(total: Any, x: Any) -> tuple[Any, Any]:
        total = x[0] * total + x[1]
        return total, total

    goes_on = ops.cast(~starts, "float32")
    # As one tensor: with several Keras wants to know the number of steps beforehand.
    _, total = ops.scan(step, ops.zeros_like(added[0]), ops.stack([goes_on, added], axis=1))
    # What follows the last step does not go on with the span, or nothing follows.
    breaks = ops.take(1.0 - continues, tags, axis=0)  # (time, batch, tags)
    stops = ops.sum(breaks * ops.exp(follow(given)), axis=-1)
    stops = ops.where(linked(steps, scores), stops, 1.0)
    return keep(ops.exp(total) * stops, ends)


def log_set_probability(chain: Chain, scores: Any, allowed: Any, steps: Steps) -> Any:
    """The log-probability that every tag is an allowed one, `(batch,)`.

    It is the logarithm of one sum over another. Both are run side by side and compared step by
    step, so that no difference of two large numbers is taken.
    """
    both = ops.stack([scores, ops.where(allowed, scores, FORBIDDEN)], axis=1)
    states, growth, _ = add_up(
        ops.stack([chain.start] * 2), ops.stack([chain.transitions] * 2), both, steps.valid
    )
    last = rows(ops.transpose(states, (0, 2, 1, 3)), steps.flip[0])  # (batch, chains, tags)
    ends = ops.logsumexp(last + chain.end, axis=-1)  # (batch, chains)
    growth = keep(growth[:, 1, :, 0] - growth[:, 0, :, 0], steps.valid)
    total = ops.sum(growth, axis=0) + ends[:, 1] - ends[:, 0]
    return keep(or_never(ops.minimum(total, 0.0)), steps.occupied)


def or_never(log_probability: Any) -> Any:
    """Minus infinity where a log-probability holds a forbidden move."""
    return ops.where(log_probability > POSSIBLE, log_probability, -float("inf"))


def pick(x: Any, tags: Any) -> Any:
    """The entries `(time, batch)` of `(time, batch, tags)` that belong to the tags."""
    return ops.sum(ops.where(ops.one_hot(tags, x.shape[-1], dtype="bool"), x, 0.0), axis=-1)
