"""Scores of one label per sequence."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, log_loss, precision_recall_fscore_support, recall_score

from kseq.errors import DataError
from kseq.metrics.evaluation import Evaluation, counted


def evaluate_classification(
    truth: Any,
    predicted: Any,
    probabilities: Any,
    classes: Sequence[Any] | np.ndarray,
    majority: Any,
) -> Evaluation:
    """Compares predicted labels with the true ones.

    - `accuracy` (primary): the share of sequences with the right label.
    - `balanced_accuracy`: the recall of each class that the truth has, averaged.
    - `macro_f1`: the F1 of each class in the truth or the predictions, averaged; a class that is
      never hit counts 0.
    - `log_loss`: the mean negative log probability (natural) of the true class.

    A true label that the training did not have counts as a mistake; `log_loss`, which would be
    infinite, leaves it out. Both are said in the notes.

    Args:
        truth: True labels `(items,)`.
        predicted: Predicted labels `(items,)`.
        probabilities: `(items, classes)` in the order of `classes`, or None.
        classes: The labels that the model knows.
        majority: The most frequent label of the training data, the answer of the baseline.

    Raises:
        DataError: If there is nothing to compare or the shapes don't fit.

    Reference:
        Brodersen et al. (2010), The balanced accuracy and its posterior distribution.

    Example:
        >>> scored = evaluate_classification(
        ...     ["a", "b", "b"], ["a", "b", "a"], None, ["a", "b"], "b"
        ... )
        >>> round(scored.metrics["accuracy"], 3), scored.baselines["majority class"]["macro_f1"]
        (0.667, 0.4)
    """
    known = _plain_labels(classes)
    true, answers = _plain_labels(truth), _plain_labels(predicted)
    if not true or len(true) != len(answers):
        raise DataError(
            f"expected as many predicted labels as true ones, and at least one; "
            f"got {len(answers)} predicted for {len(true)} true"
        )
    codes = {label: code for code, label in enumerate(dict.fromkeys([*known, *true, *answers]))}
    codes.setdefault(majority, len(codes))
    true_codes = np.array([codes[label] for label in true])
    predicted_codes = np.array([codes[label] for label in answers])
    constant = np.full_like(true_codes, codes[majority])

    undefined: dict[str, str] = {
        "majority class.log_loss": "a constant answer comes without probabilities"
    }
    seen = true_codes < len(known)
    loss = math.nan
    if probabilities is None:
        undefined["model.log_loss"] = "the model gives no probabilities"
    elif not seen.any():
        undefined["model.log_loss"] = "no true label was seen in training"
    else:
        table = np.asarray(probabilities, dtype=np.float64)
        if table.shape != (len(true), len(known)):
            raise DataError(
                f"expected probabilities of shape (items, classes) = "
                f"{(len(true), len(known))}, got {table.shape}"
            )
        loss = _log_loss(true_codes[seen], table[seen])
        if math.isnan(loss):
            undefined["model.log_loss"] = "a probability is not a finite number"

    notes: dict[str, Any] = {
        "compared": counted(len(true), "sequence"),
        "undefined": undefined,
        "per_class": _per_class(true_codes, predicted_codes, list(codes)),
    }
    if not seen.all():
        unseen = [str(label) for label in dict.fromkeys(true) if codes[label] >= len(known)]
        notes["unseen_labels"] = (
            f"{int((~seen).sum())} of {len(true)} true labels were not seen in training "
            f"({', '.join(unseen[:10])}{', ...' if len(unseen) > 10 else ''}): "
            "they count as mistakes, and log_loss leaves them out"
        )
    return Evaluation(
        task="classification",
        metrics={**_scores(true_codes, predicted_codes), "log_loss": loss},
        baselines={"majority class": {**_scores(true_codes, constant), "log_loss": math.nan}},
        primary="accuracy",
        truth=np.asarray(truth),
        predicted=np.asarray(predicted),
        labels=known,
        probabilities=probabilities,
        items=len(true),
        notes=notes,
    )


def _plain_labels(values: Any) -> list[Any]:
    """Labels as Python values, so that equal ones are one dictionary key."""
    return [v.item() if isinstance(v, np.generic) else v for v in np.asarray(values).reshape(-1)]


def _scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    with warnings.catch_warnings():
        # Many classes for few sequences is no mistake of ours: 77 intents, 100 test sequences.
        warnings.filterwarnings("ignore", message="The number of unique classes")
        recall = recall_score(
            truth, predicted, labels=np.unique(truth), average="macro", zero_division=0.0
        )
        f1 = f1_score(truth, predicted, average="macro", zero_division=0.0)
    return {
        "accuracy": float(np.mean(truth == predicted)),
        # balanced_accuracy_score is this, but warns where a class is predicted and never true.
        "balanced_accuracy": float(recall),
        "macro_f1": float(f1),
    }


def _log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    if not np.isfinite(probabilities).all():
        return math.nan
    if probabilities.shape[1] < 2:  # one class: certain, and refused by scikit-learn
        return 0.0
    # Float32 rows sum to 1 only nearly, which scikit-learn warns about.
    rows = probabilities / probabilities.sum(axis=1, keepdims=True)
    return float(log_loss(truth, rows, labels=np.arange(rows.shape[1])))


def _per_class(
    truth: np.ndarray, predicted: np.ndarray, labels: list[Any]
) -> dict[str, dict[str, float]]:
    present = np.unique(np.concatenate([truth, predicted]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes")
        precision, recall, f1, count = precision_recall_fscore_support(
            truth, predicted, labels=present, zero_division=0.0
        )
    return {
        str(labels[code]): {
            "precision": float(precision[row]),
            "recall": float(recall[row]),
            "f1": float(f1[row]),
            "items": int(count[row]),
        }
        for row, code in enumerate(present)
    }
