"""A server without doors, for tests that kill it: `python -m tests.integration.crashing_server DATA_DIR READY_FILE`."""

import asyncio
import sys
from pathlib import Path

from lodestream_server.engine.models import CancelOrder

from tests.integration.engine_world import SCOPE, appears, engine_at, job, until


async def main(data_dir: Path, ready: Path) -> None:
    """Does once what the order file beside the ready file says: submit, or submit and cancel. Works until killed."""
    order = ready.with_suffix(".order")
    async with engine_at(data_dir) as engine:
        if order.exists():
            asked = order.read_text()
            order.unlink()
            gate, ledger, begun = (ready.parent / name for name in ("gate", "ledger", "begun"))
            type_ = "deaf" if asked == "cancel" else "Wait"
            run_id = (await engine.submit(job(type_, gate=gate, ledger=ledger, begun=begun))).run.run_id
            ready.with_suffix(".run").write_text(run_id)
            await asyncio.to_thread(ready.touch)
            if asked == "cancel":
                await appears(begun)
                cancelling = asyncio.create_task(engine.cancel(SCOPE, run_id, CancelOrder("ann")))
                await until(engine, run_id, "cancel-requested")
                ready.with_suffix(".asked").touch()
                await cancelling
        await asyncio.to_thread(ready.touch)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
