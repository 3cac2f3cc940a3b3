"""Running the cells of a notebook one after the other, by nbclient, under the eyes of a watch that can end it at any
time."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from lodestream_server.workloads.notebooks import document, kernels
from lodestream_server.workloads.notebooks.listening import Ear, shortened_error
from lodestream_server.workloads.notebooks.surroundings import Surroundings
from lodestream_server.workloads.notebooks.wishes import Wishes
from lodestream_server.workloads.phase import BadInput, Phase

#: How often it is looked whether the run is to stop.
_LOOK_S = 0.1
#: At every so manieth look the memory is measured, and it is said how long the cell has been running.
_WEIGHED = 10
_STILL = 50
_LONGEST_MESSAGE = 500
_KEPT = "The notebook as far as it came is among the artifacts."


def run(phase: Phase, notebook: NotebookNode, wishes: Wishes, around: Surroundings) -> int:
    """Runs all cells, writing their outputs into the notebook; how many there were.

    Raises Cancelled within a fraction of a second; BadInput for a cell that fails or takes too long, and for a kernel
    that dies.
    """
    return asyncio.run(_Cells(phase, notebook, wishes, around).run())


class _Client(NotebookClient):
    """nbclient, with an ear on what the kernel says."""

    ear: Ear

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        if not self.ear.hear(msg["msg_type"], msg["content"]):
            return None
        if msg["msg_type"] == "error":
            msg = {**msg, "content": shortened_error(msg["content"])}
        return super().process_message(msg, cell, cell_index)


class _Cells:
    """One run through a notebook."""

    def __init__(self, phase: Phase, notebook: NotebookNode, wishes: Wishes, around: Surroundings) -> None:
        self._phase = phase
        self._notebook = notebook
        self._wishes = wishes
        self._around = around
        self._ear = Ear(phase)
        self._total = sum(1 for _ in document.code_cells(notebook))
        self._now = 0
        self._since = time.monotonic()

    async def run(self) -> int:
        self._phase.progress(0, self._total, "starting the kernel")
        async with kernels.started(self._around, self._phase.memory_bytes, self._wishes.cpus) as (manager, talk):
            client = _Client(self._notebook, km=manager, timeout=self._wishes.cell_timeout_s, record_timing=True)
            client.kc, client.ear = talk, self._ear
            try:
                await self._watched(self._all(client), manager.provisioner)
            except DeadKernelError as fault:
                raise self._died(manager.provisioner) from fault
        return self._total

    async def _all(self, client: _Client) -> None:
        runnable = {id(cell) for cell in document.code_cells(self._notebook)}
        for index, cell in enumerate(self._notebook.cells):
            if id(cell) not in runnable:
                continue
            self._now, self._since = self._now + 1, time.monotonic()
            self._ear.begin(self._now)
            self._phase.progress(self._now - 1, self._total, f"cell {self._now} of {self._total}")
            try:
                await client.async_execute_cell(cell, index, execution_count=self._now)
            except (CellExecutionError, CellTimeoutError) as fault:
                raise self._failed(fault) from fault
            finally:
                self._ear.end()
            self._phase.progress(self._now, self._total)

    async def _watched(self, work: Awaitable[None], kernel: Any) -> None:
        task, looks = asyncio.ensure_future(work), 0
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=_LOOK_S)
                looks += 1
                self._phase.check()
                if looks % _WEIGHED == 0:
                    self._weigh(kernel.pid)
                if looks % _STILL == 0 and self._now:
                    spent = f"cell {self._now} of {self._total}, for {time.monotonic() - self._since:.0f} s"
                    self._phase.progress(self._now - 1, self._total, spent)
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _failed(self, fault: CellExecutionError | CellTimeoutError) -> BadInput:
        where = f"Cell {self._now} of {self._total}"
        if isinstance(fault, CellTimeoutError):
            return BadInput(
                f"{where} took longer than cellTimeoutSeconds allows ({self._wishes.cell_timeout_s}). {_KEPT}",
                reason="CELL_TIMEOUT",
                cell=self._now,
            )
        said = (fault.evalue or "").strip()[:_LONGEST_MESSAGE]
        if fault.ename == "StdinNotImplementedError":
            return BadInput(
                f"{where} asks for input, and nobody is there to give it: set a variable instead, and give it as a "
                f"parameter of the job. {_KEPT}",
                reason="NO_INPUT",
                cell=self._now,
            )
        return BadInput(
            f"{where} failed: {fault.ename}{': ' if said else ''}{said}{'' if said.endswith('.') else '.'} {_KEPT}",
            # Another attempt with more memory may go well; for every other fault it is the cell's.
            reason="OUT_OF_MEMORY" if fault.ename == "MemoryError" else "CELL_FAILED",
            cell=self._now,
            exception=fault.ename,
            said=said,
        )

    def _weigh(self, kernel: int) -> None:
        if not self._phase.memory_bytes or kernels.resident_bytes(kernel) <= self._phase.memory_bytes:
            return
        raise BadInput(
            f"The kernel needed more memory in cell {self._now} of {self._total} than the run may use "
            f"({self._phase.memory_bytes / 1e9:.1f} GB): ask for more in resourceAllocation.memoryGB. {_KEPT}",
            reason="OUT_OF_MEMORY",
            cell=self._now,
        )

    def _died(self, kernel: Any) -> BadInput:
        code = kernel.process.returncode if kernel.process else None
        how = f"was killed by signal {-code}" if code is not None and code < 0 else "ended by itself"
        hint = " The system may have run out of memory." if code == -9 else ""
        return BadInput(
            f"The kernel {how} in cell {self._now} of {self._total}.{hint} {_KEPT}",
            reason="KERNEL_DIED",
            cell=self._now,
            exitCode=code,
        )
