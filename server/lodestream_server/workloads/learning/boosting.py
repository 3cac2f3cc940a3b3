"""Boosted trees grown in small steps, so that the run can be followed and stopped between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (  # type: ignore[import-untyped]  # ships no types
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from lodestream_server.workloads.learning.forest import SEED
from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.learning.threads import few

#: Trees grown between two cancel points (a round of a classifier grows a tree per class).
TREES_AT_ONCE = 60

#: Trees of a classifier: with many classes it gets fewer rounds.
MOST_TREES_PER_ROUND = 8

ROWS_AT_ONCE = 10_000

_SHAPE = {
    "learning_rate": 0.2,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": SEED,
    "warm_start": True,
}


def regressor(categories: Sequence[int]) -> Any:
    """Learns medians, because it is judged by absolute errors."""
    return HistGradientBoostingRegressor(loss="absolute_error", categorical_features=list(categories), **_SHAPE)


def classifier(categories: Sequence[int]) -> Any:
    """Learns the probability of each class."""
    return HistGradientBoostingClassifier(categorical_features=list(categories), **_SHAPE)


def fit(meter: Meter, model: Any, figures: NDArray[Any], target: NDArray[Any], rounds: int, what: str) -> None:
    """Grows the model to so many rounds; `what` names it in the activity."""
    classes = len(np.unique(target)) if hasattr(model, "predict_proba") else 1
    rounds = max(1, min(rounds, rounds * MOST_TREES_PER_ROUND // classes))
    step = max(1, TREES_AT_ONCE // classes)
    with few():
        for done in [*range(step, rounds, step), rounds]:
            model.set_params(max_iter=done)
            model.fit(figures, target)
            meter.say(f"Training the {what} model: {done} of {rounds} rounds")


def predicted(meter: Meter, function: Any, figures: NDArray[Any]) -> NDArray[Any]:
    """What a fitted model's `predict` or `predict_proba` says, in steps."""
    found = []
    with few():
        for begin in range(0, len(figures), ROWS_AT_ONCE):
            found.append(function(figures[begin : begin + ROWS_AT_ONCE]))
            meter.check()
    return np.concatenate(found)
