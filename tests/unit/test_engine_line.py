"""The queue in memory: shallow or deep, whoever should be next is among the candidates."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lodestream_server.engine.fairness import Shares
from lodestream_server.engine.line import Line
from lodestream_server.engine.queue import Capacity, Waiting, choose, in_order
from lodestream_server.runs.bodies import Resources
from lodestream_server.runs.states import Priority

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _waiting(number: int, priority: Priority = Priority.NORMAL, tenant: str = "t") -> Waiting:
    return Waiting(f"r{number:05}", tenant, priority, NOON + timedelta(milliseconds=number), Resources())


def _line(*some: Waiting) -> Line:
    line = Line()
    for waiting in some:
        line.put(waiting)
    return line


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Priority), st.sampled_from("abc")), max_size=250), st.integers(0, 3))
def test_a_queue_that_only_shrinks_is_served_in_its_order(given_runs, seconds):
    """Deep or shallow, the ones taken from the candidates are those the whole queue would have given."""
    some = [_waiting(n, priority, tenant) for n, (priority, tenant) in enumerate(given_runs)]
    line, now, used = _line(*some), NOON + timedelta(seconds=seconds), dict[str, float]()
    taken = []
    while (chosen := choose(line.candidates(now, Shares()), Capacity(1), now, used)) is not None:
        line.drop(chosen.run_id)
        used[chosen.tenant_id] = used.get(chosen.tenant_id, 0.0) + chosen.cost_s
        taken.append(chosen)
    assert taken == in_order(some, now)


@pytest.mark.parametrize("depth", [5, 500])
def test_what_comes_in_between_is_looked_at_beside_the_order(depth):
    """Someone more urgent, and someone of a tenant that had nothing, do not wait for the next sort."""
    line = _line(*(_waiting(n) for n in range(depth)))
    assert line.candidates(NOON, Shares())[0].tenant_id == "t"
    line.put(_waiting(9000, Priority.CRITICAL))
    line.put(_waiting(9001, tenant="new"))
    ids = {waiting.run_id for waiting in line.candidates(NOON, Shares())}
    assert {"r09000", "r09001"} <= ids


def test_a_deep_queue_shows_everybody_once():
    """Those of the last order and those that came since; not those that have gone."""
    line = _line(*(_waiting(n) for n in range(300)))
    line.in_order(NOON, Shares())
    line.drop("r00000")
    line.put(_waiting(1, Priority.HIGH))
    line.put(_waiting(9000))
    shown = [waiting.run_id for waiting in line.in_order(NOON, Shares())]
    assert len(shown) == len(set(shown)) == len(line) == 300
    assert line.as_urgent(Priority.HIGH) == 1
    assert line.as_urgent(Priority.NORMAL) == 300


def test_a_deep_order_is_renewed_after_a_while():
    """A change of priority shows then at the latest."""
    line = _line(*(_waiting(n) for n in range(300)))
    line.in_order(NOON, Shares())
    line.put(_waiting(299, Priority.CRITICAL))
    later = NOON + timedelta(minutes=1)
    assert line.in_order(later, Shares())[0].run_id == "r00299"
