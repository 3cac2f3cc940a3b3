"""Describing an upload in a subprocess: foreign data is never parsed in the server's own process."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from lodestream.errors import BadDataset, Internal
from lodestream_server.executors.starting import end, whole
from lodestream_server.workloads.phase import DatasetFile


class Describer:
    """Runs a describe function in processes of its own, few at a time."""

    def __init__(
        self, function: str, environment: Mapping[str, str], log_file: Path, timeout_s: float, memory_bytes: int
    ) -> None:
        self._function = function
        self._environment = dict(environment)
        self._log_file = log_file
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        # One more than one, so that a large upload does not hold up every small one.
        self._turns = asyncio.Semaphore(2)

    async def describe(self, file: DatasetFile) -> dict[str, Any]:
        """What the function found. Raises BadDataset with the function's reason and message; Internal when it broke."""
        async with self._turns:
            answer = await self._run(file)
        if "refused" in answer:
            refused = answer["refused"]
            details = {key: str(value) for key, value in refused["details"].items()}
            raise BadDataset(refused["message"], details={"cause": refused["reason"], **details})
        description: dict[str, Any] = answer["description"]
        return description

    async def _run(self, file: DatasetFile) -> dict[str, Any]:
        with open(self._log_file, "ab", buffering=0) as log_file:  # noqa: ASYNC230  # opening, once per upload
            process = await whole(
                asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",
                    "-m",
                    "lodestream_server.worker.describe",
                    self._function,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log_file,
                    start_new_session=True,
                    env=self._environment,
                )
            )
        asked = {name: getattr(file, name) for name in ("dataset_id", "name", "format", "size_bytes")}
        asked |= {"path": str(file.path), "mapping": dict(file.mapping), "memory_bytes": self._memory_bytes}
        try:
            async with asyncio.timeout(self._timeout_s):
                out, _ = await process.communicate(orjson.dumps(asked))
        except TimeoutError:
            raise BadDataset("Reading the file took too long; it may be damaged.") from None
        finally:
            await end(process)
        return self._read(process.returncode, out)

    def _read(self, code: int | None, out: bytes) -> dict[str, Any]:
        if code != 0 or not out:
            raise Internal("The dataset could not be looked at: the process that reads it broke off.")
        answer: dict[str, Any] = orjson.loads(out)
        return answer
