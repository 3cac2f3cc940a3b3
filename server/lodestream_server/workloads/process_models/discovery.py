"""Discovers a process model from the counts of a log. Mining's discovery phase and conformance call `discovered`.

    found = discovered(behaviour(folder_of_discovery), "heuristics", phase.scratch, phase.check)

A model is always found: where an algorithm has no usable answer, another one gives it and the reason is said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.process_models.behaviour import Behaviour
from lodestream_server.workloads.process_models.dfg_net import dfg_net
from lodestream_server.workloads.process_models.net import PetriNet

DFG = "dfg"
#: The words that runs may ask for; mining declares the same ones.
ALGORITHMS = ("heuristics", "alpha_miner_enhanced", DFG)
DEFAULT = "heuristics"


@dataclass(frozen=True, slots=True)
class Discovered:
    """The net, the algorithm that was asked for and the one that answered; `fallback` says why they differ. `left_out`
    are activities without a transition: too rare, or without a way from start to end.
    """

    net: PetriNet
    requested: str
    algorithm: str
    fallback: str | None = None
    left_out: tuple[str, ...] = ()

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
        if self.fallback:
            said["fallbackReason"] = self.fallback
        if self.left_out:
            said["activitiesLeftOut"] = list(self.left_out)
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
    return Discovered(dfg_net(behaviour, title), algorithm, DFG)
