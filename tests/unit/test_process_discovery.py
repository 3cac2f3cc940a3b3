"""Process models from counts: what each algorithm makes of small logs, and what answers where one has no answer."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from lodestream_server.workloads.declared.analysis import JOB as ANALYSIS
from lodestream_server.workloads.declared.mining import JOB, OPERATION
from lodestream_server.workloads.mining.report.frame import Caption
from lodestream_server.workloads.parameters import violations
from lodestream_server.workloads.phase import Cancelled
from lodestream_server.workloads.process_models import discovery
from lodestream_server.workloads.process_models.alpha import NoModel, alpha_net, usable
from lodestream_server.workloads.process_models.behaviour import Behaviour
from lodestream_server.workloads.process_models.dfg_net import dfg_net
from lodestream_server.workloads.process_models.discovery import ALGORITHMS, Discovered, discovered
from lodestream_server.workloads.process_models.net import PetriNet, Transition
from lodestream_server.workloads.process_models.picture import picture
from lodestream_server.workloads.process_models.pnml import write_pnml

from lodestream.samples.loan_process import way
from tests.unit.process_model_world import Trace, language, replays


def seen(log: dict[str, int] | dict[Trace, int]) -> Behaviour:
    """The counts of a log given as variants (a text is a trace of letters) with their cases."""
    variants = sorted(((tuple(trace), cases) for trace, cases in log.items()), key=lambda item: -item[1])
    activities: Counter[str] = Counter()
    steps: Counter[tuple[str, str]] = Counter()
    starts: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for trace, cases in variants:
        starts[trace[0]] += cases
        ends[trace[-1]] += cases
        for name in trace:
            activities[name] += cases
        for step in pairwise(trace):
            steps[step] += cases
    counts = dict(activities.most_common())
    return Behaviour(counts, starts, ends, steps, tuple(variants), sum(log.values()))


def go_on() -> None:
    """Nobody wants to stop."""


def mined(log: dict[str, int] | dict[Trace, int], algorithm: str = "heuristics") -> Discovered:
    """What an algorithm that needs no folder discovers."""
    return discovered(seen(log), algorithm, Path(), go_on)


def told(net: PetriNet, longest: int = 6) -> set[str]:
    """The traces of a net as words."""
    return {"".join(trace) for trace in language(net, longest)}


def test_a_sequence_becomes_a_line_without_silent_steps() -> None:
    """Three activities, four places, nothing else."""
    found = mined({"abc": 10})
    assert told(found.net) == {"abc"}
    assert (len(found.net.places), len(found.net.transitions), len(found.net.arcs)) == (4, 3, 6)


def test_a_choice_takes_one_branch() -> None:
    """b or c, never both."""
    assert told(mined({"abd": 60, "acd": 40}).net) == {"abd", "acd"}


def test_parallel_work_comes_in_any_order_and_is_waited_for() -> None:
    """b and c in both orders; neither alone."""
    assert told(mined({"abcd": 50, "acbd": 50}).net) == {"abcd", "acbd"}


def test_three_parallel_activities_come_in_orders_that_no_case_showed() -> None:
    """Four of the six orders are enough."""
    found = mined({"abcde": 25, "acdbe": 25, "adbce": 25, "acbde": 25})
    assert told(found.net) == {"abcde", "abdce", "acbde", "acdbe", "adbce", "adcbe"}


def test_an_activity_may_be_left_out() -> None:
    """With and without b."""
    assert told(mined({"abc": 70, "ac": 30}).net) == {"abc", "ac"}


def test_a_loop_of_one_repeats_its_activity() -> None:
    """b once or more."""
    found = mined({"abc": 80, "abbc": 20, "abbbc": 5})
    assert {"abc", "abbc", "abbbbc"} <= told(found.net)


def test_a_loop_over_a_whole_case_begins_and_ends_where_cases_do() -> None:
    """Nothing but a, once or more; nothing but rounds of a b."""
    for algorithm in ("heuristics", "dfg"):
        assert told(mined({"a": 10, "aa": 10, "aaa": 10}, algorithm).net, 3) == {"a", "aa", "aaa"}
        assert told(mined({"ab": 10, "abab": 10, "ababab": 10}, algorithm).net) == {"ab", "abab", "ababab"}


def test_a_loop_of_two_goes_back() -> None:
    """b c b c … is a loop, not parallel work."""
    found = mined({"abd": 50, "abcbd": 40, "abcbcbd": 20})
    assert told(found.net, 7) == {"abd", "abcbd", "abcbcbd"}


def test_rare_noise_leaves_no_trace_in_the_net() -> None:
    """One case in a hundred and fifty does its work in the wrong order."""
    assert told(mined({"abcd": 1_000, "acbd": 7}).net) == {"abcd"}


def test_a_log_of_one_activity_has_a_model() -> None:
    """By each algorithm; alpha's own answer or the net in its place."""
    for algorithm in ("heuristics", "dfg"):
        assert told(mined({"a": 3}, algorithm).net) == {"a"}


def test_a_log_whose_cases_all_differ_has_a_model_with_all_activities() -> None:
    """Ten activities in ten rotations: everything begins and ends somewhere."""
    letters = "abcdefghij"
    found = mined({letters[i:] + letters[:i]: 1 for i in range(10)})
    assert {step.label for step in found.net.transitions} >= set(letters)
    assert all(replays(found.net, trace) for trace, _ in seen({letters: 1}).variants)


def test_odd_names_are_only_names() -> None:
    """Names of places, of markers and of nothing."""
    names = ("start", "end", "p1", "t1", "", " ", "0", "-1", "<&>", "\N{SNOWMAN}\n")
    log: dict[Trace, int] = {names: 20}
    found = mined(log)
    assert replays(found.net, names)


def test_the_directly_follows_net_replays_every_case_even_the_rarest() -> None:
    """Noise included."""
    log = {"abcd": 1_000, "acbd": 1, "dcba": 1, "aaa": 1, "b": 1}
    found = mined(log, "dfg")
    assert found.algorithm == "dfg"
    assert all(replays(found.net, tuple(trace)) for trace in log)


def test_the_loan_process_is_replayed_in_all_its_ways() -> None:
    """A clean log of the generating process: every way a case can take fits, the longest of 4,000 included."""
    random = Random(3)
    ways = Counter(tuple(way(random, random.choice((5_000, 50_000)))[1]) for _ in range(4_000))
    found = mined(dict(ways))
    assert [trace for trace in ways if not replays(found.net, trace)] == []
    assert found.left_out == ()
    assert found.replayed == 1.0
    assert len(found.net.transitions) < 40


def test_only_the_frequent_ones_of_very_many_activities_are_drawn_into_the_net() -> None:
    """300 activities in chains: the 100 most frequent ones remain, the others are named."""
    log: dict[Trace, int] = {tuple(f"{chain}/{place}" for place in range(10)): 100 - chain for chain in range(30)}
    found = mined(log)
    said = found.as_json()
    assert (len(said["activitiesLeftOut"]), said["activitiesLeftOutCount"]) == (50, 200)
    assert sum(step.label is not None for step in found.net.transitions) == 100


def test_a_log_that_is_one_endless_case_has_a_model_from_its_counts_alone(tmp_path: Path) -> None:
    """As when the wrong column names the cases: no variant is at hand. Alpha is not even started."""
    log = replace(seen({"abcabcabc": 1}), variants=())
    for algorithm in ALGORITHMS:
        found = discovered(log, algorithm, tmp_path, go_on)
        assert {"abc", "abcabc"} <= told(found.net)
        assert found.replayed in (0.0, None)
    assert list(tmp_path.iterdir()) == []


def test_alpha_discovers_parallel_work(tmp_path: Path) -> None:
    """The first example of every textbook; the same net each time, though r4pm's ids are random."""
    log = seen({"abcd": 30, "acbd": 20, "aed": 10})
    net = alpha_net(log, tmp_path, go_on)
    assert told(net) == {"abcd", "acbd", "aed"}
    assert net == alpha_net(log, tmp_path, go_on)


def test_a_degenerate_alpha_net_is_answered_by_a_heuristics_net(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places < transitions / 4: what answers, and why, is said."""
    steps = tuple(Transition(f"t{i}", "abcde"[i]) for i in range(5))
    poor = PetriNet(("p1",), steps, (("p1", "t0"),), {"p1": 1}, {"p1": 1})
    monkeypatch.setattr(discovery, "alpha_net", lambda *_: usable(poor))
    found = discovered(seen({"abcde": 10}), "alpha_miner_enhanced", tmp_path, go_on)
    assert told(found.net) == {"abcde"}
    assert found.as_json() | {"fallbackReason": ""} == {
        "algorithm": "heuristics",
        "requested": "alpha_miner_enhanced",
        "places": 6,
        "transitions": 5,
        "silentTransitions": 0,
        "arcs": 10,
        "dependencyThreshold": 0.9,
        "replayedShare": 1.0,
        "fallbackReason": "",
    }
    assert found.fallback is not None
    assert "fewer places than a quarter of the transitions (1 of 5)" in found.fallback


def test_a_quarter_as_many_places_as_transitions_is_enough() -> None:
    """The border itself."""
    steps = tuple(Transition(f"t{i}", str(i)) for i in range(4))
    enough = PetriNet(("p1",), steps, (), {"p1": 1}, {"p1": 1})
    assert usable(enough) is enough
    with pytest.raises(NoModel, match="no end"):
        usable(PetriNet(("p1",), steps, (), {"p1": 1}, {}))


def test_alpha_is_stopped_when_it_takes_too_long(tmp_path: Path) -> None:
    """No time at all is too short for any answer."""
    with pytest.raises(NoModel, match="no answer within 0 seconds"):
        alpha_net(seen({"ab": 1}), tmp_path, go_on, within_s=0.0)


def test_runs_may_ask_for_each_algorithm_and_for_no_other() -> None:
    """The declared words are those that discovery knows, for jobs and operations of mining and for analyses."""
    for spec in (JOB, OPERATION, ANALYSIS):
        (algorithm,) = (parameter for parameter in spec.parameters if parameter.name == "algorithm")
        assert tuple(algorithm.words) == ALGORITHMS
        (fault,) = violations([algorithm], {"algorithm": "inductive"})
        assert fault.field == "parameters.algorithm"
        assert fault.description == "must be one of heuristics, alpha_miner_enhanced, dfg"


def test_a_picture_shows_every_activity_and_what_is_too_large_is_not_drawn() -> None:
    """Names are escaped."""
    log: dict[Trace, int] = {("<a>", "b"): 5}
    found = mined(log)
    drawing = picture(found.net, Caption("T", "s"))
    assert drawing is not None
    assert "&lt;a&gt;" in drawing
    assert "<a>" not in drawing
    large = PetriNet(("p",), (Transition("t", "x"),), (("p", "t"),) * 131, {"p": 1}, {"p": 1})
    assert picture(large, Caption("T", "s")) is None


def test_a_net_of_many_edges_can_be_left_in_its_midst(tmp_path: Path) -> None:
    """While it is made, and while it is written."""
    names = [f"A{number}" for number in range(90)]
    log = Behaviour(
        activities=dict.fromkeys(names, 90),
        starts={names[0]: 1},
        ends={names[-1]: 1},
        steps={(one, other): 1 for one in names for other in names},
        variants=(),
        cases=1,
    )
    checks: list[None] = []
    net = dfg_net(log, lambda: checks.append(None))
    assert len(checks) > 5

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        dfg_net(log, stop)
    with pytest.raises(Cancelled):
        write_pnml(net, tmp_path / "net.pnml", stop)
