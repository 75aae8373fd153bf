"""What the data decides about a model."""

from __future__ import annotations

import json
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


def test_text_is_ragged_and_has_no_features():
    spec = Spec(features=0, outputs=2, streams={"words": 9})
    assert spec.ragged
    assert Spec(features=1, outputs=1).streams == {}
    assert Spec(features=1, outputs=1).streams is not Spec(features=1, outputs=1).streams


@pytest.mark.parametrize(
    "given",
    [
        {"streams": {"words": 9, "prefixes": 3}, "affixes": 2, "vectors": 25},
        {"streams": {"characters": 9}, "per_step": True, "tags": ["B-x", "O"], "classes": 3},
    ],
    ids=["vectors", "tags"],
)
def test_a_spec_of_text_round_trips_as_plain_values(given):
    spec = Spec(features=0, outputs=2, **given)
    values, mistakes = fill("spec", Spec, json.loads(json.dumps(spec.to_dict())))
    assert mistakes == []
    assert Spec(**values) == spec
    assert list(Spec(**values).streams) == list(spec.streams), "in their order"


def test_it_is_frozen_and_round_trips_as_plain_values():
    spec = Spec(features=2, outputs=1, time=8, horizon=3, future=1)
    with pytest.raises(FrozenInstanceError):
        spec.features = 3  # type: ignore[misc]
    values, mistakes = fill("spec", Spec, spec.to_dict())
    assert mistakes == []
    assert Spec(**values) == spec
