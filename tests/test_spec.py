"""What the data decides about a model."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from kseq.schema import fill
from kseq.spec import Spec


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ({"outputs": 3}, (3,)),
        ({"outputs": 3, "per_step": True}, (None, 3)),
        ({"outputs": 2, "horizon": 5, "time": 9}, (5, 2)),
    ],
)
def test_the_output_shape_follows(given, shape):
    assert Spec(features=4, **given).output_shape == shape


def test_lengths_are_an_input_only_where_they_differ():
    assert Spec(features=1, outputs=1).ragged
    assert not Spec(features=1, outputs=1, time=7).ragged


def test_it_is_frozen_and_round_trips_as_plain_values():
    spec = Spec(features=2, outputs=1, time=8, horizon=3, future=1)
    with pytest.raises(FrozenInstanceError):
        spec.features = 3  # type: ignore[misc]
    values, mistakes = fill("spec", Spec, spec.to_dict())
    assert mistakes == []
    assert Spec(**values) == spec
