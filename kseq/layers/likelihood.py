"""The negative log-likelihood of a linear chain, with its gradient in closed form.

No derivative is taken through a loop: the gradient of the loss is what the model expects to see
minus what was seen, so a sum that is linear in the scores and has these coefficients is added to
the value, and taken away again as a constant.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from kseq.layers.chain import (
    Chain,
    conditionals,
    expected_moves,
    fixed,
    forward_backward,
    log_marginals,
    pass_on,
)
from kseq.layers.steps import Steps, compact, follow, keep, linked, rows, spread


def negative_log_likelihood(
    chain: Chain, emissions: Any, tags: Any, steps: Steps, step_weight: Any = None
) -> Any:
    """The loss of each row, `(batch,)`.

    With weights w it is the sum of -w_t log p(y_t | y_<t, x). Its gradient is that of a flow: mass
    w_1 starts as p(y_1), and before it moves from step t to t + 1 as the tags do, w_(t+1) - w_t is
    added at y_t, so that after every step w_t stands where y_t was expected. With w = 1 nothing is
    added, and the flow is the marginals.

    Args:
        chain: The chain.
        emissions: `(batch, time, tags)`.
        tags: `(batch, time)` of integers, anything at masked steps.
        steps: The valid steps.
        step_weight: `(batch, time)`, or None for 1.
    """
    still = fixed(chain)
    scores = ops.stop_gradient(compact(emissions, steps))
    tags = compact(tags, steps)
    seen = keep(ops.one_hot(tags, scores.shape[-1]), steps.valid)  # (time, batch, tags)
    messages = forward_backward(still, scores, steps)
    given = conditionals(still, messages, tags)
    terms = -ops.sum(given * seen, axis=-1)  # (time, batch)
    onwards = linked(steps, scores)
    seen_next = keep(follow(seen), onwards)
    if step_weight is None:
        value = ops.sum(terms, axis=0)
        mass = leaving = ops.exp(log_marginals(messages, scores))
    else:
        weight = ops.expand_dims(ops.stop_gradient(compact(step_weight, steps)), -1)
        value = ops.sum(weight[..., 0] * terms, axis=0)
        added = keep(follow(weight) - weight, onwards) * seen
        mass = pass_on(still, messages, weight[0] * ops.exp(given[0]), added, onwards)
        leaving = mass + added
        seen, seen_next = weight * seen, follow(weight) * seen_next
    moves = expected_moves(still, messages, leaving, onwards)
    was = ops.one_hot(tags, scores.shape[-1])
    moves = moves - ops.matmul(ops.transpose(was, (1, 2, 0)), ops.transpose(seen_next, (1, 0, 2)))
    excess = keep(mass, steps.valid) - seen

    linear = (
        ops.sum(spread(excess, steps) * keep(emissions, steps.mask), axis=(1, 2))
        + ops.sum(moves * chain.transitions, axis=(1, 2))
        + ops.sum(excess[0] * chain.start, axis=-1)
        + ops.sum(rows(excess, steps.flip[0]) * chain.end, axis=-1)
    )
    if step_weight is not None:
        linear = linear + ops.sum(spread(terms, steps) * keep(step_weight, steps.mask), axis=1)
    return ops.stop_gradient(value) + (linear - ops.stop_gradient(linear))
