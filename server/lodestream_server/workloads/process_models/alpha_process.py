"""Alpha+++ by r4pm, in a process of its own: it cannot be stopped from inside, and on some logs takes hours.

    python -m lodestream_server.workloads.process_models.alpha_process projection.json net.json

Reads a log as variants with their numbers of cases, writes the net as r4pm gives it. `alpha` starts it.
"""

import json
import resource
import sys
from pathlib import Path

from r4pm import import_item
from r4pm.bindings.discovery.case_centric.alphappp.full import discover_alphaplusplusplus

#: Bytes of address space, libraries and threads included: a tenth of it is used as a rule.
MOST_MEMORY = 3_000_000_000


def main(projection: Path, net: Path) -> None:
    """Discovers with r4pm's own thresholds."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    found = discover_alphaplusplusplus(import_item("EventLogActivityProjection", str(projection)))
    net.write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
