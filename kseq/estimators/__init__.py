"""One estimator for each task, in the style of scikit-learn."""

from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.conformal import Interval
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.load import from_recipe, load
from kseq.estimators.regressor import SequenceRegressor
from kseq.estimators.tagger import SequenceTagger
from kseq.estimators.video import VideoPredictor

__all__ = [
    "Forecaster",
    "Interval",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "VideoPredictor",
    "from_recipe",
    "load",
]
