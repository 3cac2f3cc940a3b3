"""What tests of runs share: a clock that moves a second per event, a run to begin with, strategies for bodies."""

import types
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from lodestream_server.runs.bodies import Body, PhasePlan, Submitted
from lodestream_server.runs.events import Event
from lodestream_server.runs.fold import apply
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PHASES = ("Loading", "Mining", "Report")
BODIES: tuple[type[Any], ...] = get_args(Body)


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def submitted(**changes: Any) -> Submitted:
    """A job of three phases, the second as heavy as the others together."""
    given: dict[str, Any] = {
        "tenant_id": "t",
        "project_id": "p",
        "kind": RunKind.JOB,
        "type": "Test",
        "name": "A test",
        "phases": (PhasePlan("Loading", 1), PhasePlan("Mining", 2), PhasePlan("Report", 1)),
    }
    return Submitted(**{**given, **changes})


def story(*bodies: Body, seconds: float = 1) -> list[Event]:
    """Events of one run, so many seconds apart."""
    return [Event("run", n, 100 + n, at((n - 1) * seconds), body) for n, body in enumerate(bodies, start=1)]


def after(*bodies: Body, seconds: float = 1) -> RunState:
    """The state after these events."""
    state = None
    for event in story(*bodies, seconds=seconds):
        state = apply(state, event)
    assert state is not None
    return state


_JSON = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)


def bodies(kind: type[Any], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any body of a kind, some fields given."""
    hints = get_type_hints(kind)
    return st.builds(
        kind, **{f.name: given[f.name] if f.name in given else _values(hints[f.name]) for f in fields(kind)}
    )


def _values(hint: Any) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_values(one) for one in inner))
    if origin is tuple:
        return st.lists(_values(inner[0]), max_size=3).map(tuple)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is dict:
        return _JSON
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return _PLAIN[hint] if hint in _PLAIN else bodies(hint)


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    types.NoneType: st.none(),
    str: st.text(max_size=8),
    int: st.integers(0, 2**40),
    float: st.floats(0, 1e6, allow_nan=False),
    bool: st.booleans(),
    datetime: st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # bounds are naive by contract
}
