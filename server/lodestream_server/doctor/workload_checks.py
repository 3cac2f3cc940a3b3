"""Own workloads: which are installed, and which of them the server could not use. Imports their declarations."""

from collections.abc import Iterator

from lodestream_server.doctor.finding import Finding, good, problem
from lodestream_server.workloads.built_in import BUILT_IN
from lodestream_server.workloads.plugins import found


def workloads() -> Iterator[Finding]:
    """What there is to say of them; nothing when there are none."""
    taken = {spec.type for spec in BUILT_IN}
    for one in found():
        named = f"The own workload {one.name} of the package {one.package}"
        fault = "its name is taken already" if one.name in taken else one.fault
        taken.add(one.name)
        if fault:
            yield problem("workloads", f"{named} cannot be used: {fault}.", f"Mend or remove {one.package}.")
        else:
            yield good("workloads", f"{named} can be used.")
