"""What a run asks the machine for and what it gets. Pure.

Who does not say gets the share of one seat, so that as many runs fit as there are seats, on any machine. Who asks for
more than there is gets all there is: the work is slower then, and not impossible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lodestream_server.runs.bodies import Resources
from lodestream_server.runs.states import Priority


@dataclass(frozen=True, slots=True)
class MachineSize:
    """What runs may use together; 0 stands for no limit."""

    seats: int
    cpu_units: float = 0.0
    memory_bytes: int = 0

    @property
    def share(self) -> Resources:
        """What one seat has."""
        return Resources(self.cpu_units / self.seats, self.memory_bytes // self.seats)


def asked(parameters: Mapping[str, Any], cpu_units: float, memory_bytes: int, machine: MachineSize) -> Resources:
    """What the parameters ask for; what they leave out is the type's default, within the share of a seat."""
    given = parameters.get("resourceAllocation") or {}
    gigabytes = given.get("memoryGB")
    share = machine.share
    return Resources(
        float(given.get("cpuUnits") or _least(cpu_units, share.cpu_units)),
        int(gigabytes * 10**9) if gigabytes else int(_least(memory_bytes, share.memory_bytes)),
    )


def granted(wanted: Resources, machine: MachineSize) -> Resources:
    """As much of it as the machine has."""
    return Resources(
        _least(wanted.cpu_units, machine.cpu_units), int(_least(wanted.memory_bytes, machine.memory_bytes))
    )


def doubled_memory(resources: Resources) -> Resources:
    """Twice the memory."""
    return Resources(resources.cpu_units, 2 * resources.memory_bytes)


def asked_priority(parameters: Mapping[str, Any], otherwise: Priority) -> Priority:
    """`resourceAllocation.priority` where it is given: it stands nearer to the work than the request's."""
    word = (parameters.get("resourceAllocation") or {}).get("priority")
    return Priority[word.upper()] if word else otherwise


def heartbeat_s(parameters: Mapping[str, Any]) -> float | None:
    """`resourceAllocation.heartbeatSeconds`: the silence after which the run's worker counts as hung; None: the
    server's own."""
    given = (parameters.get("resourceAllocation") or {}).get("heartbeatSeconds")
    return float(given) if given else None


def _least(one: float, other: float) -> float:
    """The smaller; 0 stands for "as much as there is"."""
    return min(one, other) if one and other else one or other
