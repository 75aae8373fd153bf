"""What the reuse of compiled models saves, and what one prediction takes.

    python benchmarks/refit.py

A grid search over 12 candidates of one architecture, once as it is and once with a new model for
every fit; and predictions of one sequence through the estimator and through `keras.Model.predict`
on the same model, in turns. Prints the figures and keeps them in `results/refit.json`.
"""

from __future__ import annotations

import gc
import json
import os
import time
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from scores import machine
from sklearn.model_selection import GridSearchCV

from kseq import SequenceClassifier
from kseq.estimators.models import POOL

RESULTS = Path(__file__).parent / "results" / "refit.json"
GRID = {
    "training__learning_rate": [1e-3, 3e-3, 1e-2, 3e-2],
    "training__batch_size": [16, 32, 64],
}


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 30, 3))
    return X, (X.sum(axis=(1, 2)) > 0).astype(int)


def classifier() -> SequenceClassifier:
    return SequenceClassifier(
        model={"cell": "lstm", "units": 16}, training={"epochs": 5}, random_state=0
    )


class Anew(SequenceClassifier):
    """Builds, compiles and traces for every fit."""

    def _build(self, recipe, spec):
        POOL.clear()
        super()._build(recipe, spec)
        self._models.shown = True  # so that no later fit takes it


def search(estimator: SequenceClassifier) -> tuple[float, np.ndarray]:
    X, y = data()
    started = time.perf_counter()
    found = GridSearchCV(estimator, GRID, cv=3, refit=False).fit(X, y)
    return time.perf_counter() - started, found.cv_results_["mean_test_score"]


def one_row(repeats: int = 200) -> tuple[float, float]:
    """Median milliseconds of a prediction: the estimator's, and Keras's."""
    X, y = data()
    clf = classifier().fit(X, y)
    model, row = clf.servable_, {"x": X[:1].astype(np.float32)}
    ours, theirs = [], []
    for repeat in range(repeats):
        started = time.perf_counter()
        clf.predict_proba(X[:1])
        ours.append(time.perf_counter() - started)
        if repeat % 4 == 0:
            started = time.perf_counter()
            model.predict(row, verbose=0)
            theirs.append(time.perf_counter() - started)
    return 1e3 * float(np.median(ours[8:])), 1e3 * float(np.median(theirs[2:]))


def main() -> None:
    params = classifier().get_params(deep=False)
    search(classifier())  # what TensorFlow does once a process
    reused, built = [], []
    for _ in range(3):
        for times, estimator in ((reused, classifier()), (built, Anew(**params))):
            gc.collect()
            POOL.clear()
            seconds, scores = search(estimator)
            times.append(seconds)
            np.testing.assert_array_equal(scores, search(classifier())[1])
    ours, theirs = one_row()
    figures = {
        "machine": machine(),
        "grid_reused_s": float(np.median(reused)),
        "grid_built_s": float(np.median(built)),
        "grid_share": float(np.median(reused) / np.median(built)),
        "one_row_ms": ours,
        "one_row_keras_ms": theirs,
        "one_row_ratio": theirs / ours,
    }
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name:18} {value if isinstance(value, str) else round(value, 3)}")


if __name__ == "__main__":
    main()
