"""Who is next and when that will be: pure figures. Nobody starves, tenants share, what does not fit waits its turn."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from lodestream_server.engine.fairness import HALF_LIFE_S, Shares
from lodestream_server.engine.queue import (
    AGEING_S,
    PATIENCE_S,
    Capacity,
    Waiting,
    choose,
    expected_starts,
    in_order,
    level,
)
from lodestream_server.runs.bodies import Resources
from lodestream_server.runs.states import Priority

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GB = 10**9


def _waiting(
    run_id: str, priority: Priority = Priority.NORMAL, second: float = 0, tenant: str = "t", **more
) -> Waiting:
    resources = more.pop("resources", Resources())
    return Waiting(run_id, tenant, priority, NOON + timedelta(seconds=second), resources, **more)


_QUEUES = st.lists(
    st.builds(
        _waiting,
        st.uuids().map(str),
        st.sampled_from(Priority),
        st.integers(-3000, 0),
        st.sampled_from("abc"),
        expected_s=st.none() | st.floats(0.1, 500),
    ),
    unique_by=lambda waiting: waiting.run_id,
    max_size=30,
)


@given(_QUEUES)
def test_choosing_one_after_the_other_is_the_order_shown(queue):
    """Positions are not a second opinion."""
    shown, taken, left = in_order(queue, NOON), list[Waiting](), list(queue)
    used: dict[str, float] = {}
    while (chosen := choose(left, Capacity(1), NOON, used)) is not None:
        taken.append(chosen)
        left.remove(chosen)
        used[chosen.tenant_id] = used.get(chosen.tenant_id, 0.0) + chosen.cost_s
    assert taken == shown


@given(_QUEUES)
def test_within_a_tenant_levels_go_down_and_turns_go_up(queue):
    """Whoever is more urgent, or as urgent and earlier, is never behind."""
    for tenant in "abc":
        shown = [waiting for waiting in in_order(queue, NOON) if waiting.tenant_id == tenant]
        assert [level(w, NOON) for w in shown] == sorted((level(w, NOON) for w in shown), reverse=True)
        for one, other in pairwise(shown):
            if one.priority is other.priority:
                assert one.queued_at <= other.queued_at


def test_without_a_free_seat_nobody_is_chosen():
    """However urgent."""
    assert choose([_waiting("a", Priority.CRITICAL)], Capacity(0), NOON) is None


def test_every_ten_minutes_of_waiting_are_worth_a_priority():
    """Low is Normal after ten minutes, and Critical after thirty; there it stays."""
    low = _waiting("low", Priority.LOW)
    levels = [level(low, NOON + timedelta(seconds=n * AGEING_S)) for n in range(6)]
    assert levels == [1, 2, 3, 4, 4, 4]


_SERVICE_S = 60.0
_RIVALS = st.lists(
    st.tuples(st.integers(0, 7200), st.sampled_from("abc"), st.sampled_from(Priority), st.booleans()), max_size=80
)


@settings(max_examples=60, deadline=None)
@given(_RIVALS, st.integers(0, 1200))
def test_nobody_starves_whatever_keeps_coming(rivals, second):
    """One seat, three tenants, any arrivals on top of an endless stream of critical runs from the two others.

    The bound: thirty minutes to the highest level; then the runs of the own tenant that may go first, each with a
    round of the others; then what the others may catch up of the machine's time that the own tenant had.
    """
    victim = _waiting("victim", Priority.LOW, second, "a")
    arrivals = [_waiting(f"r{n}", how, at, who, front=front) for n, (at, who, how, front) in enumerate(rivals)]
    arrivals += [_waiting(f"s{n}", Priority.CRITICAL, n * _SERVICE_S, "bc"[n % 2]) for n in range(400)]
    ahead = sum(w.tenant_id == "a" for w in arrivals)
    catch_up_s = 2 * HALF_LIFE_S / 0.693
    bound_s = 3 * AGEING_S + (ahead + 1) * 3 * _SERVICE_S + catch_up_s
    assert _wait_s(victim, [*arrivals, victim]) <= bound_s


def _wait_s(victim: Waiting, arrivals: list[Waiting]) -> float:
    to_come = sorted(arrivals, key=lambda waiting: waiting.queued_at, reverse=True)
    now, queue, shares = NOON, list[Waiting](), Shares()
    while True:
        while to_come and to_come[-1].queued_at <= now:
            queue.append(to_come.pop())
        chosen = choose(queue, Capacity(1), now, shares.used_s(now))
        if chosen is victim:
            return (now - victim.queued_at).total_seconds()
        if chosen is not None:
            queue.remove(chosen)
            shares.charge(chosen.tenant_id, _SERVICE_S, now)
        now += timedelta(seconds=_SERVICE_S)


def test_tenants_take_turns_however_much_one_of_them_sends():
    """A thousand runs of one tenant do not put the single one of another a thousand places back."""
    queue = [_waiting(f"a{n:04}", tenant="a", second=n) for n in range(1000)]
    queue += [_waiting(f"b{n}", tenant="b", second=1000 + n) for n in range(3)]
    assert [waiting.tenant_id for waiting in in_order(queue, NOON)[:7]] == ["a", "b", "a", "b", "a", "b", "a"]


def test_what_a_tenant_used_fades():
    """After a half-life it counts half; a charge that was too high is put right."""
    shares = Shares()
    shares.charge("a", 100.0, NOON)
    assert shares.used_s(NOON + timedelta(seconds=HALF_LIFE_S)) == {"a": 50.0}
    shares.charge("a", -500.0, NOON + timedelta(seconds=HALF_LIFE_S))
    assert shares.used_s(NOON + timedelta(seconds=HALF_LIFE_S)) == {}


def test_a_front_run_goes_before_all_of_its_priority_but_not_before_more_urgent_ones():
    """Immediate execution is a place within the priority."""
    queue = [_waiting("old", second=-500), _waiting("urgent", Priority.HIGH), _waiting("now", front=True)]
    assert [waiting.run_id for waiting in in_order(queue, NOON)] == ["urgent", "now", "old"]


def test_a_run_that_does_not_fit_lets_others_pass_for_a_minute_then_nobody():
    """Small ones use the room meanwhile; after that the machine is kept free for the large one."""
    large = _waiting("large", Priority.HIGH, resources=Resources(4, 8 * GB))
    small = _waiting("small", second=1, resources=Resources(1, 1 * GB))
    tight = Capacity(1, 2, 4 * GB)
    assert choose([large, small], tight, NOON) is small
    assert choose([large, small], tight, NOON + timedelta(seconds=PATIENCE_S)) is None
    assert choose([large, small], Capacity(1, 4, 8 * GB), NOON + timedelta(seconds=PATIENCE_S)) is large


def test_memory_and_processors_are_counted_each():
    """Room for one is no room for the other."""
    assert Capacity(1, 2, 4 * GB).fits(Resources(2, 4 * GB))
    assert not Capacity(1, 2, 4 * GB).fits(Resources(2.5, 1 * GB))
    assert not Capacity(1, 2, 4 * GB).fits(Resources(1, 5 * GB))
    assert not Capacity(0, 2, 4 * GB).fits(Resources(1, 1))


def test_starts_follow_the_seats_as_they_become_free():
    """Two seats, free in 10 and 30 s; runs of 15, 5 and 1 s: at 10, 25 and 30."""
    order = [_waiting("a"), _waiting("b"), _waiting("c")]
    starts = expected_starts(order, {"a": 15.0, "b": 5.0, "c": 1.0}, [30.0, 10.0], 2, NOON)
    assert [(starts[run_id] - NOON).total_seconds() for run_id in "abc"] == [10.0, 25.0, 30.0]


def test_behind_an_unknown_nothing_is_promised():
    """A run of unknown length has a start, those after it have none; neither has anybody behind unknown running
    work."""
    order = [_waiting("a"), _waiting("b")]
    assert set(expected_starts(order, {"a": None, "b": 1.0}, [5.0], 1, NOON)) == {"a"}
    assert expected_starts(order, {"a": 1.0, "b": 1.0}, [None], 1, NOON) == {}
