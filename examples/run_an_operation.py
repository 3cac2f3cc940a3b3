"""The same in a script without async: start an operation, wait for its end, print its figures.

Usage: python examples/run_an_operation.py LOG.csv
"""

import sys
from datetime import timedelta

from lodestream import SyncClient, wire
from lodestream.errors import LodestreamError

with SyncClient() as client:
    try:
        dataset = client.upload_dataset(sys.argv[1])
        operation = client.start_operation("Figures", dataset=dataset, time_limit=timedelta(minutes=30))
        operation.wait()
        results = operation.results()
    except LodestreamError as error:
        sys.exit(f"{error.reason}: {error}")

    for phase in results.phase_results:
        figures = wire.to_dict(phase.results)
        print(phase.phase_name, {name: value for name, value in figures.items() if isinstance(value, int | float)})

    for other in client.operations(status="Completed"):
        print(other.operation_id, other.operation_name)
