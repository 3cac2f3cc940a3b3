"""Discovers a process model from the counts of a log. `wished` calls it for mining and for conformance.

    found = discovered(behaviour(folder_of_discovery), "heuristics", phase.scratch, phase.check)

A model is always found: where an algorithm has no usable answer, another one gives it and the reason is said.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lodestream_server.workloads.mining.figures import LONGEST_TEXT
from lodestream_server.workloads.mining.spoken import shortened
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.process_models.alpha import NoModel, alpha_net
from lodestream_server.workloads.process_models.behaviour import Behaviour
from lodestream_server.workloads.process_models.dfg_net import dfg_net
from lodestream_server.workloads.process_models.heuristics import heuristics_net
from lodestream_server.workloads.process_models.net import PetriNet

HEURISTICS, ALPHA, DFG = "heuristics", "alpha_miner_enhanced", "dfg"
#: The words that runs may ask for; mining and analysis declare the same ones.
ALGORITHMS = (HEURISTICS, ALPHA, DFG)
#: As people call them, in "discovered with".
SPOKEN = {HEURISTICS: "the heuristics miner", ALPHA: "Alpha+++", DFG: "the directly-follows graph"}
#: Always gives a readable net, and one that replays what is frequent.
DEFAULT = HEURISTICS
#: Activities that are left out and named in the results.
MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Discovered:
    """The net, the algorithm that was asked for and the one that answered; `fallback` says why they differ. `left_out`
    are activities without a transition: too rare, or without a way from start to end. Of heuristics: `dependency` is
    the threshold that was taken, `replayed` the share of cases whose traces the net is made of and surely replays.
    """

    net: PetriNet
    requested: str
    algorithm: str
    fallback: str | None = None
    left_out: tuple[str, ...] = ()
    dependency: float | None = None
    replayed: float | None = None

    def as_json(self) -> Json:
        """What results say of it."""
        silent = sum(step.label is None for step in self.net.transitions)
        said: Json = {
            "algorithm": self.algorithm,
            "requested": self.requested,
            "places": len(self.net.places),
            "transitions": len(self.net.transitions),
            "silentTransitions": silent,
            "arcs": len(self.net.arcs),
        }
        if self.dependency is not None and self.replayed is not None:
            said |= {"dependencyThreshold": self.dependency, "replayedShare": round(self.replayed, 6)}
        if self.fallback:
            said["fallbackReason"] = self.fallback
        if self.left_out:
            said["activitiesLeftOut"] = [shortened(name, LONGEST_TEXT) for name in self.left_out[:MOST_NAMED]]
            said["activitiesLeftOutCount"] = len(self.left_out)
        return said


def discovered(
    behaviour: Behaviour,
    algorithm: str,
    scratch: Path,
    check: Callable[[], None],
    title: str = "process",
) -> Discovered:
    """The model by one of ALGORITHMS. `scratch`: an existing folder for temporary files; `check` is called at least
    once a second and may raise.
    """
    check()
    if algorithm == DFG:
        return Discovered(dfg_net(behaviour, check, title), algorithm, DFG)
    if algorithm == ALPHA:
        try:
            net = alpha_net(behaviour, scratch, check, title)
        except NoModel as reason:
            found = _heuristics(behaviour, algorithm, check, title)
            because = f"{reason}; a heuristics net answers instead"
            return replace(found, fallback="; ".join(filter(None, (because, found.fallback))))
        return Discovered(net, algorithm, ALPHA)
    return _heuristics(behaviour, algorithm, check, title)


def _heuristics(behaviour: Behaviour, requested: str, check: Callable[[], None], title: str) -> Discovered:
    mined = heuristics_net(behaviour, check, title)
    if not mined.net.transitions:
        reason = "No activity lies on a way of strong dependencies from a start to an end"
        return Discovered(dfg_net(behaviour, check, title), requested, DFG, reason)
    return Discovered(mined.net, requested, HEURISTICS, None, mined.left_out, mined.dependency, mined.replayed)
