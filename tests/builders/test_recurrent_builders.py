"""The parameters of the recurrent builders: what each changes, and what none may change."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.builders.cnn_lstm import cnn_lstm
from kseq.builders.lstm_fcn import lstm_fcn
from kseq.builders.stacked_rnn import stacked_rnn
from kseq.layers.slstm import SLSTM
from kseq.spec import Spec

FIXED = Spec(features=2, outputs=3, time=8)
RAGGED = Spec(features=2, outputs=3)
PER_STEP = Spec(features=2, outputs=3, per_step=True)
LENGTHS = np.array([6, 3, 1], "int32")
X = np.random.default_rng(4).normal(size=(3, 6, 2)).astype("float32")


def call(model, x, lengths):
    return keras.ops.convert_to_numpy(model({"x": x, "lengths": lengths}))


def names(model):
    return [layer.name for layer in model.layers]


OPTIONS = [
    *[{"cell": cell, "bidirectional": True} for cell in ("rnn", "gru", "lstm", "slstm")],
    *[{"readout": readout} for readout in ("mean", "max", "attention", "last")],
    {"cell": "slstm", "peephole": "full", "skip": False},
    {"residual": True, "layer_norm": True, "dropout": 0.2, "recurrent_dropout": 0.2},
    {"residual": True, "bidirectional": True, "readout": "last"},
    {"residual": True, "bidirectional": True, "readout": "attention"},
]


@pytest.mark.slow
@pytest.mark.parametrize("builder", [stacked_rnn, cnn_lstm])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_padding_is_absent_whatever_the_options(builder, options, tmp_path):
    spec = RAGGED
    model = builder(spec, units=[5, 4], **options)
    expected = call(model, X, LENGTHS)
    padded = np.pad(X, ((0, 0), (0, 3), (0, 0)))
    for row, length in enumerate(LENGTHS):
        padded[row, length:] = 9.0
    np.testing.assert_allclose(call(model, padded, LENGTHS), expected, atol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(call(again, X, LENGTHS), expected)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "slstm"])
def test_last_of_both_ways_reads_where_each_ends(cell):
    model = stacked_rnn(RAGGED, cell=cell, units=4, bidirectional=True)
    wrapper = model.get_layer(f"{cell}_1_both_ways")
    mask = np.arange(6)[None] < LENGTHS[:, None]
    got = keras.Model(model.input, wrapper.output)({"x": X, "lengths": LENGTHS}).numpy()
    wrapper.forward_layer.return_sequences = wrapper.backward_layer.return_sequences = True
    forward = wrapper.forward_layer(X, mask=mask).numpy()
    backward = wrapper.backward_layer(X, mask=mask).numpy()[:, ::-1]
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(got[row, :4], forward[row, length - 1], atol=1e-6)
        np.testing.assert_allclose(got[row, 4:], backward[row, 0], atol=1e-6)


def test_residual_adds_the_input_where_each_direction_ends():
    model = stacked_rnn(RAGGED, units=1, bidirectional=True, residual=True)
    parts = keras.Model(
        model.input,
        [model.get_layer("lstm_1_both_ways").output, model.get_layer("lstm_1_residual").output],
    )
    plain, added = parts({"x": X, "lengths": LENGTHS})
    for row, length in enumerate(LENGTHS):
        ends = [X[row, length - 1, 0], X[row, 0, 1]]
        np.testing.assert_allclose(added[row] - plain[row], ends, atol=1e-6)


def test_layers_follow_the_parameters():
    model = stacked_rnn(FIXED, units=[5, 5], layer_norm=True, residual=True, dropout=0.1, noise=0.1)
    expected = ["x", "noise", "lstm_1", "lstm_1_shortcut", "lstm_1_residual", "lstm_1_norm"]
    expected += ["lstm_1_dropout", "lstm_2", "lstm_2_shortcut_end", "lstm_2_residual"]
    expected += ["lstm_2_norm", "lstm_2_dropout", "scores"]
    assert sorted(names(model)) == sorted(expected)
    assert names(stacked_rnn(FIXED)) == ["x", "lstm_1", "scores"]
    layer = stacked_rnn(FIXED, cell="slstm", peephole="full", skip=False).get_layer("slstm_1")
    assert isinstance(layer, SLSTM)
    assert (layer.cell.peephole, layer.cell.skip) == ("full", False)


def test_noise_acts_in_training_alone():
    model = stacked_rnn(FIXED, units=4, noise=1.0)
    np.testing.assert_array_equal(model(X), model(X))
    assert np.abs(model(X, training=True) - model(X)).max() > 1e-3


def test_patches_fold_steps():
    model = stacked_rnn(FIXED, units=4, patch=3)
    assert model.get_layer("patches").output.shape[-1] == 6
    assert model.get_layer("patch_projection").output.shape[-1] == 4
    for time in (1, 3, 8):
        assert model(np.ones((2, time, 2), "float32")).shape == (2, 3)


def test_cnn_pools_but_never_to_a_single_step():
    fixed = names(cnn_lstm(FIXED, filters=[4, 4, 4, 4], units=4))
    assert [n for n in fixed if n.endswith("pool")] == ["conv_1_pool", "conv_2_pool"]
    assert not any("pool" in n for n in names(cnn_lstm(PER_STEP, units=4)))
    ragged = cnn_lstm(RAGGED, filters=[4, 4], units=4)
    assert names(ragged).count("conv_2_mask") == 1
    kernel_size = cnn_lstm(FIXED, filters=[4], kernel_size=5, units=4).get_layer("conv_1")
    assert kernel_size.kernel.shape == (5, 2, 4)


def test_fcn_shuffles_where_it_can():
    assert lstm_fcn(FIXED).get_layer("lstm").cell.kernel.shape == (8, 32)
    assert lstm_fcn(FIXED, dimension_shuffle=False).get_layer("lstm").cell.kernel.shape == (2, 32)
    assert "shuffle" not in names(lstm_fcn(RAGGED))
    model = lstm_fcn(FIXED, cell="gru", units=3, dropout=0.0, filters=[4], kernel_sizes=[3])
    assert names(model)[0] == "x"
    assert "gru_dropout" not in names(model)
    assert model.get_layer("both_views").output.shape == (None, 7)
    # The published architecture on one feature and 8 steps, without biases before the BNs.
    published = lstm_fcn(Spec(features=1, outputs=2, time=8))
    assert [published.get_layer(f"conv_{n}").kernel.shape for n in (1, 2, 3)] == [
        (8, 1, 128),
        (5, 128, 256),
        (3, 256, 128),
    ]


def test_future_changes_each_step_ahead_alone():
    spec = Spec(features=2, outputs=1, time=8, horizon=4, future=2)
    model = stacked_rnn(spec, units=4)
    future = np.zeros((3, 4, 2), "float32")
    before = model({"x": X, "future": future}).numpy()
    future[:, 2] = 5.0
    changed = np.abs(model({"x": X, "future": future}).numpy() - before).max(axis=(0, 2)) > 0
    assert changed.tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stacked_rnn(FIXED, readout="steps"), "readout 'steps' gives one output a time"),
        (lambda: stacked_rnn(PER_STEP, readout="mean"), "readout 'mean' gives one output a seq"),
        (lambda: stacked_rnn(RAGGED, patch=2), "patch 2 folds time steps, but here they differ in"),
        (lambda: stacked_rnn(PER_STEP, patch=2), "but here they have targets of their own"),
        (lambda: cnn_lstm(PER_STEP, pool=2), "pool 2 makes fewer time steps, but every step has"),
        (lambda: cnn_lstm(FIXED, readout="steps"), "choose 'last', 'mean'"),
        (lambda: lstm_fcn(RAGGED, dimension_shuffle=True), "the sequences have different lengths"),
        (lambda: lstm_fcn(PER_STEP, dimension_shuffle=True), "the sequences have a target a time"),
        (lambda: lstm_fcn(FIXED, kernel_sizes=[3]), "kernel_sizes: expected 3 numbers, one for"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
