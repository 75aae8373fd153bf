"""The errors that a user can cause: their messages and exit codes."""

from __future__ import annotations

import pytest

from kseq import errors


def test_one_mistake_stands_on_one_line():
    assert str(errors.RecipeError("model.units: wrong", "r.yaml")) == "r.yaml: model.units: wrong"
    assert str(errors.RecipeError("model.units: wrong")) == "model.units: wrong"


def test_many_mistakes_stand_on_a_line_each():
    error = errors.RecipeError(["a: wrong", "b: wrong"], "r.yaml")
    assert str(error) == "r.yaml: 2 mistakes\n  a: wrong\n  b: wrong"
    assert error.mistakes == ["a: wrong", "b: wrong"]
    assert error.source == "r.yaml"


@pytest.mark.parametrize(
    ("kind", "builtin", "code"),
    [
        (errors.RecipeError, ValueError, 3),
        (errors.DataError, ValueError, 4),
        (errors.ArtefactError, ValueError, 4),
        (errors.TrainingError, RuntimeError, 5),
    ],
)
def test_every_error_has_its_code_and_is_what_python_would_raise(kind, builtin, code):
    error = kind("wrong")
    assert isinstance(error, errors.KseqError)
    assert isinstance(error, builtin)
    assert error.exit_code == code


def test_a_missing_extra_says_how_to_get_it():
    error = errors.MissingExtraError("a picture", "plot")
    assert str(error) == "a picture needs an optional library: pip install 'kseq[plot]'"
    assert isinstance(error, ImportError)
    assert error.exit_code == 2


def test_values_are_shown_on_one_short_line():
    assert errors.shown("a\nb") == r"'a\nb'"
    assert len(errors.shown("x" * 5000)) == 80
    assert errors.shown([1, 2]) == "[1, 2]"
