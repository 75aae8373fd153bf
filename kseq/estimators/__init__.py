"""One estimator for each task, in the style of scikit-learn."""

from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.load import from_recipe, load
from kseq.estimators.regressor import SequenceRegressor

__all__ = ["Forecaster", "SequenceClassifier", "SequenceRegressor", "from_recipe", "load"]
