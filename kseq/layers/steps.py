"""Bringing the valid steps of all rows to the front, and back: what a loop then need not know."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops


class Steps(NamedTuple):
    """Where each row's valid steps are; every index is into the two leading axes as one."""

    mask: Any  # (batch, time) of booleans, None if all are valid
    valid: Any  # (time, batch): the same with the valid steps in front, None if all are
    occupied: Any  # (batch,): whether a row has any valid step
    gather: Any  # (time, batch), into (batch, time): each row's valid steps in front
    flip: Any  # (time, batch), into (time, batch): each row's valid steps from its end
    scatter: Any  # (batch, time), into (time, batch): back to where they came from


def rows(x: Any, index: Any) -> Any:
    """Picks from the two leading axes, taken as one."""
    return ops.take(ops.reshape(x, (-1, *x.shape[2:])), index, axis=0)


def find_steps(emissions: Any, mask: Any) -> Steps:
    """Finds the valid steps of `(batch, time, ...)`.

    Loops want at least one step, and sums at least one row. Where there is none, by the static
    shape, there is an invalid one when compact, and none again when spread.
    """
    if 0 in emissions.shape[:2]:
        batch, time = emissions.shape[:2]
        one = _not_empty(emissions)
        steps = find_steps(one, ops.zeros_like(one[..., 0], dtype="bool"))
        return steps._replace(mask=steps.mask[:batch, :time], scatter=steps.scatter[:batch, :time])
    batch, time = ops.shape(emissions)[:2]
    row, step = ops.arange(batch), ops.arange(time)
    column = ops.expand_dims(step, 1)
    if mask is None:
        return Steps(
            mask=None,
            valid=None,
            occupied=ops.ones_like(row, dtype="bool"),
            gather=row * time + column,
            flip=(time - 1 - column) * batch + row,
            scatter=ops.expand_dims(row, 1) + step * batch,
        )
    count = ops.sum(ops.cast(mask, "int32"), axis=1)
    order = ops.argsort(ops.where(mask, step, step + time), axis=1)
    rank = ops.maximum(ops.cumsum(ops.cast(mask, "int32"), axis=1) - 1, 0)
    return Steps(
        mask=mask,
        valid=column < count,
        occupied=count > 0,
        gather=row * time + ops.transpose(order),
        flip=ops.maximum(count - 1 - column, 0) * batch + row,
        scatter=ops.expand_dims(row, 1) + rank * batch,
    )


def keep(x: Any, mask: Any) -> Any:
    """Zeros where the mask, which has the leading axes of x, says so."""
    if mask is None:
        return x
    while len(mask.shape) < len(x.shape):
        mask = ops.expand_dims(mask, -1)
    return ops.where(mask, x, ops.zeros_like(x))


def compact(x: Any, steps: Steps) -> Any:
    """From `(batch, time, ...)` to `(time, batch, ...)`, valid steps in front, zeros behind."""
    return keep(rows(_not_empty(x), steps.gather), steps.valid)


def _not_empty(x: Any) -> Any:
    """The same, or zeros for at least one row and one step."""
    if 0 not in x.shape[:2]:
        return x
    batch, time = (max(1, size) for size in x.shape[:2])
    return ops.zeros((batch, time, *x.shape[2:]), dtype=x.dtype)


def spread(x: Any, steps: Steps) -> Any:
    """The way back, with zeros at masked steps."""
    return keep(rows(x, steps.scatter), steps.mask)


def by_row(x: Any, steps: Steps) -> Any:
    """What `(batch, ...)` has for real rows."""
    return x[:0] if steps.scatter.shape[0] == 0 else x


def follow(x: Any) -> Any:
    """What is at the next step; the last one is followed by the first."""
    return ops.roll(x, -1, axis=0)


def linked(steps: Steps, x: Any) -> Any:
    """Whether a valid step follows, `(time, batch)`, of a compact x."""
    time, batch = ops.shape(x)[:2]
    inner = ops.expand_dims(ops.arange(time) < time - 1, 1)
    if steps.valid is None:
        return ops.broadcast_to(inner, (time, batch))
    return follow(steps.valid) & inner
