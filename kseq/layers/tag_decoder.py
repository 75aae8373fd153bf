"""From a chain's scores to tags, their probabilities, and the spans they make."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kseq.layers.crf import CRF


@keras.saving.register_keras_serializable("kseq")
class TagDecoder(keras.layers.Layer):
    """Decodes the scores of a `CRF` inside the graph.

    Args:
        crf: The layer whose scores are decoded.
        continues: Which tag goes on with the span of which, `(tags, tags)`, as `kseq.tags` says;
            None for tags that make no spans.
        outside: For each tag, whether it stands outside all spans, `(tags,)`; given where
            `continues` is.
        **options: The usual arguments of a layer.

    Weights:
        `outside_shift`, where there are spans: a number that is not trained, 0 at first, by which
        the scores of what is outside are lowered where tags are chosen. Probabilities do not
        know of it.

    Raises:
        ValueError: If `continues` and `outside` are not given together, or not of these shapes.

    Example:
        >>> decoder = TagDecoder(CRF())
        >>> sorted(decoder(keras.ops.zeros((2, 5, 3))))
        ['probabilities', 'tags']
    """

    def __init__(
        self, crf: CRF, *, continues: Any = None, outside: Any = None, **options: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})
        self.supports_masking = True  # it takes a mask, and hands none on
        self.crf = crf
        self.continues = None if continues is None else np.asarray(continues, bool)
        self.outside = None if outside is None else np.asarray(outside, bool)
        shapes = [
            None if given is None else given.shape for given in (self.continues, self.outside)
        ]
        count = 0 if self.outside is None else self.outside.size
        if shapes not in ([None, None], [(count, count), (count,)]):
            raise ValueError(
                "continues and outside: expected booleans of the shapes (tags, tags) and (tags,), "
                f"or neither; got {shapes[0]} and {shapes[1]}"
            )

    def build(self, shape: Any) -> None:
        """Makes the shift."""
        if self.outside is not None:
            self.outside_shift = self.add_weight(
                name="outside_shift", shape=(), initializer="zeros", trainable=False
            )

    def best(self, emissions: Any, mask: Any = None) -> Any:
        """The best tagging, integers `(batch, time)`, 0 at masked steps.

        Args:
            emissions: The scores of the tags, `(batch, time, tags)`.
            mask: The valid steps, `(batch, time)`, which come first.
        """
        if self.outside is not None:
            outside = ops.convert_to_tensor(self.outside.astype(np.float32))
            emissions = ops.cast(emissions, "float32") - self.outside_shift * outside
        return self.crf.decode(emissions, mask)

    def call(self, emissions: Any, mask: Any = None) -> dict[str, Any]:
        """Decodes a batch.

        Args:
            emissions: The scores of the tags, `(batch, time, tags)`.
            mask: The valid steps, `(batch, time)`, which come first.

        Returns:
            `tags` `(batch, time)`, the best tagging; `probabilities` `(batch, time, tags)`, of
            every tag at every step. With spans also `starts` and `ends`, `(batch, time)`, where
            they begin and end, and `span_probabilities`, `(batch, time)`, of each span at its end.
        """
        tags = self.best(emissions, mask)
        found = {"tags": tags, "probabilities": self.crf.marginals(emissions, mask)}
        if self.continues is None:
            return found
        count = len(self.continues)
        inside = ops.logical_not(ops.take(ops.convert_to_tensor(self.outside), tags))
        if mask is not None:
            inside = ops.logical_and(inside, mask)
        pairs = tags[:, :-1] * count + tags[:, 1:]  # (batch, time - 1)
        goes_on = ops.take(ops.convert_to_tensor(self.continues.reshape(-1)), pairs)
        goes_on = ops.logical_and(goes_on, ops.logical_and(inside[:, :-1], inside[:, 1:]))
        stops = ops.logical_not(goes_on)
        edge = ops.ones_like(inside[:, :1])
        starts = ops.logical_and(inside, ops.concatenate([edge, stops], axis=1))
        ends = ops.logical_and(inside, ops.concatenate([stops, edge], axis=1))
        probability = self.crf.span_probability(emissions, tags, mask, starts, ends, self.continues)
        return {**found, "starts": starts, "ends": ends, "span_probabilities": probability}

    def compute_mask(self, emissions: Any, previous_mask: Any = None) -> None:
        """What is decoded has no mask: it is finished."""
        return None

    def compute_output_spec(self, emissions: Any, mask: Any = None) -> dict[str, Any]:
        """Shapes and types of what `call` returns."""
        batch, time, tags = emissions.shape
        found = {
            "tags": keras.KerasTensor((batch, time), "int32"),
            "probabilities": keras.KerasTensor((batch, time, tags), "float32"),
        }
        if self.continues is not None:
            found["starts"] = keras.KerasTensor((batch, time), "bool")
            found["ends"] = keras.KerasTensor((batch, time), "bool")
            found["span_probabilities"] = keras.KerasTensor((batch, time), "float32")
        return found

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("continues", "outside")}
        plain = {name: None if each is None else each.tolist() for name, each in own.items()}
        crf = keras.saving.serialize_keras_object(self.crf)
        return {**super().get_config(), "crf": crf, **plain}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TagDecoder:
        """The inverse of `get_config`."""
        return cls(**{**config, "crf": keras.saving.deserialize_keras_object(config["crf"])})
