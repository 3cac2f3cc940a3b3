"""Boosted trees that can be followed and stopped after every round while they grow."""

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

#: Classes that a classifier may have for the full number of rounds; a round grows a tree per class.
MOST_TREES_PER_ROUND = 8

ROWS_AT_ONCE = 10_000

#: Growing never stops by itself: scores are asked for only because that happens after every round.
_SHAPE = {
    "learning_rate": 0.2,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "early_stopping": True,
    "validation_fraction": None,
    "n_iter_no_change": 1_000_000,
    "random_state": SEED,
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
    calls = 0

    def told(*_: Any) -> float:
        nonlocal calls
        # The first call comes before the first round.
        meter.say(f"Training the {what} model: {calls} of {rounds} rounds")
        calls += 1
        return 0.0

    model.set_params(max_iter=rounds, scoring=told)
    with few():
        model.fit(figures, target)
    # A fitted model is given away as a pickle: it must not hold on to this run.
    model.set_params(scoring="loss", early_stopping=False)
    if hasattr(model, "_scorer"):
        del model._scorer


def predicted(meter: Meter, function: Any, figures: NDArray[Any]) -> NDArray[Any]:
    """What a fitted model's `predict` or `predict_proba` says, in steps."""
    found = []
    with few():
        for begin in range(0, len(figures), ROWS_AT_ONCE):
            found.append(function(figures[begin : begin + ROWS_AT_ONCE]))
            meter.check()
    return np.concatenate(found)
