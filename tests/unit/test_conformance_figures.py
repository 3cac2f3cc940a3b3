"""Replay, alignments and precision against figures computed by hand, and against another implementation."""

import random
from uuid import UUID

import pytest
from lodestream_server.workloads.process_models.alignments import Aligner, OutOfBounds, Unreachable
from lodestream_server.workloads.process_models.deviations import Deviation, deviations_of, told
from lodestream_server.workloads.process_models.game import Game
from lodestream_server.workloads.process_models.measuring import Measuring
from lodestream_server.workloads.process_models.net import PetriNet
from lodestream_server.workloads.process_models.replay import Replay, Tokens
from r4pm.bindings.conformance.case_centric.alignments import AlignmentOptions, align_trace

from tests.unit.process_model_world import LOOPED, language, net_of

LINE = net_of("s > A > m", "m > B > e")
#: B and C in any order between A and D; B may be left out.
DIAMOND = net_of("s > A > a b", "a > B > c", "a > . > c", "b > C > d", "c d > D > e")
COSTS: AlignmentOptions = {
    "cost_fn": {"sync_move_cost": 0, "log_move_cost": 1, "model_move_cost": 1, "silent_move_cost": 0},
    "max_states": 100_000,
}


def _measured(net: PetriNet, *variants: tuple[str, int]) -> Measuring:
    measuring = Measuring(net, lambda: None)
    for activities, cases in variants:
        measuring.add(list(activities), cases)
    return measuring


@pytest.mark.parametrize(
    ("trace", "consumed", "produced", "missing", "remaining", "fitness"),
    [
        ("AB", 3, 3, 0, 0, 1.0),
        ("A", 2, 2, 1, 1, 0.5),
        ("B", 2, 2, 1, 1, 0.5),
        ("AXB", 4, 4, 1, 1, 0.75),
        ("", 1, 1, 1, 1, 0.0),
        ("ABB", 4, 4, 1, 1, 0.75),
    ],
)
def test_tokens_of_a_replay_are_those_counted_by_hand(trace, consumed, produced, missing, remaining, fitness):
    """The token at the start is produced, the one at the end consumed; an unknown activity adds one of each."""
    tokens = Replay(Game(LINE)).trace(list(trace)).tokens
    assert tokens == Tokens(consumed, produced, missing, remaining)
    assert tokens.fitness == pytest.approx(fitness)


def test_replay_takes_silent_steps_where_they_help():
    """B is left out by the silent step; the case is a run, and its states are those before the silent move."""
    replayed = Replay(Game(DIAMOND)).trace(["A", "C", "D"])
    assert replayed.tokens.perfect
    assert len(replayed.states) == 3


def test_figures_of_a_log_are_weighted_by_cases():
    """Nine cases fit; one lacks B: cost 1 of 1 + 2 at the worst."""
    measured = _measured(LINE, ("AB", 9), ("A", 1))
    assert (measured.cases, measured.aligned, measured.fitting) == (10, 10, 9)
    assert measured.fitness / 10 == pytest.approx((9 + 2 / 3) / 10)
    assert 1 - measured.cost / measured.worst == pytest.approx(1 - 1 / (9 * 4 + 3))
    assert measured.tokens == Tokens(9 * 3 + 2, 9 * 3 + 2, 1, 1)
    table = measured.deviations.table(10)
    assert table.rows() == [("skipped", "B", "A", 1, 0.1, 1)]


def test_precision_counts_what_the_log_never_does():
    """Of two ways the log takes one: half. Where it takes both: all. A fit that is no run of the model adds nothing."""
    choice = net_of("s > A > e", "s > B > e")
    assert _measured(choice, ("A", 5)).precision.value(lambda: None) == pytest.approx(0.5)
    assert _measured(choice, ("A", 5), ("B", 1)).precision.value(lambda: None) == pytest.approx(1.0)
    # A: 1 of 1; B: 1 of {B, C}; C after B: 1 of 1; D: 1 of 1.
    assert _measured(DIAMOND, ("ABCD", 4)).precision.value(lambda: None) == pytest.approx(3.5 / 4)
    assert _measured(choice, ("X", 5)).precision.value(lambda: None) is None


def test_deviations_tell_what_was_skipped_or_extra_and_where():
    """After the last activity that fitted; unknown ones stay at their place."""
    aligner = Aligner(Game(LOOPED), lambda: None)
    found = deviations_of(aligner.trace(["X", "A", "B", "D", "Y"]).moves)
    assert found == [
        Deviation("extra", "X", ""),
        Deviation("skipped", "C", "B"),
        Deviation("extra", "Y", "D"),
    ]
    assert told(found) == "extra 'X' at the start; skipped 'C' after 'B'; extra 'Y' after 'D'"


NETS = {
    "line": LINE,
    "diamond": DIAMOND,
    "looped": LOOPED,
    "two ways to B": net_of("s > A > m", "m > B > e", "s > B > n", "n > . > m", "n > C > e"),
    "not free choice": net_of("s > S > a b", "a > A > x", "a b > B > e", "x b > C > e"),
}


@pytest.mark.parametrize("name", NETS)
def test_costs_are_optimal(name):
    """As another implementation finds them; a case that replays without fault costs nothing; every run costs nothing;
    the activities of an alignment are those of the case."""
    net, chance = NETS[name], random.Random(5)
    aligner, replay, other = Aligner(Game(net), lambda: None), Replay(Game(net)), _as_r4pm(net)
    labels = [*{step.label for step in net.transitions if step.label}, "?"]
    traces = [[chance.choice(sorted(labels)) for _ in range(chance.randrange(8))] for _ in range(80)]
    runs = language(net, 5)
    for trace in [*traces, *map(list, sorted(runs))]:
        aligned = aligner.trace(trace)
        assert aligned.cost == align_trace(other, trace, COSTS)["cost"]
        assert (aligned.cost == 0) == (tuple(trace) in runs or (len(trace) > 5 and aligned.cost == 0))
        assert [move.activity for move in aligned.moves if move.kind in ("together", "extra")] == trace
        assert not (replay.trace(trace).tokens.perfect and aligned.cost)


def _as_r4pm(net: PetriNet):
    names = [*net.places, *(step.name for step in net.transitions)]
    ids = {name: str(UUID(int=number)) for number, name in enumerate(names, 1)}

    def arc(source: str, target: str):
        kind = "PlaceTransition" if source in net.places else "TransitionPlace"
        return {"from_to": {"type": kind, "nodes": [ids[source], ids[target]]}, "weight": 1}

    return {
        "places": {ids[place]: {"id": ids[place]} for place in net.places},
        "transitions": {ids[step.name]: {"id": ids[step.name], "label": step.label} for step in net.transitions},
        "arcs": [arc(*ends) for ends in net.arcs],
        "initial_marking": {ids[place]: count for place, count in net.initial.items()},
        "final_markings": [{ids[place]: count for place, count in net.final.items()}],
    }


def test_an_alignment_beyond_the_bound_is_given_up_and_counted():
    """Replay still tells something; the case counts neither as fitting nor as deviating."""
    wide = net_of(
        "s > S > " + " ".join(f"i{n}" for n in range(16)),
        *(f"i{n} > T{n} > o{n}" for n in range(16)),
        " ".join(f"o{n}" for n in range(16)) + " > J > e",
    )
    checks: list[None] = []
    with pytest.raises(OutOfBounds):
        Aligner(Game(wide), lambda: checks.append(None), 20_000).trace(["J", "T1", "T1", "T2", "T2", "S"])
    assert len(checks) >= 2
    measuring = Measuring(wide, lambda: None)
    measuring.effort = 10**12
    fit = measuring.add(["S", "J"], 7)
    assert (fit.fitness, fit.fits, measuring.cases, measuring.aligned) == (None, False, 7, 0)
    assert 0 < fit.replay < 1


def test_a_net_without_a_complete_run_is_known_as_such():
    """No run reaches the final marking, however long one looks."""
    endless = net_of("s > A > m", "m > B > s")
    with pytest.raises(Unreachable):
        Aligner(Game(endless), lambda: None).trace([])
    measuring = Measuring(endless, lambda: None)
    assert (measuring.shortest, measuring.dead) == (None, True)
    assert measuring.add(["A"], 1).fitness is None
