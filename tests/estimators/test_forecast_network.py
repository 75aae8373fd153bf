"""The models around a builder's network."""

from __future__ import annotations

import numpy as np
import pytest

import kseq


@pytest.mark.parametrize("channels", ["joint", "independent"])
@pytest.mark.parametrize("normalize", ["last", "mean"])
def test_a_batch_as_large_as_the_horizon_is_no_special_case(channels, normalize):
    """Keras' addition once took the level of each window for a bias over the horizon."""
    rng = np.random.default_rng(1)
    forecaster = kseq.Forecaster(
        window=5,
        horizon=7,
        target=0,
        past_covariates=[1],
        normalize=normalize,
        channels=channels,
        model={"cell": "rnn", "units": 3},
        training={"epochs": 1},
        random_state=0,
    ).fit(rng.normal(size=(60, 2)).cumsum(axis=0))
    x = rng.normal(size=(7, 5, 2)).astype("float32")
    together = np.asarray(forecaster.servable_({"x": x})["forecast"])
    alone = [np.asarray(forecaster.servable_({"x": row[None]})["forecast"]) for row in x]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)
    np.testing.assert_allclose(
        forecaster._models.forward({"x": x})["forecast"], together, atol=1e-5
    )
