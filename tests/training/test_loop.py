"""The loop against `Model.fit` on the same model, data and callbacks."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kseq.data.batches import SequenceBatches
from kseq.data.sequences import as_sequences
from kseq.layers import GRU
from kseq.layers.compiled import NARROWEST
from kseq.training.loop import Loop, pays_to_compile

RNG = np.random.default_rng(0)
ON_TENSORFLOW = pytest.mark.skipif(
    keras.config.backend() == "jax", reason="on JAX the loop is Model.fit"
)


class Spy(keras.callbacks.Callback):
    """Notes every call and what it is told."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __getattribute__(self, name):
        if not name.startswith("on_"):
            return super().__getattribute__(name)

        def note(at=None, logs=None):
            at, logs = (None, at) if isinstance(at, dict) else (at, logs)
            self.calls.append((name, at, {k: float(v) for k, v in (logs or {}).items()}))

        return note


def network(outputs=1):
    keras.utils.set_random_seed(0)
    x = keras.Input((None, 2), name="x")
    h = keras.layers.SimpleRNN(3)(x)
    y = {f"y{i}": keras.layers.Dense(1, name=f"y{i}")(h) for i in range(outputs)}
    model = keras.Model(x, y if outputs > 1 else y["y0"])
    model.compile(
        keras.optimizers.SGD(0.1),
        loss=dict.fromkeys(y, "mse") if outputs > 1 else "mse",
        weighted_metrics=None if outputs > 1 else ["mae"],
        jit_compile=False,
    )
    return model


def data(*, weights=False, outputs=1, seed=3):
    sequences = as_sequences(list(RNG.normal(size=(20, 7, 2))))
    y = RNG.normal(size=(20, 1)).astype("float32")
    return SequenceBatches(
        sequences,
        {f"y{i}": y for i in range(outputs)} if outputs > 1 else y,
        batch_size=6,
        ragged=False,
        weights=RNG.uniform(size=20) if weights else None,
        seed=seed,
    )


def both(make, *, valid=True, epochs=3):
    """Weights, history and calls of the loop and of `Model.fit`."""
    results = []
    train, held_out = make(), make() if valid else None
    if valid:
        held_out.seed = None
        held_out._plan()
    state = train.epoch
    for ours in (True, False):
        train.epoch = state - (0 if ours else 1)  # Keras ends an epoch before the first
        train._plan()
        model, spy = network(len(train.targets) if isinstance(train.targets, dict) else 1), Spy()
        if ours:
            history = Loop(model).run(train, held_out, epochs=epochs, callbacks=[spy])
        else:
            history = model.fit(
                train,
                validation_data=held_out,
                epochs=epochs,
                shuffle=False,
                verbose=0,
                callbacks=[spy],
            ).history
        results.append((model.get_weights(), history, spy.calls))
    return results


@ON_TENSORFLOW
@pytest.mark.parametrize("valid", [True, False])
@pytest.mark.parametrize("options", [{}, {"weights": True}, {"outputs": 2}], ids=str)
def test_weights_history_and_calls_are_those_of_keras(options, valid):
    (weights, history, calls), (other, keras_history, keras_calls) = both(
        lambda: data(**options), valid=valid
    )
    for one, two in zip(weights, other, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-7)
    assert history.keys() == keras_history.keys()
    for name, values in history.items():
        np.testing.assert_allclose(values, keras_history[name], rtol=1e-6)
    assert [call[:2] for call in calls] == [call[:2] for call in keras_calls]
    for (name, _, logs), (_, _, keras_logs) in zip(calls, keras_calls, strict=True):
        assert logs == pytest.approx(keras_logs, rel=1e-5), name


@ON_TENSORFLOW
def test_a_step_is_traced_once_whatever_the_sizes():
    traced = []

    class Count(keras.layers.Layer):
        def call(self, inputs):
            traced.append(inputs.shape)
            return inputs

    x, lengths = keras.Input((None, 2), name="x"), keras.Input((), name="lengths", dtype="int32")
    pooled = keras.layers.GlobalMaxPooling1D()(Count()(x))
    model = keras.Model({"x": x, "lengths": lengths}, keras.layers.Dense(1)(pooled))
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    traced.clear()
    loop = Loop(model)
    for sizes in ([4] * 9, [4, 4, 4, 5, 5, 5, 2, 2], [1, 9]):
        sequences = as_sequences([np.ones((size, 2)) for size in sizes])
        y = np.ones((len(sizes), 1), "float32")
        batches = SequenceBatches(sequences, y, batch_size=3, ragged=True, seed=1)
        loop.run(batches, batches, epochs=2, callbacks=[])
    assert traced == [(None, None, 2)] * 2  # the training step and the validation step


@ON_TENSORFLOW
def test_training_stops_within_an_epoch_when_a_callback_asks():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    spy = Spy()
    history = Loop(network()).run(data(), None, epochs=5, callbacks=[Stop(), spy])
    assert len(history["loss"]) == 1
    assert [at for name, at, _ in spy.calls if name == "on_train_batch_end"] == [0, 1]


@ON_TENSORFLOW
def test_an_error_in_the_data_reaches_the_caller_and_leaves_no_thread():
    class Broken(SequenceBatches):
        def __getitem__(self, index):
            if index == 2:
                raise RuntimeError("broken")
            return super().__getitem__(index)

    whole = data()
    broken = Broken(whole.sequences, whole.targets, batch_size=6, ragged=False, seed=1)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="broken"):
        Loop(network()).run(broken, None, epochs=2, callbacks=[])
    assert threading.active_count() == before


def test_the_order_goes_on_from_epoch_to_epoch():
    seen = []

    class Noted(SequenceBatches):
        def __getitem__(self, index):
            seen.append(self.epoch)
            return super().__getitem__(index)

    whole = data()
    noted = Noted(whole.sequences, whole.targets, batch_size=20, ragged=False, seed=1)
    Loop(network()).run(noted, None, epochs=3, callbacks=[])
    assert sorted(set(seen))[-3:] == list(range(max(seen) - 2, max(seen) + 1))
    if keras.config.backend() == "tensorflow":
        assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("batches", "ragged", "pays"), [(99, False, 0), (100, False, 1), (799, True, 0), (800, True, 1)]
)
def test_long_trainings_are_compiled(batches, ragged, pays):
    train = SimpleNamespace(num_batches=batches, ragged=ragged)
    assert pays_to_compile(train, epochs=1) == bool(pays)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow alone compiles")
@pytest.mark.slow
def test_a_compiled_training_gives_the_same(monkeypatch):
    results, drawn = [], data()
    for many in (1000, 1):
        monkeypatch.setattr("kseq.training.loop._MANY", many)
        keras.utils.set_random_seed(0)
        x = keras.Input((None, 2), name="x")
        model = keras.Model(x, keras.layers.Dense(1)(GRU(NARROWEST)(x)))
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        loop, drawn.epoch = Loop(model), 1
        drawn._plan()
        loop.run(drawn, None, epochs=3, callbacks=[])
        assert loop._compiled == (many == 1)
        results.append(model.get_weights())
    for plain, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-5)


SCRIPT = """
import keras
import numpy as np
from kseq.data.batches import SequenceBatches
from kseq.data.sequences import as_sequences
from kseq.training.adam import FusedAdam
from kseq.training.loop import Loop

assert keras.config.backend() == "torch"
random = np.random.default_rng(0)
x = random.normal(size=(20, 7, 2)).astype("float32")
y = random.normal(size=(20, 1)).astype("float32")
results = []
for ours in (True, False):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 2), name="x")
    h = keras.layers.GRU(3)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(h))
    adam = FusedAdam if ours else keras.optimizers.Adam
    model.compile(adam(0.01, global_clipnorm=0.5), "mse", weighted_metrics=["mae"])
    def batches():
        return SequenceBatches(as_sequences(x), y, batch_size=6, ragged=False)
    if ours:
        history = Loop(model).run(batches(), batches(), epochs=5, callbacks=[])
    else:
        fitted = model.fit(batches(), validation_data=batches(), epochs=5, verbose=0, shuffle=False)
        history = fitted.history
    results.append((history, model.get_weights()))
(history, weights), (expected, others) = results
assert set(history) == set(expected)
for name, values in history.items():
    np.testing.assert_allclose(values, expected[name], rtol=1e-4, err_msg=name)
for one, other in zip(weights, others):
    np.testing.assert_allclose(one, other, atol=1e-5)
"""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_on_pytorch_it_is_model_fit_with_adam():
    subprocess.run(
        [sys.executable, "-c", SCRIPT],
        check=True,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        cwd=Path(__file__).parents[2],
    )
