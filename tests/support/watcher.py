"""A watcher that may be killed at any moment: `python -m tests.support.watcher RUN_ID LEDGER`, settings from the
environment.

Every event becomes a line of the ledger, in one write: sequence, kind, content, and the token to go on with. Started
again, it goes on behind the last whole line. Exit code 0 when the stream came to its end.
"""

import asyncio
import base64
import json
import os
import sys
from pathlib import Path

from lodestream.client import Client, Patience
from lodestream.v1.event_pb2 import RunEvent

#: A server that is being started again is asked often.
PATIENCE = Patience(give_up_s=60.0, first_delay_s=0.02, longest_delay_s=0.3)


def entries(ledger: Path) -> list[dict[str, str | int]]:
    """The whole lines of a ledger."""
    text = ledger.read_bytes() if ledger.exists() else b""
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


def content(event: RunEvent) -> str:
    """All that an event says, the same in every process."""
    return base64.b64encode(event.SerializeToString(deterministic=True)).decode()


def reopened(ledger: Path) -> int:
    """The ledger to append to; a line that was cut off is gone and will be written anew."""
    ledger.touch()
    os.truncate(ledger, ledger.read_bytes().rfind(b"\n") + 1)
    return os.open(ledger, os.O_WRONLY | os.O_APPEND)


async def main(run_id: str, ledger: Path) -> None:
    """Watches to the end."""
    file, known = reopened(ledger), entries(ledger)
    token, after = (str(known[-1]["token"]), int(known[-1]["sequence"])) if known else ("", 0)
    async with (
        Client(patience=PATIENCE) as client,
        client.job(run_id).watch(replay=True, token=token, after=after) as updates,
    ):
        async for event in updates:
            assert isinstance(event, RunEvent)
            entry = {
                "sequence": event.sequence,
                "kind": event.WhichOneof("body"),
                "content": content(event),
                "token": updates.token,
            }
            os.write(file, (json.dumps(entry) + "\n").encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
