"""Writes the requests that a server runs before it takes the first one.

This file imports TensorFlow by name: the requests are a TFRecord of protocol buffers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

WARMUP = "assets.extra/tf_serving_warmup_requests"
_LIMIT = 1000  # more are refused by the server


def write_warmup(
    directory: str | os.PathLike[str],
    requests: Sequence[tuple[str, Mapping[str, np.ndarray]]],
) -> bool:
    """Writes the warm-up file of a version.

    Args:
        directory: The version folder.
        requests: Signature and inputs of each, one per length or batch size that is worth it. A
            server takes 1000; the rest is left out.

    Returns:
        False where `tensorflow-serving-api` (the extra `serve`) is not installed: a server does
        without, its first requests are slower.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return False
    path = Path(directory) / WARMUP
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests[:_LIMIT]:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            for name, array in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
            log = prediction_log_pb2.PredictLog(request=request)
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(record.SerializeToString())
    return True
