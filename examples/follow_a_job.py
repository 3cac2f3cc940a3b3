"""Upload an event log, submit a job, follow it, download what it made: with the async client.

Usage: python examples/follow_a_job.py LOG.csv [DIR]

Address and key come from LODESTREAM_TARGET and LODESTREAM_TOKEN, the config file, or data/ready.json.
"""

import asyncio
import sys

from lodestream import Client
from lodestream.errors import BadDataset
from lodestream.v1.event_pb2 import RunEvent


async def main(log: str, directory: str) -> int:
    """Follows one job to its end; returns the exit code."""
    async with Client() as client:
        try:
            dataset = await client.upload_dataset(log)
        except BadDataset as refused:
            print(refused)
            return 1
        print(f"{dataset.events:,} events in {dataset.cases:,} cases")

        job = await client.submit_job("A first look", dataset=dataset, priority="High")
        async with job.watch(replay=True) as updates:
            async for update in updates:
                match update:
                    case RunEvent(percentage=percent) if update.HasField("progressed"):
                        print(f"{percent:5.1f} %  {update.progressed.phase}: {update.progressed.activity}")
                    case RunEvent() if update.HasField("noted"):
                        print(f"         {update.noted.description}")

        results = await job.results()
        for path in await job.download(directory):
            print(f"wrote {path}")
        return 0 if results.success else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "out")))
