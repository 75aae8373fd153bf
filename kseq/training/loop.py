"""Runs the epochs of a training.

Keras sets up a pipeline for the data of every training and an iterator for every epoch of it, which
takes longer than the epochs of small data. On TensorFlow, which this file imports by name for that,
one traced step takes arrays as they are, whatever the size of the batch and the number of steps,
and is kept for the next training. On PyTorch, imported by name as well, a step runs as it is. On
JAX `Model.fit` runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from kseq.layers.compiled import Purpose, compiled_for

if keras.config.backend() == "tensorflow":
    import tensorflow as tf
elif keras.config.backend() == "torch":
    import torch

# Batches of one length that earn the second or two that the compiling of recurrent layers takes,
# and how many lengths they are compiled for, or so, where sequences differ.
_MANY, _LENGTHS = 100, 8

History = dict[str, list[float]]


class Loop:
    """The training and validation steps of a compiled model, and the loop over them.

    Args:
        model: A compiled functional model. When it is compiled anew, it needs a new loop.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._steps: dict[Any, Callable[..., Any]] = {}
        self._compiled = False

    def run(
        self,
        train: keras.utils.PyDataset,
        valid: keras.utils.PyDataset | None,
        *,
        epochs: int,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> History:
        """Trains the model as `Model.fit` does.

        Args:
            train: Batches of training data, which bring their own order.
            valid: Batches of validation data, or None.
            epochs: Passes over the training data, if no callback ends them earlier.
            callbacks: Keras callbacks.

        Returns:
            Losses and metrics by epoch; those of the validation data start with `val_`.
        """
        if keras.config.backend() == "jax":
            record = self.model.fit(
                train,
                validation_data=valid,
                epochs=epochs,
                shuffle=False,
                verbose=0,
                callbacks=list(callbacks),
            )
            return {name: [float(v) for v in values] for name, values in record.history.items()}
        model = self.model
        self._compiled = pays_to_compile(train, epochs)
        watch = keras.callbacks.CallbackList(
            list(callbacks),
            add_history=True,
            model=model,
            verbose=0,
            epochs=epochs,
            steps=train.num_batches,
        )
        model.stop_training = False
        if keras.config.backend() == "torch":
            # Numbers next to zero, of which Adam's moments get many, are slow to calculate with.
            torch.set_flush_denormal(True)
        logs: dict[str, float] = {}
        watch.on_train_begin()
        for epoch in range(epochs):
            model.reset_metrics()
            watch.on_epoch_begin(epoch)
            for index, batch in enumerate(_ahead(train)):
                watch.on_train_batch_begin(index)
                watch.on_train_batch_end(index, self._step(model.train_step, batch))
                if model.stop_training:
                    break
            train.on_epoch_end()
            logs = _numbers(model.get_metrics_result())
            if valid is not None:
                found = self._validate(valid, watch)
                logs |= {f"val_{name}": value for name, value in found.items()}
            watch.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        model.optimizer.finalize_variable_values(model.trainable_variables)
        watch.on_train_end(logs)
        return {name: [float(v) for v in values] for name, values in model.history.history.items()}

    def rehearse(
        self, train: keras.utils.PyDataset, valid: keras.utils.PyDataset | None, epochs: int
    ) -> float | None:
        """How long an epoch will take, in seconds; the model stays as it is.

        Args:
            train: Batches of training data.
            valid: Batches of validation data, or None.
            epochs: As many as will be run.

        Returns:
            None on JAX, where `Model.fit` runs.
        """
        if keras.config.backend() == "jax":
            return None
        model = self.model
        self._compiled = pays_to_compile(train, epochs)
        batch = train[0]
        if keras.config.backend() == "tensorflow" and not self._steps:
            self._make_variables(*batch)
        every = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
        before = copied(every)
        seconds = 0.0
        for step, batches in ((model.train_step, train), (model.test_step, valid)):
            if batches is None:
                continue
            last = batches.num_batches - 1
            spent = []
            for index in sorted({0, last // 2, last}):
                batch = batches[index]
                self._step(step, batch)  # the first of its kind is traced
                started = time.perf_counter()
                _numbers(self._step(step, batch))
                spent.append(time.perf_counter() - started)
            seconds += float(np.mean(spent)) * batches.num_batches
        for variable, value in zip(every, before, strict=True):
            variable.assign(value)
        return seconds

    def _validate(self, valid: keras.utils.PyDataset, watch: Any) -> dict[str, float]:
        watch.on_test_begin()
        self.model.reset_metrics()
        for index, batch in enumerate(_ahead(valid)):
            watch.on_test_batch_begin(index)
            watch.on_test_batch_end(index, self._step(self.model.test_step, batch))
        found = _numbers(self.model.get_metrics_result())
        watch.on_test_end(found)
        return found

    def _step(self, step: Callable[..., Any], batch: tuple[Any, ...]) -> Any:
        if keras.config.backend() == "torch":
            training = step == self.model.train_step
            self.model.train(training)
            with torch.set_grad_enabled(training):
                return step(keras.tree.map_structure(keras.ops.convert_to_tensor, batch))
        kinds = [(array.dtype, array.ndim) for array in keras.tree.flatten(batch)]
        key = (step.__name__, self._compiled, len(batch), *kinds)
        if key not in self._steps:
            if not self._steps:
                self._make_variables(*batch)
            purpose: Purpose | None = None
            if self._compiled:
                purpose = "training" if step == self.model.train_step else "prediction"

            def run(batch: tuple[Any, ...]) -> Any:
                with compiled_for(purpose):
                    return step(batch)

            self._steps[key] = tf.function(
                run, input_signature=(self._signature(*batch),), autograph=False
            )
        return self._steps[key](batch)

    def _make_variables(self, x: Any, y: Any, weights: Any = None) -> None:
        """Makes the variables of the metrics: a step that makes them is traced twice."""
        widest = max(keras.tree.flatten(x), key=np.ndim)

        def zeros(tensor: Any) -> Any:
            rank = len(tensor.shape)
            like = y if not isinstance(y, Mapping) and np.ndim(y) == rank else widest
            return keras.ops.zeros(
                [size or like.shape[axis] for axis, size in enumerate(tensor.shape)]
            )

        scores = keras.tree.map_structure(zeros, self.model.output)
        self.model.compute_loss(x, y, scores, weights)
        self.model.compute_metrics(x, y, scores, weights)
        self.model.reset_metrics()

    def _signature(self, x: Any, y: Any, weights: Any = None) -> tuple[Any, ...]:
        """What a batch is like, with those sizes alone that are the model's own."""
        outputs = self.model.output
        if isinstance(outputs, Mapping) and not isinstance(y, Mapping):
            (outputs,) = outputs.values()
        inputs = {tensor.name: tensor for tensor in self.model.inputs}
        if not isinstance(x, Mapping):
            (inputs,) = inputs.values()
        specs = [_specs(x, inputs), _specs(y, outputs)]
        return (*specs, *([] if weights is None else [_specs(weights, None)]))


def copied(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """The values of variables as arrays."""
    # A variable itself would be read by its `__array__`, which NumPy warns about on TensorFlow.
    return [keras.ops.convert_to_numpy(keras.ops.copy(variable)) for variable in variables]


def pays_to_compile(train: keras.utils.PyDataset, epochs: int) -> bool:
    """Whether a training is long enough for recurrent layers to be compiled for it."""
    lengths = _LENGTHS if getattr(train, "ragged", False) else 1
    return bool(epochs * train.num_batches >= _MANY * lengths)


def _specs(arrays: Any, tensors: Any) -> Any:
    if isinstance(arrays, Mapping):
        return {name: _specs(a, tensors and tensors[name]) for name, a in arrays.items()}
    rank = arrays.ndim
    fitting = tensors is not None and len(tensors.shape) == rank
    return tf.TensorSpec(tensors.shape if fitting else [None] * rank, arrays.dtype)


def _ahead(batches: keras.utils.PyDataset) -> Iterator[tuple[Any, ...]]:
    """The batches of an epoch, each made while the one before it is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(batches.__getitem__, 0)
        for index in range(1, batches.num_batches):
            batch = coming.result()
            coming = pool.submit(batches.__getitem__, index)
            yield batch
        yield coming.result()


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(np.asarray(value)) for name, value in logs.items()}
