"""The simple methods that the scores are compared with, on the same test parts.

    python benchmarks/peers.py

Support vector machine and logistic regression on the digits' pixels; logistic regression on the
UEA/UCR sequences, resampled to 20 steps and standardised; and for ETTh1 the closed-form NLinear:
ridge regression on (window - last value), one matrix for all columns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from kseq.recipe import Recipe
from kseq.run import before_test, read_data

RECIPES = Path(__file__).parents[1] / "recipes"


def resampled(sequences: np.ndarray | list[np.ndarray], steps: int = 20) -> np.ndarray:
    """Every sequence on `steps` steps by linear interpolation, as one row."""
    rows = []
    for sequence in sequences:
        old, new = np.linspace(0, 1, len(sequence)), np.linspace(0, 1, steps)
        rows.append(np.concatenate([np.interp(new, old, column) for column in sequence.T]))
    return np.stack(rows)


def classification() -> None:
    """Prints accuracies on the classification sets."""
    data = read_data(Recipe.load(RECIPES / "digits.yaml"))
    assert data.test is not None
    train, test = (part.X.reshape(len(part.X), -1) for part in (data.train, data.test))
    for name, model in {
        "SVM on pixels": SVC(gamma=0.001),
        "logistic regression on pixels": LogisticRegression(max_iter=10_000),
    }.items():
        print(f"digits: {name} {model.fit(train, data.train.y).score(test, data.test.y):.4f}")
    for recipe in ("japanese_vowels", "italy_power", "gunpoint"):
        data = read_data(Recipe.load(RECIPES / f"{recipe}.yaml"))
        assert data.test is not None
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000))
        model.fit(resampled(data.train.X), data.train.y)
        score = model.score(resampled(data.test.X), data.test.y)
        print(f"{recipe}: logistic regression, 20 steps {score:.4f}")


def nlinear(window: int = 336, horizon: int = 96, alpha: float = 1.0) -> None:
    """Prints the closed-form NLinear's errors on ETTh1."""
    data = read_data(Recipe.load(RECIPES / "etth1_96.yaml"))
    assert data.test is not None
    before, after = before_test(data), data.test.X
    assert isinstance(data.train.X, dict)
    columns = list(data.train.X)
    first = np.stack([data.train.X[c] for c in columns], axis=-1)
    rows = np.concatenate(
        [np.stack([part[c] for c in columns], axis=-1) for part in (before, after)]
    )
    rows = (rows - first.mean(axis=0)) / first.std(axis=0)

    def pairs(begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        origins = np.arange(begin, end - horizon + 1)
        x = rows[origins[:, None] + np.arange(-window, 0)]  # (windows, window, columns)
        y = rows[origins[:, None] + np.arange(horizon)]
        last = x[:, -1:]
        return (x - last).transpose(0, 2, 1).reshape(-1, window), (y - last).transpose(
            0, 2, 1
        ).reshape(-1, horizon)

    x, y = pairs(window, len(first))
    weights = np.linalg.solve(x.T @ x + alpha * np.eye(window), x.T @ y)
    x, y = pairs(len(before[columns[0]]), len(rows))
    error = x @ weights - y
    print(f"etth1_96: closed-form NLinear MSE {(error**2).mean():.4f} MAE {abs(error).mean():.4f}")


if __name__ == "__main__":
    classification()
    nlinear()
