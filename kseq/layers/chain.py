"""Sums over all taggings of a linear chain: forward-backward, in float32 and in log space.

Everything here is time-major and compact (`kseq.layers.steps`): `(time, batch, tags)`, each row's
valid steps in front. What the recursions say of the steps behind a row's end means nothing. Time
and memory grow linearly with the number of steps.

A recursion adds up over the tag before by a matrix product of probabilities, which costs next to
nothing but loses terms below the smallest float32. That matters only where all the terms of a sum
are that small; where it could be so, which is checked, the sums are done again term by term.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from kseq.layers.steps import Steps, follow, keep, rows

# What a forbidden move scores. Sums of a few of them stay finite, and absorb every other score.
FORBIDDEN = -1e30
# Below it a score holds a forbidden move.
POSSIBLE = -1e29
# A sum of probabilities above exp(FAINT) cannot have lost anything that float32 would show.
FAINT = -60.0


class Chain(NamedTuple):
    """The scores of a chain that do not depend on the step."""

    start: Any  # (tags,)
    transitions: Any  # (tags, tags), from and to
    end: Any  # (tags,)


def fixed(chain: Chain) -> Chain:
    """The same scores as constants, through which no derivative is taken."""
    return Chain(*(ops.stop_gradient(scores) for scores in chain))


class Messages(NamedTuple):
    """What forward-backward finds: logarithms, of which the highest of every step is 0.

    `before` holds everything up to and with the step itself, `after` everything from it on.
    """

    before: Any  # (time, batch, tags)
    after: Any  # (time, batch, tags)
    faint: Any  # whether matrix products of probabilities would lose something


def scan(step: Callable[[Any, Any], Any], begin: Any, later: Any) -> Any:
    """All the states `(time, ...)` from the first one on; `later` is what follows each of them.

    It is one tensor: Keras' scan on TensorFlow takes several only of a known number of steps. One
    step too many is made, and its outcome dropped, so that there is always one.
    """
    return ops.scan(lambda state, x: (step(state, x), state), begin, later)[1]


def add_up(first: Any, transitions: Any, scores: Any, valid: Any) -> tuple[Any, Any, Any]:
    """The recursion over time, for several chains at once.

    Args:
        first: The scores of what is before the first step, `(chains, tags)`.
        transitions: `(chains, tags, tags)`, from and to.
        scores: `(time, chains, batch, tags)`.
        valid: `(time, batch)`, or None.

    Returns:
        The sum over all taggings up to a step by the tag they end in, of which the highest is 0:
        logarithms `(time, chains, batch, tags)`. By how much the highest grew at a step, the
        highest transition counting as 0: `(time, chains, batch, 1)`. And whether matrix products
        would lose something here.
    """
    transitions, lowest = _lowered(transitions)
    weights, turned = ops.exp(transitions), ops.transpose(transitions, (0, 2, 1))

    def quick(state: Any, now: Any) -> Any:
        share = ops.exp(state - ops.max(state, axis=-1, keepdims=True))  # (chains, batch, tags)
        # Products of matrices one by one, for TensorFlow hands a batch of them to its threads.
        total = ops.stack([ops.matmul(share[n], weights[n]) for n in range(first.shape[0])])
        return now + ops.maximum(ops.log(total), FORBIDDEN)

    def exact(state: Any, now: Any) -> Any:
        moves = state - ops.max(state, axis=-1, keepdims=True)
        moves = ops.expand_dims(moves, 2) + ops.expand_dims(turned, 1)
        return now + ops.logsumexp(moves, axis=-1)  # over (chains, batch, to, from)

    def shares(sums: Any) -> tuple[Any, Any]:
        growth = ops.max(sums, axis=-1, keepdims=True)
        return sums - growth, growth

    begin, later = ops.expand_dims(first, 1) + scores[0], follow(scores)
    sums = scan(quick, begin, later)
    states, growth = shares(sums)
    # Can a sum have lost what counts? It is small, and there was something small to add up.
    small = ops.any(sums - scores < FAINT, axis=-1)[1:]
    tiny = ops.any((states < FAINT - lowest) & (states > POSSIBLE), axis=-1)[:-1]
    lost = small & tiny  # (time - 1, chains, batch)
    if valid is not None:
        lost = lost & ops.expand_dims(valid[1:], 1)
    faint = ops.any(lost)
    states, growth = ops.cond(
        faint, lambda: shares(scan(exact, begin, later)), lambda: (states, growth)
    )
    return states, growth, faint


def _lowered(transitions: Any) -> tuple[Any, Any]:
    """Transitions of which the highest is 0, and the lowest of those that are not forbidden."""
    highest = ops.maximum(ops.max(transitions), POSSIBLE)
    lowered = transitions - highest
    return lowered, ops.min(ops.where(transitions > POSSIBLE, lowered, 0.0))


def forward_backward(chain: Chain, scores: Any, steps: Steps) -> Messages:
    """Runs both directions in one loop over `(time, batch, tags)`."""
    states, _, faint = add_up(
        ops.stack([chain.start, chain.end]),
        ops.stack([chain.transitions, ops.transpose(chain.transitions)]),
        ops.stack([scores, rows(scores, steps.flip)], axis=1),
        steps.valid,
    )
    return Messages(states[:, 0], rows(states[:, 1], steps.flip), faint)


def log_marginals(messages: Messages, scores: Any) -> Any:
    """The log-probability of every tag at every step, `(time, batch, tags)`."""
    return ops.log_softmax(messages.before + messages.after - scores)


def conditionals(chain: Chain, messages: Messages, tags: Any) -> Any:
    """The log-probability of every tag given the tag before it in `tags`, `(time, batch, tags)`.

    By the chain rule their sum along a tagging is its log-probability, without the difference of
    two large numbers that score minus log-partition would be.
    """
    start = ops.broadcast_to(chain.start, ops.shape(messages.after[:1]))
    moves = ops.concatenate([start, ops.take(chain.transitions, tags[:-1], axis=0)])
    return ops.log_softmax(moves + messages.after)


def pass_on(chain: Chain, messages: Messages, first: Any, extra: Any, linked: Any) -> Any:
    """Where mass goes that moves from step to step as the tags do.

    Args:
        chain: The chain.
        messages: What `forward_backward` says of it.
        first: The mass at the first step, `(batch, tags)`, of either sign.
        extra: What is added at each step before it is left, `(time, batch, tags)`.
        linked: Whether a valid step follows, `(time, batch)`.

    Returns:
        The mass at every step, `(time, batch, tags)`, without what is added there.
    """
    transitions, _ = _lowered(chain.transitions)
    ahead = follow(messages.after)

    def quick() -> Any:
        weights, shares = ops.exp(transitions), ops.exp(ahead)
        scale = _scale(weights, shares, linked)

        def step(mass: Any, x: Any) -> Any:
            return ops.matmul((mass + x[0]) * x[1], weights) * x[2]

        return scan(step, first, ops.stack([extra, scale, shares], axis=1))

    def exact() -> Any:
        def step(mass: Any, x: Any) -> Any:
            moves = _shares(transitions + ops.expand_dims(x[1], 1))
            return ops.squeeze(ops.matmul(ops.expand_dims(mass + x[0], 1), moves), 1)

        return scan(step, first, ops.stack([extra, ahead], axis=1))

    return ops.cond(messages.faint, exact, quick)


def expected_moves(chain: Chain, messages: Messages, mass: Any, linked: Any) -> Any:
    """How much of the mass `(time, batch, tags)` goes from tag to tag, `(batch, tags, tags)`."""
    transitions, _ = _lowered(chain.transitions)
    ahead = follow(messages.after)

    def quick() -> Any:
        weights, shares = ops.exp(transitions), ops.exp(ahead)
        leaving = ops.transpose(mass * _scale(weights, shares, linked), (1, 2, 0))
        return ops.matmul(leaving, ops.transpose(shares, (1, 0, 2))) * weights

    def exact() -> Any:
        leaving = ops.expand_dims(keep(mass, linked), -1)

        def step(t: Any, total: Any) -> Any:
            moves = _shares(transitions + ops.expand_dims(ahead[t], 1))
            return total + leaving[t] * moves

        time, batch, tags = ops.shape(mass)
        return ops.fori_loop(0, time, step, ops.zeros((batch, tags, tags)))

    return ops.cond(messages.faint, exact, quick)


def _scale(weights: Any, shares: Any, linked: Any) -> Any:
    """One over what all moves from a tag add up to; 0 where there are none."""
    total = ops.matmul(shares, ops.transpose(weights))
    # Only what cannot be reached is below the bound, and no mass is there.
    return keep(1.0 / ops.maximum(total, 1e-30), linked)


def _shares(moves: Any) -> Any:
    """Probabilities of moves `(batch, from, to)`; Keras' softmax warns of a single tag."""
    return ops.exp(ops.log_softmax(moves))
