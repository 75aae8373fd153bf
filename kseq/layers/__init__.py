"""Layers for sequences, usable alone in anybody's Keras model, on every Keras backend."""

from kseq.layers.characters import CharacterCNN, CharacterLSTM
from kseq.layers.conv_lstm import ConvLSTM, ConvLSTMCell
from kseq.layers.convolution import MaskedConv1D
from kseq.layers.crf import CRF
from kseq.layers.fill import FillForward
from kseq.layers.folding import FoldSteps
from kseq.layers.frames import FrameRNN, NextFrameCell, StackedConvLSTMCell
from kseq.layers.frames_ahead import FramesAhead, LastSteps
from kseq.layers.highway import LinearHighway
from kseq.layers.intervals import PredictionInterval, WindowSpread
from kseq.layers.masking import LengthMask
from kseq.layers.max_pooling import MaskedMaxPooling1D
from kseq.layers.patches import DepthToSpace, SpaceToDepth
from kseq.layers.pooling import SequencePooling
from kseq.layers.recurrent import GRU, LSTM, SimpleRNN
from kseq.layers.sampling import ReadingLoss, ScheduledSampling
from kseq.layers.scaling import Standardize
from kseq.layers.shuffle import DimensionShuffle
from kseq.layers.slstm import SLSTM, SLSTMCell
from kseq.layers.tag_decoder import TagDecoder
from kseq.layers.temperature import Temperature

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "SLSTM",
    "CharacterCNN",
    "CharacterLSTM",
    "ConvLSTM",
    "ConvLSTMCell",
    "DepthToSpace",
    "DimensionShuffle",
    "FillForward",
    "FoldSteps",
    "FrameRNN",
    "FramesAhead",
    "LastSteps",
    "LengthMask",
    "LinearHighway",
    "MaskedConv1D",
    "MaskedMaxPooling1D",
    "NextFrameCell",
    "PredictionInterval",
    "ReadingLoss",
    "SLSTMCell",
    "ScheduledSampling",
    "SequencePooling",
    "SimpleRNN",
    "SpaceToDepth",
    "StackedConvLSTMCell",
    "Standardize",
    "TagDecoder",
    "Temperature",
    "WindowSpread",
]
