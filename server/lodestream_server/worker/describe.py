"""`python -m lodestream_server.worker.describe MODULE:FUNCTION`: looks at an uploaded dataset in a process of its own.

Reads the dataset as JSON from standard input and writes one JSON object to standard output: `{"description": …}` or
`{"refused": {"reason", "message", "details"}}`. Whatever libraries print goes to standard error.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import orjson

from lodestream_server.worker.limits import bound_memory, settle_in
from lodestream_server.worker.live_phase import plain
from lodestream_server.workloads.phase import BadInput, DatasetFile


def main() -> None:
    """Describes and answers; any fault but BadInput ends the process with a traceback and exit code 1."""
    settle_in()
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked = orjson.loads(sys.stdin.buffer.read())
    bound_memory(asked.pop("memory_bytes"))
    file = DatasetFile(**{**asked, "path": Path(asked["path"])})
    answer.write(orjson.dumps(_describe(sys.argv[1], file)))
    answer.close()


def _describe(function: str, file: DatasetFile) -> dict[str, Any]:
    module, _, name = function.partition(":")
    try:
        return {"description": plain(getattr(importlib.import_module(module), name)(file))}
    except BadInput as fault:
        return {"refused": {"reason": fault.reason, "message": str(fault), "details": plain(fault.details)}}


if __name__ == "__main__":
    main()
