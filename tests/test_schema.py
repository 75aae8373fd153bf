"""A signature is the schema of what is called with it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from kseq.schema import Count, Fraction, NonNegative, Positive, Section, fill, parameters


def component(
    spec: object,
    *,
    units: Count | list[Count] = 64,
    cell: Literal["gru", "lstm"] = "gru",
    dropout: Fraction = 0.0,
    decay: NonNegative = 0.0,
    rate: Positive | None = 1e-3,
    both: bool = False,
    columns: list[str] | None = None,
    target: str | int | list[str | int] | None = None,
    depth: Annotated[int, Field(ge=1, le=4)] = 1,
    free=None,
) -> None:
    """Something that a recipe could name."""


def required(*, path: str, split: list[float] | None = None) -> None:
    """Something with a parameter that has no default."""


def mistakes(**values):
    return fill("model", component, values)[1]


def test_only_keyword_only_parameters_count():
    assert "spec" not in parameters(component)
    assert list(parameters(component))[:2] == ["units", "cell"]


def test_defaults_are_added_in_the_order_of_the_signature():
    filled, wrong = fill("model", component, {"cell": "lstm", "units": [8, 4]})
    assert wrong == []
    assert list(filled) == list(parameters(component))
    assert filled["units"] == [8, 4]
    assert filled["rate"] == 1e-3


def test_filling_what_is_filled_changes_nothing():
    filled, _ = fill("model", component, {"units": 3})
    assert fill("model", component, filled) == (filled, [])


def test_unknown_names_suggest_the_nearest():
    (mistake,) = mistakes(unit=3)
    assert mistake.startswith("model.unit: unknown (did you mean 'units'?); known here: units, ")


def test_skipped_parameters_are_unknown():
    filled, wrong = fill("model", component, {"units": 3}, skip=["units"])
    assert "units" not in filled
    assert wrong[0].startswith("model.units: unknown")


def test_a_parameter_without_default_is_missing():
    assert fill("data", required, {})[1] == ["data.path: missing; it has no default"]


def test_all_mistakes_come_in_one_go():
    found = mistakes(units="3", cell="grv", dropout=1.0, nothing=1)
    assert [mistake.split(":")[0] for mistake in found] == [
        "model.nothing",
        "model.units",
        "model.cell",
        "model.dropout",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"units": True}, "model.units: expected integer or list, got True"),
        ({"units": "3"}, "model.units: expected integer or list, got '3'"),
        ({"units": 3.0}, "model.units: expected integer or list, got 3.0"),
        ({"units": None}, "model.units: expected integer or list, got None"),
        ({"units": 0}, "model.units: expected greater than 0 or list, got 0"),
        ({"units": [8, "x"]}, "model.units.1: expected integer, got 'x'"),
        ({"units": [9000]}, "model.units.0: expected less than or equal to 8192, got 9000"),
        ({"cell": "grv"}, "model.cell: expected 'gru' or 'lstm', got 'grv'"),
        ({"cell": ["gru"]}, "model.cell: expected 'gru' or 'lstm', got ['gru']"),
        ({"dropout": 1}, "model.dropout: expected less than 1, got 1"),
        ({"dropout": "0.5"}, "model.dropout: expected number, got '0.5'"),
        ({"dropout": False}, "model.dropout: expected number, got False"),
        ({"decay": -1.0}, "model.decay: expected greater than or equal to 0, got -1.0"),
        ({"rate": 0}, "model.rate: expected greater than 0, got 0"),
        ({"rate": float("nan")}, "model.rate: expected a finite number, got nan"),
        ({"rate": float("inf")}, "model.rate: expected a finite number, got inf"),
        ({"both": 1}, "model.both: expected boolean, got 1"),
        ({"both": "yes"}, "model.both: expected boolean, got 'yes'"),
        ({"columns": "x"}, "model.columns: expected list, got 'x'"),
        ({"columns": ["x", 1]}, "model.columns.1: expected string, got 1"),
        ({"target": [1.5]}, "model.target.0: expected string or integer, got 1.5"),
        ({"depth": 5}, "model.depth: expected less than or equal to 4, got 5"),
    ],
)
def test_a_wrong_value_is_shown_with_what_was_expected(values, message):
    assert mistakes(**values) == [message]


def test_every_wrong_entry_of_a_list_is_named():
    assert [m.split(":")[0] for m in mistakes(units=[0, 3, "x"])] == [
        "model.units.0",
        "model.units.2",
    ]


def test_long_values_are_cut_in_messages():
    (mistake,) = mistakes(cell="x" * 5000)
    assert len(mistake) < 150


@pytest.mark.parametrize(
    "values",
    [
        {"units": 8192},
        {"units": []},
        {"rate": 1},
        {"rate": None},
        {"dropout": 0},
        {"columns": []},
        {"target": ["a", 2]},
        {"free": object()},
    ],
)
def test_right_values_pass(values):
    assert mistakes(**values) == []


# --- parameters that are mappings with parameters of their own ---


def inner(spec: object, *, width: Count = 8, kind: Literal["a", "b"] = "a") -> None:
    """What a section holds."""


def outer(
    *,
    units: Count = 4,
    part: Annotated[Mapping[str, Any] | None, Section(inner)] = None,
    always: Annotated[Mapping[str, Any], Section(inner)] = MappingProxyType({}),
) -> None:
    """Something with sections."""


class Outer:
    """The same as a class."""

    def __init__(self, *, part: Annotated[Mapping[str, Any] | None, Section(inner)] = None):
        self.part = part


def test_a_section_is_filled_with_its_own_defaults():
    filled, wrong = fill("model", outer, {"part": {"kind": "b"}})
    assert wrong == []
    assert filled == {"units": 4, "part": {"width": 8, "kind": "b"}, "always": {}}
    assert fill("model", outer, {"part": {}})[0]["part"] == {"width": 8, "kind": "a"}
    assert fill("model", outer, filled)[1] == []
    assert fill("model", Outer, {"part": {}})[0] == {"part": {"width": 8, "kind": "a"}}


def test_a_section_that_is_left_out_stays_as_it_is():
    assert fill("model", outer, {"part": None}) == fill("model", outer, {})
    assert fill("model", outer, {})[0]["part"] is None


def test_the_given_section_is_not_changed():
    given = {"part": {"width": 3}}
    fill("model", outer, given)
    assert given == {"part": {"width": 3}}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"witdh": 3},
            "model.part.witdh: unknown (did you mean 'width'?); known here: width, kind",
        ),
        ({"width": 0}, "model.part.width: expected greater than 0, got 0"),
        ({"width": True}, "model.part.width: expected integer, got True"),
        ({"kind": "c"}, "model.part.kind: expected 'a' or 'b', got 'c'"),
        ({"spec": 1}, "model.part.spec: unknown; known here: width, kind"),
        (3, "model.part: expected a mapping of width, kind, got 3"),
        ("width", "model.part: expected a mapping of width, kind, got 'width'"),
        ([{"width": 3}], "model.part: expected a mapping of width, kind, got [{'width': 3}]"),
    ],
)
def test_a_mistake_in_a_section_has_its_path(part, message):
    assert fill("model", outer, {"part": part})[1] == [message]


def test_mistakes_inside_and_outside_come_together():
    given = {"unit": 1, "units": 0, "part": {"width": 0, "kind": 3}, "always": {"x": 1}}
    assert [mistake.split(":")[0] for mistake in fill("model", outer, given)[1]] == [
        *("model.unit", "model.units", "model.part.width", "model.part.kind", "model.always.x")
    ]
