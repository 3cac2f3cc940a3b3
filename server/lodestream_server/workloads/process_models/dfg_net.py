"""The directly-follows graph as a net: whatever directly followed may follow. Every case of the log fits it; it knows
no parallelism and remembers nothing but the last activity."""

from collections.abc import Callable

from lodestream_server.workloads.process_models.behaviour import Behaviour
from lodestream_server.workloads.process_models.causal_net import END, START, choices, petri_net
from lodestream_server.workloads.process_models.net import PetriNet


def dfg_net(behaviour: Behaviour, check: Callable[[], None], title: str = "process") -> PetriNet:
    """A state machine: one token, a choice behind each activity."""
    names = list(behaviour.activities)
    numbers = {name: number for number, name in enumerate(names)}
    edges = [(START, numbers[name]) for name in behaviour.starts]
    edges += [(numbers[source], numbers[target]) for source, target in behaviour.steps]
    edges += [(numbers[name], END) for name in behaviour.ends]
    return petri_net(choices(edges), names, check, title)
