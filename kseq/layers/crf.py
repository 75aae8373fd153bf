"""The linear-chain conditional random field: tags that know of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kseq.layers.chain import FORBIDDEN, Chain, fixed, forward_backward, log_marginals
from kseq.layers.likelihood import negative_log_likelihood
from kseq.layers.queries import log_set_probability, log_tagging_probability, span_probability
from kseq.layers.steps import Steps, by_row, compact, find_steps, spread
from kseq.layers.viterbi import best_taggings, best_tags


@keras.saving.register_keras_serializable(package="kseq")
class CRF(keras.layers.Layer):
    """A conditional random field over the tags of a sequence.

    A tagging y of a sequence x of scores (emissions) has the score

        s(x, y) = start[y_1] + Σ_t x_t[y_t] + Σ_t transitions[y_t, y_(t+1)] + end[y_T]

    and the probability exp(s(x, y)) / Σ_y' exp(s(x, y')). The layer hands its input on, as float32,
    so that a model ends in emissions and owns the weights; the methods do the rest. All of them
    take `emissions` of shape `(batch, time, tags)` and a boolean `mask` `(batch, time)`, or None,
    where a masked step, wherever it stands, is as if it were not there. They run eagerly, in a
    graph and in an exported one, on every backend, in time and memory linear in `time`. The loss is
    differentiable, once; what the other methods answer is not.

    Args:
        forbidden: What may not be: three nestings of booleans, for tags to start with `(tags,)`,
            for moves `(tags, tags)` from and to, for tags to end with `(tags,)`; or None. No such
            tagging is ever decoded.
        constrained: Whether forbidden taggings have probability zero as well, in training too.
        initializer: Initializer of `transitions`; None for uniform in ±0.1. `start` and `end`
            begin at zero.
        regularizer: Regularizer of `transitions`, `start` and `end`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        emissions: A tensor `(batch, time, tags)`.
        mask: Taken and not handed on: a loss per sequence must not meet a mask per step.

    Weights:
        `transitions` `(tags, tags)`, `start` and `end` `(tags,)`, and `temperature`, a number that
        is not trained, by which all scores are divided wherever a probability is asked for, but not
        in the loss. All are float32, whatever the layer's policy.

    Raises:
        ValueError: If `forbidden` is not of these shapes, or of another number of tags than the
            emissions.

    Example:
        >>> crf = CRF()
        >>> x = keras.Input((None, 8))
        >>> model = keras.Model(x, crf(keras.layers.Dense(3)(x)))
        >>> model.compile("adam", loss=crf.loss)
        >>> tuple(crf.decode(model(keras.ops.ones((2, 5, 8)))).shape)
        (2, 5)

    Reference:
        Lafferty, McCallum & Pereira (2001), Conditional random fields: probabilistic models for
        segmenting and labeling sequence data.
        Lample et al. (2016), Neural architectures for named entity recognition.
    """

    def __init__(
        self,
        *,
        forbidden: Sequence[Any] | None = None,
        constrained: bool = True,
        initializer: Any = None,
        regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        # Scores in half precision would not be worth adding up: inputs are not cast to it.
        super().__init__(autocast=False, **kwargs)
        self.forbidden = None if forbidden is None else _checked(forbidden)
        self.constrained = constrained
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        tags = input_shape[-1]
        if self.forbidden is not None and len(self.forbidden[0]) != tags:
            known = len(self.forbidden[0])
            raise ValueError(f"forbidden: is about {known} tags, but the emissions have {tags}")
        options: dict[str, Any] = {"dtype": "float32", "autocast": False}
        uniform = keras.initializers.RandomUniform(-0.1, 0.1)
        self.transitions = self.add_weight(
            shape=(tags, tags),
            initializer=self.initializer or uniform,
            regularizer=self.regularizer,
            name="transitions",
            **options,
        )
        options |= {"shape": (tags,), "initializer": "zeros", "regularizer": self.regularizer}
        self.start = self.add_weight(name="start", **options)
        self.end = self.add_weight(name="end", **options)
        options |= {"shape": (), "initializer": "ones", "regularizer": None, "trainable": False}
        self.temperature = self.add_weight(name="temperature", **options)

    def call(self, emissions: Any, mask: Any = None) -> Any:
        # A tensor of its own: the input's would bring its mask along.
        return ops.copy(ops.cast(emissions, "float32"))

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None

    def compute_output_spec(self, emissions: Any, mask: Any = None) -> keras.KerasTensor:
        return keras.KerasTensor(emissions.shape, dtype="float32")

    # --- training ---

    def loss(self, y_true: Any, y_pred: Any) -> Any:
        """The loss that `compile` takes.

        A model compiled with it can be saved, but is to be loaded with `compile=False`: the loss is
        this layer's own and has no name that a file could hold.

        Args:
            y_true: Integers `(batch, time)`; -1 where there is no step.
            y_pred: Emissions `(batch, time, tags)`.

        Returns:
            The negative log-likelihood of each row, `(batch,)`.
        """
        if len(y_pred.shape) == 2:  # Keras drops the last axis where there is one tag
            y_pred = ops.expand_dims(y_pred, -1)
        y_true = ops.cast(y_true, "int32")
        return self.negative_log_likelihood(y_pred, y_true, y_true >= 0)

    def negative_log_likelihood(
        self, emissions: Any, tags: Any, mask: Any = None, *, step_weight: Any = None
    ) -> Any:
        """Minus the log-probability of taggings.

        Args:
            emissions: A tensor `(batch, time, tags)`.
            tags: Integers `(batch, time)`, anything at masked steps.
            mask: Booleans `(batch, time)`, or None.
            step_weight: Weights `(batch, time)` of the steps' parts in the sum over t of
                -log p(y_t | y_<t, x), or None for 1. They cost one more loop over the steps.

        Returns:
            A tensor `(batch,)`; 0 for a row without steps, 1e30 or more for what is forbidden.
        """
        emissions, mask, steps = self._prepare(emissions, mask)
        chain = self._chain(self.constrained)
        if step_weight is not None:
            step_weight = ops.cast(step_weight, "float32")
        return negative_log_likelihood(chain, emissions, _tags(tags, mask), steps, step_weight)

    # --- decoding ---

    def decode(self, emissions: Any, mask: Any = None) -> Any:
        """The best tagging (Viterbi, 1967).

        Args:
            emissions: A tensor `(batch, time, tags)`.
            mask: Booleans `(batch, time)`, or None.

        Returns:
            Integers `(batch, time)`, 0 at masked steps.
        """
        scores, _, steps = self._scores(emissions, mask)
        return spread(best_tags(fixed(self._chain(True)), scores, steps), steps)

    def decode_nbest(self, emissions: Any, mask: Any = None, *, n: int) -> tuple[Any, Any]:
        """The n best taggings, the best one first.

        For every tag and step the n best ways to go on are kept; memory grows with n as well.

        Args:
            emissions: A tensor `(batch, time, tags)`.
            mask: Booleans `(batch, time)`, or None.
            n: How many, a positive number.

        Returns:
            Integers `(batch, n, time)`, 0 at masked steps; and their log-probabilities
            `(batch, n)`, minus infinity where there are fewer taggings than n.

        Raises:
            ValueError: If n is not positive.

        Reference:
            Seshadri & Sundberg (1994), List Viterbi decoding algorithms with applications.
        """
        if n < 1:
            raise ValueError(f"n: expected a positive number of taggings, got {n}")
        scores, _, steps = self._scores(emissions, mask)
        tags, exists = best_taggings(fixed(self._chain(True)), scores, steps, n)
        chain, scores = self._scaled(scores)
        messages = forward_backward(chain, scores, steps)
        log_probability = log_tagging_probability(chain, messages, tags, steps)
        tags = ops.transpose(spread(tags, steps), (0, 2, 1))
        log_probability = ops.where(exists, log_probability, -float("inf"))
        return tags, by_row(log_probability, steps)

    # --- probabilities ---

    def log_probability(self, emissions: Any, tags: Any, mask: Any = None) -> Any:
        """The log-probability of taggings.

        Args:
            emissions: A tensor `(batch, time, tags)`.
            tags: Integers `(batch, time)`, anything at masked steps.
            mask: Booleans `(batch, time)`, or None.

        Returns:
            A tensor `(batch,)`; 0 for a row without steps, minus infinity for what is forbidden.
        """
        scores, mask, steps = self._scores(emissions, mask)
        chain, scores = self._scaled(scores)
        ways = ops.expand_dims(compact(_tags(tags, mask), steps), -1)
        messages = forward_backward(chain, scores, steps)
        return by_row(log_tagging_probability(chain, messages, ways, steps)[:, 0], steps)

    def marginals(self, emissions: Any, mask: Any = None) -> Any:
        """The probability of every tag at every step.

        Args:
            emissions: A tensor `(batch, time, tags)`.
            mask: Booleans `(batch, time)`, or None.

        Returns:
            A tensor `(batch, time, tags)`; it sums to 1 over the tags, to 0 at masked steps.
        """
        scores, _, steps = self._scores(emissions, mask)
        chain, scores = self._scaled(scores)
        messages = forward_backward(chain, scores, steps)
        return spread(ops.exp(log_marginals(messages, scores)), steps)

    def set_log_probability(self, emissions: Any, allowed: Any, mask: Any = None) -> Any:
        """The log-probability that every step has one of the tags allowed there.

        Args:
            emissions: A tensor `(batch, time, tags)`.
            allowed: Booleans `(batch, time, tags)`, anything at masked steps.
            mask: Booleans `(batch, time)`, or None.

        Returns:
            A tensor `(batch,)`; minus infinity where no tagging is left.
        """
        scores, _, steps = self._scores(emissions, mask)
        chain, scores = self._scaled(scores)
        allowed = compact(ops.cast(allowed, "bool"), steps)
        return by_row(log_set_probability(chain, scores, allowed, steps), steps)

    def span_probability(
        self, emissions: Any, tags: Any, mask: Any, starts: Any, ends: Any, continues: Any
    ) -> Any:
        """The probability of every span that a tagging holds, as it stands.

        That is, the probability that the steps of the span have these tags and that the next valid
        step, if there is one, does not go on with the span; whatever the other steps are.

        Args:
            emissions: A tensor `(batch, time, tags)`.
            tags: A tagging, integers `(batch, time)`, such as `decode` gives.
            mask: Booleans `(batch, time)`, or None.
            starts: Booleans `(batch, time)`, the first step of each span.
            ends: Booleans `(batch, time)`, the last step of each span.
            continues: Booleans `(tags, tags)`, whether the second tag goes on with a span that the
                first one is in.

        Returns:
            A tensor `(batch, time)`: the probability at the last step of each span, 0 elsewhere.
        """
        scores, mask, steps = self._scores(emissions, mask)
        chain, scores = self._scaled(scores)
        spans = (
            compact(_tags(tags, mask), steps),
            compact(ops.cast(starts, "bool"), steps),
            compact(ops.cast(ends, "bool"), steps),
        )
        messages = forward_backward(chain, scores, steps)
        continues = ops.cast(continues, "float32")
        found = span_probability(chain, messages, scores, spans, continues, steps)
        return spread(found, steps)

    # --- inside ---

    def _prepare(self, emissions: Any, mask: Any) -> tuple[Any, Any, Steps]:
        """Emissions as float32, the mask as booleans, and where the valid steps are."""
        # Minus infinity is a fair thing to say of a tag, but not to calculate with.
        emissions = ops.maximum(ops.cast(emissions, "float32"), FORBIDDEN)
        if not self.built:
            self.build(tuple(emissions.shape))
        mask = None if mask is None else ops.cast(mask, "bool")
        return emissions, mask, find_steps(emissions, mask)

    def _scores(self, emissions: Any, mask: Any) -> tuple[Any, Any, Steps]:
        """Compact emissions, which no derivative is taken of, the mask and the valid steps."""
        emissions, mask, steps = self._prepare(emissions, mask)
        return compact(ops.stop_gradient(emissions), steps), mask, steps

    def _scaled(self, scores: Any) -> tuple[Chain, Any]:
        """All scores over the temperature, for a question for probabilities."""
        temperature = ops.stop_gradient(self.temperature)
        return fixed(self._chain(self.constrained, temperature)), scores / temperature

    def _chain(self, constrained: bool, temperature: Any = None) -> Chain:
        """The layer's scores over the temperature, without forbidden moves if `constrained`."""
        # On TensorFlow a variable counts as a tensor, and a loop would read it at every step.
        scores = [ops.copy(w) for w in (self.start, self.transitions, self.end)]
        if temperature is not None:
            scores = [score / temperature for score in scores]
        if constrained and self.forbidden is not None:
            scores = [
                ops.where(np.array(forbidden), FORBIDDEN, score)
                for forbidden, score in zip(self.forbidden, scores, strict=True)
            ]
        return Chain(*scores)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "forbidden": self.forbidden,
            "constrained": self.constrained,
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }


def _tags(tags: Any, mask: Any) -> Any:
    """Integers, 0 at masked steps."""
    tags = ops.cast(tags, "int32")
    return tags if mask is None else ops.where(mask, tags, 0)


def _checked(forbidden: Sequence[Any]) -> list[Any]:
    """What is forbidden as nested lists of booleans."""
    parts = [np.asarray(part) for part in forbidden]
    tags = len(parts[0]) if parts and parts[0].ndim else 0
    shapes = [part.shape for part in parts]
    if shapes != [(tags,), (tags, tags), (tags,)]:
        raise ValueError(
            "forbidden: expected booleans of the shapes (tags,), (tags, tags) and (tags,), "
            f"got {', '.join(map(str, shapes))}"
        )
    return [part.astype(bool).tolist() for part in parts]
