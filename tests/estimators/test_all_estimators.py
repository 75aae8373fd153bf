"""What holds for every estimator."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from kseq.errors import RecipeError
from tests.estimators.conftest import KINDS, answers, make_fitted


def test_clone_keeps_every_parameter(case):
    copied = clone(case.estimator)
    assert copied is not case.estimator
    assert copied.get_params() == case.estimator.get_params()
    assert not hasattr(copied, "history_")


def test_parameters_are_stored_as_they_were_given(case):
    params = case.estimator.get_params(deep=False)
    again = type(case.estimator)(**params)
    for name, value in params.items():
        assert getattr(again, name) is value
    assert vars(again).keys() == params.keys()


def test_the_entries_of_sections_are_parameters_too(case):
    estimator, before = case.estimator, copy.deepcopy(case.estimator.model)
    given = estimator.model
    assert estimator.get_params()["model__units"] == 4
    assert "model__units" not in estimator.get_params(deep=False)
    assert estimator.set_params(model__units=8, training__epochs=1, random_state=5) is estimator
    assert estimator.model == {**before, "units": 8}
    assert estimator.training["epochs"] == 1
    assert estimator.random_state == 5
    assert given == before
    estimator.set_params(model={"units": 2}, model__cell="lstm")
    assert estimator.model == {"units": 2, "cell": "lstm"}
    estimator.set_params(model=None).set_params(model__units=3)
    assert estimator.model == {"units": 3}


def test_a_parameter_that_is_none_is_refused(case):
    with pytest.raises(ValueError, match="Invalid parameter 'unit'"):
        case.estimator.set_params(unit=3)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model__unit": 3}, r"model\.unit: unknown \(did you mean 'units'\?\)"),
        ({"model": "stacked_rnn"}, r"model: expected a mapping, got 'stacked_rnn'"),
        ({"model": 5}, r"model: expected a mapping, got 5"),
        ({"model__builder": "none"}, r"unknown builder 'none'"),
        ({"training__epochs": 0}, r"training\.epochs: expected greater than 0|training\.epochs"),
        ({"training__learning_rate": float("nan")}, r"training\.learning_rate: expected a finite"),
        ({"standardize": "yes"}, r"task\.standardize: expected"),
        ({"random_state": -1}, r"seed: expected an integer"),
        ({"random_state": "x"}, r"seed: expected an integer"),
    ],
)
def test_a_wrong_value_is_a_mistake_of_the_recipe_at_fit(case, params, message):
    if not params.keys() <= case.estimator.get_params().keys():
        pytest.skip("the estimator has no such parameter")
    case.estimator.set_params(**params)
    with pytest.raises(RecipeError, match=message):
        case.fit()


def test_numpy_values_are_as_good_as_plain_ones(case):
    named = {k: v for k, v in case.estimator.model.items() if k == "builder"}
    case.estimator.set_params(
        model={**named, "dropout": np.float64(0.1), "units": np.array([4, 4])},
        training__schedule=np.str_("constant"),
        training__learning_rate=np.float32(0.01),
        training__epochs=np.int64(1),
        random_state=np.int32(3),
    )
    assert case.estimator.build(*case.given).count_params() > 0
    assert case.estimator.recipe().fill().model["units"] == [4, 4]


def test_what_is_not_fitted_says_so(case):
    for method, given in (("predict", case.asked), ("evaluate", case.given), ("score", case.given)):
        with pytest.raises(NotFittedError):
            getattr(case.estimator, method)(*given)
    with pytest.raises(NotFittedError):
        case.estimator.save("nowhere")


def test_build_gives_the_untrained_model_and_changes_nothing(case):
    before = dict(vars(case.estimator))
    model = case.estimator.build(*case.given)
    assert isinstance(model, keras.Model)
    assert vars(case.estimator) == before


def test_repr_shows_what_was_given(case):
    shown = repr(case.estimator)
    assert shown.startswith(type(case.estimator).__name__)
    assert "random_state=3" in shown


def test_fit_sets_only_names_with_an_underscore(fitted):
    estimator, case = fitted
    params = set(case.estimator.get_params(deep=False))
    new = set(vars(estimator)) - params
    assert new
    assert all(name.endswith("_") or name.startswith("_") for name in new)
    assert estimator is case.estimator


def test_the_course_of_the_training_is_told(fitted):
    estimator, _ = fitted
    assert estimator.n_iter_ == len(estimator.history_["loss"]) == 2
    assert estimator.best_epoch_ == 1 + int(np.argmin(estimator.history_["val_loss"]))
    assert all(isinstance(v, float) for values in estimator.history_.values() for v in values)
    assert estimator.fit_seconds_ > 0


@pytest.mark.slow
def test_a_second_fit_starts_anew_and_the_same_seed_gives_the_same_model(fitted):
    estimator, case = fitted
    epochs = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    again = copy.deepcopy(estimator).fit(*case.given, callbacks=[watch])
    np.testing.assert_array_equal(answers(again, case.asked), answers(estimator, case.asked))
    assert epochs == [0, 1]


def test_a_generator_or_nothing_may_seed(case):
    estimator = case.estimator.set_params(random_state=np.random.RandomState(4))
    first = estimator.recipe().seed
    assert estimator.recipe().seed != first  # scikit-learn's rule: the generator moves on
    assert estimator.set_params(random_state=np.random.RandomState(4)).recipe().seed == first
    estimator.set_params(random_state=np.random.default_rng(4)).recipe()
    estimator.set_params(random_state=None)
    np.random.seed(0)
    drawn = estimator.recipe().seed
    np.random.seed(0)
    assert estimator.recipe().seed == drawn


@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy", "copy"])
def test_a_copy_predicts_the_same_to_the_last_bit(fitted, way, tmp_path):
    estimator, case = fitted
    if way == "joblib":
        joblib.dump(estimator, tmp_path / "e.joblib")
        copied = joblib.load(tmp_path / "e.joblib")
    elif way == "pickle":
        copied = pickle.loads(pickle.dumps(estimator))
    else:
        copied = getattr(copy, way)(estimator)
    np.testing.assert_array_equal(answers(copied, case.asked), answers(estimator, case.asked))
    assert copied.get_params() == estimator.get_params()
    assert copied.history_ == estimator.history_
    assert (copied.n_iter_, copied.best_epoch_) == (estimator.n_iter_, estimator.best_epoch_)
    assert vars(copied).keys() == vars(estimator).keys()


def test_parameters_changed_after_the_fit_do_not_change_the_copy_s_model(fitted):
    estimator, case = fitted
    changed = copy.deepcopy(estimator)
    changed.set_params(model__units=9, random_state=np.random.RandomState(0))
    if "standardize" in changed.get_params():
        changed.set_params(standardize=False)
    copied = pickle.loads(pickle.dumps(changed))
    np.testing.assert_array_equal(answers(copied, case.asked), answers(estimator, case.asked))
    assert copied.model["units"] == 9
    assert not hasattr(pickle.loads(pickle.dumps(clone(changed))), "history_")


@pytest.mark.slow
def test_a_pickle_predicts_the_same_in_another_process(tmp_path):
    expected = {}
    for kind in KINDS:
        estimator, case = make_fitted(kind)
        if kind == "video":  # the other process knows no builder of the tests
            shipped = {"model": {"filters": [4]}}
            estimator = clone(case.estimator).set_params(**shipped).fit(*case.given)
        expected[kind] = answers(estimator, case.asked)
        (tmp_path / kind).write_bytes(pickle.dumps((estimator, case.asked)))
    code = (
        "import pickle, sys, numpy as np\n"
        "for kind in sys.argv[2:]:\n"
        "    estimator, asked = pickle.load(open(f'{sys.argv[1]}/{kind}', 'rb'))\n"
        "    ask = getattr(estimator, 'predict_proba', estimator.predict)\n"
        "    found = ask(*asked)\n"
        "    found = found['a'] if kind == 'forecaster' else found\n"
        "    found = np.concatenate(found) if kind == 'tagger' else np.asarray(found)\n"
        "    np.save(f'{sys.argv[1]}/{kind}.npy', found)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path), *KINDS], check=True, timeout=300)
    for kind in KINDS:
        found = np.load(tmp_path / f"{kind}.npy")
        np.testing.assert_array_equal(found.ravel(), expected[kind].ravel())


def test_the_same_answer_whatever_the_form_of_the_numbers(fitted):
    estimator, case = fitted
    if estimator.task == "forecasting":
        columns = {name: values.astype(object) for name, values in case.asked[0].items()}
        other = (columns, np.asfortranarray(case.asked[1]))
    elif estimator.task == "tagging":
        other = ([np.array(tokens, str) for tokens in case.asked[0]],)
    elif isinstance(case.asked[0][0], str):
        other = (np.array(case.asked[0]),)
    else:
        other = ([np.asfortranarray(x).tolist() for x in case.asked[0]],)
    np.testing.assert_allclose(answers(estimator, other), answers(estimator, case.asked), atol=1e-6)
