"""`kseq.tune`: what it finds, keeps and says."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import kseq
from kseq.errors import ArtefactError, DataError, RecipeError, TrainingError
from kseq.search.experiment import Experiment, Job
from kseq.search.ledger import Outcome
from kseq.search.pruning import bars, best_so_far
from kseq.search.tuning import prepare
from tests.search.conftest import SPACE, waves

TINY = {"epochs": 2, "batch_size": 16}
UNITS = {"model.units": {"choice": [3, 4, 5]}}


def classifier(**training):
    return kseq.SequenceClassifier(
        model={"cell": "gru", "units": 4}, training={**TINY, **training}, random_state=0
    )


def search(space=None, **settings):
    return {"space": space or UNITS, "strategy": "random", "trials": 3, **settings}


@pytest.fixture(scope="module")
def data():
    return waves()


def test_the_best_trial_becomes_the_recipe_and_the_estimator(data, tmp_path):
    X, y = data
    space = {"training.learning_rate": {"choice": [1e-6, 0.05]}}
    found = kseq.tune(
        classifier(), X[:60], y[:60], search=search(space), folder=tmp_path / "s", refit=True
    )
    assert [outcome.number for outcome in found.outcomes] == [0, 1, 2]
    assert found.recipe.training["learning_rate"] == 0.05
    assert found.recipe.search == {}
    assert found.best.score == max(outcome.score for outcome in found.outcomes)
    assert found.metric == "accuracy"
    assert found.estimator.score(X[60:], y[60:]) > 0.6
    written = kseq.Recipe.load(tmp_path / "s" / "best.yaml")
    assert written == found.recipe
    table = found.table()
    assert list(table["trial"]) == [0, 1, 2]
    assert table["training.learning_rate"][0] == 0.001
    assert set(table["training.learning_rate"]) == {0.001, 1e-6, 0.05}
    rows = (tmp_path / "s" / "results.csv").read_text().splitlines()
    assert rows[0] == (
        "trial,status,accuracy,spread,seconds,epochs,parameters_at_most,training.learning_rate,reason"
    )
    assert len(rows) == 4
    assert {path.name for path in (tmp_path / "s").glob("*.png")} == {
        "score.png",
        "effects.png",
        "parallel.png",
    }


@pytest.mark.slow
def test_the_same_call_again_runs_nothing(data, tmp_path, monkeypatch):
    X, y = data
    first = kseq.tune(classifier(), X, y, search=search(), folder=tmp_path, refit=False)
    monkeypatch.setattr(Experiment, "run", lambda *_: pytest.fail("a trial was run again"))
    again = kseq.tune(classifier(), X, y, search=search(), folder=tmp_path, refit=False)
    assert again.outcomes == first.outcomes
    assert again.recipe == first.recipe


@pytest.mark.slow
def test_more_trials_go_on_from_those_there_are(data, tmp_path):
    X, y = data
    how = {"folder": tmp_path, "refit": False}
    space = {"model.units": {"int": [3, 9]}}
    few = kseq.tune(classifier(), X, y, search=search(space, trials=2), **how)
    more = kseq.tune(classifier(), X, y, search=search(space, trials=4), **how)
    assert more.outcomes[:2] == few.outcomes
    assert len(more.outcomes) == 4


def test_other_data_or_another_space_is_another_search(data, tmp_path):
    X, y = data
    kseq.tune(classifier(), X, y, search=search(trials=1), folder=tmp_path, refit=False)
    with pytest.raises(ArtefactError, match="holds another search: data was"):
        kseq.tune(classifier(), X + 1, y, search=search(trials=1), folder=tmp_path)
    space = {"model.units": {"choice": [3]}}
    with pytest.raises(ArtefactError, match=r"holds another search: search\.space\.model"):
        kseq.tune(classifier(), X, y, search=search(space, trials=1), folder=tmp_path)


@pytest.mark.slow
def test_an_interrupted_search_goes_on_where_it_was(data, tmp_path, monkeypatch):
    X, y = data
    run = Experiment.run

    def interrupted(self, job, worker=""):
        if job.number == 2:
            raise KeyboardInterrupt
        return run(self, job, worker)

    how = {"search": search(SPACE, trials=4, strategy="bayesian"), "refit": False}
    whole = kseq.tune(classifier(), X, y, folder=tmp_path / "whole", **how)
    monkeypatch.setattr(Experiment, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kseq.tune(classifier(), X, y, folder=tmp_path / "cut", **how)
    assert not (tmp_path / "cut" / "trial_0002" / "started.json").exists()  # it did not die
    monkeypatch.setattr(Experiment, "run", run)
    found = kseq.tune(classifier(), X, y, folder=tmp_path / "cut", **how)
    assert [o.changes for o in found.outcomes] == [o.changes for o in whole.outcomes]
    assert [o.score for o in found.outcomes] == [o.score for o in whole.outcomes]


@pytest.mark.slow
@pytest.mark.parametrize("cv", ["kfold", "grouped", "time_series"])
def test_folds_and_seeds_are_averaged(data, cv):
    X, y = data
    groups = np.arange(len(y)) // 8 if cv == "grouped" else None
    settings = search(trials=1, cv=cv, folds=3, seeds=2)
    found = kseq.tune(classifier(), X, y, search=settings, groups=groups, refit=False)
    (outcome,) = found.outcomes
    assert len(outcome.scores) == 6
    assert outcome.score == pytest.approx(np.mean(outcome.scores))
    assert outcome.spread == pytest.approx(np.std(outcome.scores))
    assert len(set(outcome.scores)) > 1


@pytest.mark.slow
def test_every_task_is_searched():
    rng = np.random.default_rng(0)
    steps = np.sin(np.arange(160) / 4)
    tokens = [["in", "Rome", "we", "met"], ["Bo", "left"], ["who", "?"]] * 8
    tags = [["O", "B-place", "O", "O"], ["B-name", "O"], ["O", "O"]] * 8
    clips = rng.integers(0, 255, (12, 6, 16, 16)).astype(np.uint8)
    window = {"task.window": {"choice": [8, 12]}}
    cases = [
        (kseq.SequenceRegressor, (rng.normal(size=(30, 5, 2)), rng.normal(size=30)), UNITS, "r2"),
        (kseq.Forecaster, (steps,), window, "mase"),
        (kseq.SequenceTagger, (tokens, tags), {"model.units": {"choice": [4, 6]}}, None),
        (kseq.VideoPredictor, (clips,), {"model.filters": {"choice": [2, 3]}}, "ssim"),
        (kseq.SequenceClassifier, (["a b", "c"] * 10, ["x", "y"] * 10), UNITS, "macro_f1"),
    ]
    how = {kseq.Forecaster: {"window": 8, "horizon": 2}, kseq.VideoPredictor: {
        "window": 3, "horizon": 2}}  # fmt: skip
    for kind, given, space, metric in cases:
        estimator = kind(training={"epochs": 1}, random_state=0, **how.get(kind, {}))
        settings = search(space, trials=2, **({"metric": metric} if metric else {}))
        found = kseq.tune(estimator, *given, search=settings)
        assert [outcome.status for outcome in found.outcomes] == ["done", "done"], kind
        assert found.metric == (metric or "f1")
        assert found.estimator.predict(given[0]) is not None


class TestFailures:
    def test_a_failed_trial_is_recorded_and_the_search_goes_on(self, data):
        X, y = data
        space = {"training.learning_rate": {"choice": [1e38, 0.01]}}
        settings = search(space, trials=3)
        found = kseq.tune(classifier(clip_norm=None), X, y, search=settings, refit=False)
        status = {o.changes.get("training.learning_rate"): o for o in found.outcomes}
        assert status[1e38].status == "failed"
        assert "the loss became" in status[1e38].reason or "no longer finite" in status[1e38].reason
        assert status[1e38].score is None
        assert found.recipe.training.get("learning_rate") != 1e38

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (MemoryError("no room"), "out of memory (MemoryError: no room)"),
            (ZeroDivisionError("oh"), "ZeroDivisionError: oh (test_tune.py:"),
        ],
    )
    def test_the_reason_is_kept(self, data, monkeypatch, error, reason):
        import kseq.search.experiment as module

        fit = module.fit

        def failing(estimator, parts, watch):
            if estimator.model["units"] == 5:
                raise error
            fit(estimator, parts, watch)

        monkeypatch.setattr(module, "fit", failing)
        space = {"model.units": {"choice": [4, 5]}}
        found = kseq.tune(classifier(), *data, search=search(space), refit=False)
        reasons = [outcome.reason for outcome in found.outcomes if outcome.status == "failed"]
        assert len(reasons) == 1
        assert reasons[0].startswith(reason)

    def test_three_at_the_beginning_end_it(self, data, tmp_path):
        X, y = data
        estimator = classifier(learning_rate=1e38, clip_norm=None)
        with pytest.raises(TrainingError, match="the first 3 trials all failed; trial 0"):
            kseq.tune(estimator, X, y, search=search(), folder=tmp_path)
        with pytest.raises(TrainingError, match="the first 3 trials all failed"):
            kseq.tune(estimator, X, y, search=search(), folder=tmp_path)

    def test_a_trial_that_kills_the_process_is_given_up(self, data, tmp_path):
        X, y = data
        settings = search(trials=2)
        kseq.tune(classifier(), X, y, search={**settings, "trials": 1}, folder=tmp_path)
        (tmp_path / "trial_0001").mkdir()
        (tmp_path / "trial_0001" / "started.json").write_text('{"times": 5}')
        found = kseq.tune(classifier(), X, y, search=settings, folder=tmp_path, refit=False)
        assert found.outcomes[1].status == "failed"
        assert "the process died 5 times" in found.outcomes[1].reason


class TestLimits:
    def test_a_model_too_large_is_never_built(self, data, monkeypatch):
        X, y = data
        space = {"model.units": {"choice": [4, 2000]}}
        import kseq.estimators.base as base

        build = base.build

        def small(model, spec):
            assert model["units"] < 2000
            return build(model, spec)

        monkeypatch.setattr(base, "build", small)
        settings = search(space, max_parameters=10_000)
        found = kseq.tune(classifier(), X, y, search=settings, refit=False)
        failed = [outcome for outcome in found.outcomes if outcome.status == "failed"]
        assert len(failed) == 1
        assert "search.max_parameters is 10,000" in failed[0].reason
        assert failed[0].limit == "size"
        assert failed[0].parameters > 10_000
        assert failed[0].epochs == 0

    @pytest.mark.slow
    def test_three_too_large_at_the_beginning_do_not_end_it(self, data):
        X, y = data
        space = {"model.units": {"choice": [500, 600, 700, 3]}}
        settings = search(space, trials=5, strategy="grid", max_parameters=10_000)
        estimator = kseq.SequenceClassifier(model={"units": 800}, training=TINY, random_state=0)
        found = kseq.tune(estimator, X, y, search=settings, refit=False)
        assert found.recipe.model["units"] == 3
        assert [outcome.limit for outcome in found.outcomes] == ["size"] * 4 + [""]

    @pytest.mark.slow
    def test_a_trial_that_takes_too_long_is_ended_and_larger_ones_are_not_built(self, data):
        X, y = data
        space = {"training.epochs": {"choice": [2, 100_000]}, "model.units": {"choice": [4, 8]}}
        settings = search(space, trials=5, trial_minutes=0.05, parallel=1, strategy="grid")
        estimator = classifier(early_stopping=False)
        found = kseq.tune(estimator, X, y, search=settings, refit=False)
        long = [o for o in found.outcomes if o.changes.get("training.epochs") == 100_000]
        assert [outcome.status for outcome in long] == ["failed", "failed"]
        assert "did not end within search.trial_minutes 0.05" in long[0].reason
        assert "a trial of" in long[1].reason
        assert long[1].epochs == 0

    @pytest.mark.slow
    def test_no_trial_begins_after_the_time_is_spent(self, data, tmp_path):
        X, y = data
        settings = search({"model.dropout": {"float": [0.0, 0.5]}}, minutes=0.02)
        del settings["trials"]
        found = kseq.tune(classifier(), X, y, search=settings, folder=tmp_path, refit=False)
        assert 1 <= len(found.outcomes) < 30
        again = kseq.tune(classifier(), X, y, search=settings, folder=tmp_path, refit=False)
        assert len(again.outcomes) == len(found.outcomes)


class TestPruning:
    @pytest.mark.slow
    def test_hopeless_trials_are_given_up_and_never_the_best(self, data):
        X, y = data
        rates = [0.01, 0.02, 0.03, 0.04, 0.05, 1e-7]
        space = {"training.learning_rate": {"choice": rates}}
        settings = search(space, trials=7, prune=True, parallel=1, strategy="grid")
        found = kseq.tune(classifier(epochs=12), X, y, search=settings, refit=False)
        last = found.outcomes[-1]
        assert last.changes == {"training.learning_rate": 1e-7}
        assert last.status == "pruned"
        assert last.epochs < 12
        assert found.best.status == "done"

    def test_bars_are_medians_of_thebest_so_far(self):
        curves = [[1.0, 2.0, 3.0], [0.0, 5.0], [2.0, 2.0, 2.0], [4.0, 4.0, 9.0]]
        outcomes = [
            Outcome(number=n, changes={}, status="done", curves=[curve])
            for n, curve in enumerate(curves)
        ]
        assert bars(outcomes) == [[1.5, 3.0, 4.0]]
        assert bars(outcomes[:3]) == []
        assert bars([]) == []

    def test_what_is_watched_only_rises(self):
        assert best_so_far({"val_loss": [3.0, 1.0, 2.0]}) == [-3.0, -1.0, -1.0]
        assert best_so_far({"val_loss": [1.0, 2.0], "val_score": [0.1, 0.3]}) == [0.1, 0.3]
        assert best_so_far({}) == []


class TestBadInput:
    def test_what_python_users_get_wrong(self, data):
        X, y = data
        tags = [["O", "B-a"]] * 4
        for call, kind, said in [
            (lambda: kseq.tune(kseq.SequenceTagger(), [["a", "b"]] * 4, tags,
                               search=search(metric="exact_match")), RecipeError, "have none"),
            (lambda: kseq.tune(classifier(), search=search()), DataError, "X: missing"),
            (lambda: kseq.tune(classifier(), X, y), RecipeError, "search: missing"),
            (lambda: kseq.tune(classifier(), X, y, search=search(), workers=-1), RecipeError,
             "workers: expected"),
            (lambda: kseq.tune(classifier(), X, y, search=search(), address="here"), RecipeError,
             "address: expected"),
            (lambda: kseq.tune(classifier(), X, None, search=search()), DataError, "y: is missing"),
            (lambda: kseq.tune(classifier(), X, [*y, "up"], search=search()), DataError,
             "y: has 81 targets for 80 sequences"),
            (lambda: kseq.tune(classifier(), X, y[:10], search=search()), DataError,
             "y: has 10 targets for 80 sequences"),
            (lambda: kseq.tune(classifier(), X, ["a"] * 80, search=search()), DataError,
             "has 1 class"),
            (lambda: kseq.tune(classifier(), X * np.nan, y, search=search()), DataError, "NaN"),
            (lambda: kseq.tune(classifier(), "abc", y, search=search()), DataError,
             "X: expected sequences, got str"),
            (lambda: kseq.tune(classifier(), X, y, search="random"), RecipeError,
             "search: expected a mapping, got 'random'"),
            (lambda: kseq.tune(kseq.SequenceClassifier, X, y, search=search()), DataError,
             "expected a kseq estimator"),
            (lambda: kseq.tune({"task": "regression"}, search=search()), RecipeError,
             "data: missing"),
        ]:  # fmt: skip
            with pytest.raises(kind, match=said):
                call()

    def test_nothing_is_trained_for_a_space_that_does_not_hold(self, data, tmp_path):
        with pytest.raises(RecipeError, match=r"search\.space\.model\.unit: unknown"):
            kseq.tune(
                classifier(), *data, search=search({"model.unit": {"choice": [1]}}),
                folder=tmp_path / "s",
            )  # fmt: skip
        assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_the_recipe_as_it_stands_is_not_run_again(data):
    X, y = data
    space = {"model.units": {"choice": [3, 4]}, "model.cell": {"choice": ["rnn", "gru"]}}
    settings = search(space, trials=None, strategy="grid")
    del settings["trials"]
    found = kseq.tune(classifier(), X, y, search=settings, refit=False)
    assert len(found.outcomes) == 5
    (twin,) = [outcome for outcome in found.outcomes if outcome.twin is not None]
    assert twin.twin == 0
    assert twin.score == found.outcomes[0].score
    assert twin.changes == {"model.units": 4, "model.cell": "gru"}
    table = found.table()
    assert table["model.units"][0] == 4  # the recipe's own values stand in its row
    assert table["model.cell"][0] == "gru"


def test_a_recipe_whose_data_was_not_used_does_not_name_it(data):
    X, y = data
    recipe = {
        "task": "classification",
        "model": {"units": 3},
        "training": TINY,
        "data": {"reader": "sample", "name": "digits"},
    }
    found = kseq.tune(recipe, X, y, search=search(trials=1), refit=False)
    assert found.recipe.data == {}


def test_twins_are_run_once(data, tmp_path, monkeypatch):
    X, y = data
    runs = []
    run = Experiment.run

    def counting(self, job, worker=""):
        runs.append(job.changes)
        return run(self, job, worker)

    monkeypatch.setattr(Experiment, "run", counting)
    settings = search({"model.units": {"choice": [3, 4]}}, trials=12, strategy="bayesian")
    found = kseq.tune(classifier(), X, y, search=settings, refit=False)
    assert len(runs) == len({json.dumps(changes) for changes in runs}) <= 3
    twins = [outcome for outcome in found.outcomes if outcome.twin is not None]
    for twin in twins:
        assert twin.score == found.outcomes[twin.twin].score
        assert twin.seconds == 0


def test_a_space_that_is_used_up_ends_a_search_by_time(data):
    X, y = data
    settings = search({"model.units": {"choice": [3, 4]}}, minutes=5, strategy="bayesian")
    del settings["trials"]
    found = kseq.tune(classifier(), X, y, search=settings, refit=False)
    assert len({json.dumps(outcome.changes) for outcome in found.outcomes}) == 3
    assert found.seconds < 60


@pytest.mark.slow
def test_a_torn_outcome_alone_is_run_again(data, tmp_path, monkeypatch):
    X, y = data
    settings = search({"model.units": {"int": [3, 20]}}, trials=7)
    how = {"search": settings, "folder": tmp_path, "refit": False}
    whole = kseq.tune(classifier(), X, y, **how)
    (tmp_path / "trial_0001" / "outcome.json").write_text("{")
    runs = []
    run = Experiment.run

    def counting(self, job, worker=""):
        runs.append(job.number)
        return run(self, job, worker)

    monkeypatch.setattr(Experiment, "run", counting)
    with pytest.warns(UserWarning, match="the trial is run again"):
        again = kseq.tune(classifier(), X, y, **how)
    assert runs == [1]
    assert [o.score for o in again.outcomes] == [o.score for o in whole.outcomes]


def test_an_estimator_without_a_seed_can_be_gone_on_with(data, tmp_path):
    X, y = data
    estimator = kseq.SequenceClassifier(model={"units": 3}, training=TINY)
    for _ in range(2):
        found = kseq.tune(estimator, X, y, search=search(trials=1), folder=tmp_path, refit=False)
    assert len(found.outcomes) == 1


def test_a_full_disk_under_keras_tuner_is_said(data, tmp_path, monkeypatch):
    import keras_tuner.src.utils as theirs

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(theirs, "save_json", full)
    with pytest.raises(ArtefactError, match=r"No space left on device\. What ended is kept"):
        kseq.tune(classifier(), *data, search=search(), folder=tmp_path)
    monkeypatch.undo()
    found = kseq.tune(classifier(), *data, search=search(), folder=tmp_path, refit=False)
    assert len(found.outcomes) == 3


@pytest.mark.parametrize("form", [list, tuple])
def test_targets_are_what_fit_takes(data, form):
    X, y = data
    found = kseq.tune(
        classifier(), form(map(list, X)), form(str(v) for v in y), search=search(trials=1)
    )
    assert found.estimator.predict(X[:2]).shape == (2,)


def test_groups_come_from_a_file_beside_x_too(data, tmp_path, monkeypatch):
    X, y = data
    monkeypatch.chdir(tmp_path)
    (tmp_path / "groups.txt").write_text("\n".join(str(i // 8) for i in range(len(y))))
    settings = search(trials=1, cv="grouped", folds=2, groups="groups.txt")
    found = kseq.tune(classifier(), X, y, search=settings, refit=False)
    assert len(found.outcomes[0].scores) == 2


def test_one_architecture_is_compiled_once(data):
    from kseq.estimators.models import POOL, Models

    X, y = data
    POOL.clear()
    made = []
    original = Models.__post_init__

    def counting(self):
        made.append(self)
        original(self)

    space = {"training.learning_rate": {"float": [0.001, 0.05]}}
    settings = search(space, trials=4, cv="kfold", folds=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Models, "__post_init__", counting)
        kseq.tune(classifier(), X, y, search=settings, refit=False)
    assert len(made) == 1


def test_the_job_survives_its_text():
    job = Job(3, {"model.units": [1, None]}, "abc", [[0.1, -0.2]], [(10, 3)])
    assert Job.from_json(job.to_json()) == job


def test_an_experiment_goes_to_another_process(data):
    import pickle

    X, y = data
    experiment = prepare(classifier(), X, y, search=search())
    again = pickle.loads(pickle.dumps(experiment))
    assert "splits" in vars(experiment)
    assert "splits" not in vars(again)  # which would send the data twice
    assert again.fingerprint == experiment.fingerprint
    assert again.metric == "accuracy"


@pytest.mark.slow
def test_it_works_without_tensorboard(folder, recipe):
    path = recipe(trials=2)
    script = (
        "import sys; sys.modules['tensorboard'] = None\n"
        "from kseq.cli import main\n"
        f"sys.exit(main(['tune', {path.name!r}, '--no-train', '--quiet']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "best of 2 trials" in done.stdout


def test_without_keras_tuner_the_extra_is_named(data, monkeypatch):
    import kseq.search.tuning as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(kseq.MissingExtraError, match=r"pip install 'kseq\[tune\]'"):
        kseq.tune(classifier(), *data, search=search())


@pytest.mark.slow
def test_scikit_learns_searches_take_the_estimators_too(data):
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV

    X, y = data
    grid = GridSearchCV(classifier(), {"model__units": [3, 4]}, cv=2).fit(X, y)
    assert set(grid.best_params_) == {"model__units"}
    halving = HalvingRandomSearchCV(
        classifier(), {"model__units": [3, 4, 5], "training__learning_rate": [0.01, 0.03]},
        n_candidates=4, resource="training__epochs", max_resources=4, min_resources=1, factor=2,
        cv=2, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert halving.best_params_["training__epochs"] == 4
