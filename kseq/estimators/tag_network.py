"""Joins a builder's network to the chain of its tags and to what decodes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kseq.inference import Forward, traced
from kseq.layers.crf import CRF
from kseq.layers.masking import LengthMask
from kseq.layers.tag_decoder import TagDecoder
from kseq.layers.temperature import Temperature
from kseq.spec import Spec
from kseq.tags import OUTSIDE, continues, forbidden, scheme_of


@dataclass(eq=False)
class TagNetwork:
    """What a tagger is asked by.

    Args:
        chain: The layer that the emissions are the scores of.
        decoder: Chooses tags by them.
        emit: From raw input to `emissions`, and the labels' probabilities where there are labels.
        quick: From raw input to the best tagging alone.
        best: The best tagging of emissions and a mask.
        likelihood: The log probability of all taggings together, from emissions, tags and a mask.
        label_temperature: What the scores of labels are divided by, where there are labels.
        nbest: The n best taggings of emissions and a mask, by n.
    """

    chain: CRF
    decoder: TagDecoder
    emit: Forward
    quick: Forward
    best: Callable[..., Any]
    likelihood: Callable[..., Any]
    label_temperature: Temperature | None = None
    nbest: dict[int, Callable[..., Any]] = field(default_factory=dict)

    def reset_temperatures(self) -> None:
        """Sets the temperatures to 1: those of other weights say nothing of the next."""
        self.chain.temperature.assign(1.0)
        if self.label_temperature is not None:
            self.label_temperature.temperature.assign(1.0)

    def decode_nbest(self, n: int) -> Callable[..., Any]:
        """Gives the n best taggings; traced once for each n."""
        if n not in self.nbest:
            chain = self.chain
            tags = int(chain.start.shape[0])
            self.nbest[n] = traced(
                lambda emissions, mask: chain.decode_nbest(emissions, mask, n=n),
                [(None, None, tags), (None, None)],
                ["float32", "bool"],
            )
        return self.nbest[n]


def assemble(
    network: keras.Model, spec: Spec, inputs: Mapping[str, Any], scores: Any
) -> tuple[keras.Model, TagNetwork]:
    """The model that serves, and what a tagger is asked by.

    Args:
        network: The builder's network.
        spec: What it was built from.
        inputs: Raw inputs.
        scores: Its scores of them.

    Returns:
        The servable model, from raw input to tags and probabilities, and the rest.
    """
    names = spec.tags
    scheme = scheme_of(names)
    emissions = scores["tags"] if spec.classes else scores
    found = [layer for layer in network.layers if isinstance(layer, CRF)]
    # Without a chain of its own a network's tags are independent: a chain of zeros, which
    # still knows what the scheme forbids.
    chain = (
        found[0]
        if found
        else CRF(
            forbidden=forbidden(names, scheme) if scheme else None,
            constrained=False,
            initializer="zeros",
            trainable=False,
            name="crf",
        )
    )
    if not chain.built:  # by the network: its weights are the model's from the beginning
        chain.build(emissions.shape)
    decoder = TagDecoder(
        chain,
        continues=continues(names) if scheme else None,
        outside=[name == OUTSIDE for name in names] if scheme else None,
        name="decoder",
    )
    mask = LengthMask(name="valid")(emissions, inputs["lengths"])
    outputs = dict(decoder(emissions, mask=mask))
    raw = {"emissions": emissions}
    label_temperature = None
    if spec.classes:
        label_temperature = Temperature(name="label_temperature")
        softmax = keras.layers.Softmax(name="label_probabilities", dtype="float32")
        outputs["label_probabilities"] = softmax(label_temperature(scores["classes"]))
        raw["label_probabilities"] = outputs["label_probabilities"]

    def decode(inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
        """The best tagging, without all that the servable model finds beside it."""
        emissions = outputs.pop("emissions")
        steps = keras.ops.arange(keras.ops.shape(emissions)[1])
        mask = steps < keras.ops.expand_dims(inputs["lengths"], 1)
        return {**outputs, "tags": decoder.best(emissions, mask)}

    emit = keras.Model(inputs, raw, name="emissions")
    width = len(names)
    tags = TagNetwork(
        chain=chain,
        decoder=decoder,
        label_temperature=label_temperature,
        emit=Forward(emit),
        quick=Forward(emit, decode),
        best=traced(decoder.best, [(None, None, width), (None, None)], ["float32", "bool"]),
        likelihood=traced(
            lambda *given: keras.ops.sum(chain.log_probability(*given)),
            [(None, None, width), (None, None), (None, None)],
            ["float32", "int32", "bool"],
        ),
    )
    return keras.Model(inputs, outputs, name="servable"), tags
