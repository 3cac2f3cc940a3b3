"""Alpha+++: the alpha miner, made for real logs with loops, skips and noise (Küsters and van der Aalst, 2023).

The log goes to r4pm as its most frequent variants, each with its number of cases, activities as numbers: a few
megabytes whatever the length of the log. Where Alpha+++ finds too few places to say anything, nothing is returned but
the reason.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any

from lodestream_server.workloads.process_models.behaviour import Behaviour
from lodestream_server.workloads.process_models.net import PetriNet, Transition

#: Mostly it takes less than one; where it takes more than these, hours are likely.
MOST_SECONDS = 30.0
#: r4pm trusts no step that occurs fewer than ten times, whatever the log. Smaller logs count several times over, so
#: that for them it is one case in fifty.
LEAST_CASES = 500
_MODULE = "lodestream_server.workloads.process_models.alpha_process"


class NoModel(Exception):
    """Alpha+++ has no usable answer for the log; the text says why."""


def alpha_net(
    behaviour: Behaviour,
    scratch: Path,
    check: Callable[[], None],
    title: str = "process",
    within_s: float = MOST_SECONDS,
) -> PetriNet:
    """Discovers the net. Raises NoModel for an answer that is none, and when there is none in time."""
    if not behaviour.variants:
        raise NoModel("Alpha+++ needs cases, and those of the log are too long to be handed to it")
    names = list(behaviour.activities)
    given, answer = scratch / "alpha-log.json", scratch / "alpha-net.json"
    answer.unlink(missing_ok=True)
    given.write_text(json.dumps(_projection(behaviour, names)), "utf-8")
    _run([sys.executable, "-m", _MODULE, str(given), str(answer)], check, within_s)
    if not answer.exists():
        raise NoModel("Alpha+++ ended without an answer, most likely for lack of memory")
    return usable(_net(json.loads(answer.read_text("utf-8")), names, title))


def usable(net: PetriNet) -> PetriNet:
    """The net itself. Raises NoModel when it is degenerate: fewer places than a quarter of its transitions, or no start
    or no end."""
    places, transitions = len(net.places), len(net.transitions)
    if places < transitions / 4:
        raise NoModel(f"Alpha+++ found fewer places than a quarter of the transitions ({places} of {transitions})")
    if not net.initial or not net.final:
        raise NoModel(f"Alpha+++ found no {'end' if net.initial else 'start'} of the process")
    return net


def _projection(behaviour: Behaviour, names: Sequence[str]) -> Mapping[str, Any]:
    """As r4pm reads it. Activities are named by their numbers, so that none can be taken for a name of r4pm's own."""
    numbers = {name: number for number, name in enumerate(names)}
    times = ceil(LEAST_CASES / behaviour.listed)
    return {
        "activities": [str(number) for number in range(len(names))],
        "act_to_index": {str(number): number for number in range(len(names))},
        "traces": [[[numbers[name] for name in variant], cases * times] for variant, cases in behaviour.variants],
    }


def _run(command: Sequence[str], check: Callable[[], None], within_s: float) -> None:
    """Runs to the end, silently; killed when it is to stop or takes too long."""
    ends = monotonic() + within_s
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing) as process:
        try:
            while process.poll() is None:
                check()
                if monotonic() > ends:
                    raise NoModel(f"Alpha+++ had no answer within {within_s:.0f} seconds")
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()


def _net(found: Mapping[str, Any], names: Sequence[str], title: str) -> PetriNet:
    """r4pm's net, whose ids and order are random, under names that are always the same."""
    labels = {key: step["label"] for key, step in found["transitions"].items()}
    initial, final = found["initial_marking"] or {}, (found["final_markings"] or [{}])[0]
    arcs = [tuple(arc["from_to"]["nodes"]) for arc in found["arcs"]]
    colours: dict[str, Any] = {key: (0, initial.get(key, 0) == 0, final.get(key, 0), 0) for key in found["places"]} | {
        key: (1, label is None, 0, int(label or 0)) for key, label in labels.items()
    }
    order = _ordered(colours, arcs)
    places = {key: f"p{number}" for number, key in enumerate((k for k in order if k in found["places"]), 1)}
    steps = {key: f"t{number}" for number, key in enumerate((k for k in order if k in labels), 1)}
    called = places | steps
    return PetriNet(
        tuple(places.values()),
        tuple(
            Transition(name, None if labels[key] is None else names[int(labels[key])]) for key, name in steps.items()
        ),
        tuple(sorted((called[source], called[target]) for source, target in arcs)),
        {called[key]: tokens for key, tokens in initial.items()},
        {called[key]: tokens for key, tokens in final.items()},
        title,
    )


def _ordered(colours: Mapping[str, Any], arcs: Sequence[tuple[str, ...]]) -> list[str]:
    """Nodes by what they are, then by what is around them, three steps far."""
    for _ in range(3):
        ranks = {colour: rank for rank, colour in enumerate(sorted(set(colours.values())))}
        before: dict[str, list[int]] = {key: [] for key in colours}
        after: dict[str, list[int]] = {key: [] for key in colours}
        for source, target in arcs:
            after[source].append(ranks[colours[target]])
            before[target].append(ranks[colours[source]])
        colours = {
            key: (ranks[colour], tuple(sorted(before[key])), tuple(sorted(after[key])))
            for key, colour in colours.items()
        }
    return sorted(colours, key=lambda key: colours[key])
