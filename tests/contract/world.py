"""A project behind a door, and the few steps that most contract tests begin with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lodestream.v1 import dataset_pb2
from tests.contract.doors import Door
from tests.contract.kinds import Kind


@dataclass(frozen=True, slots=True)
class World:
    """A tenant and a project that nobody else uses."""

    door: Door
    tenant_id: str
    project_id: str
    folder: Path

    @property
    def scope(self) -> dict[str, str]:
        """The two fields that every request begins with."""
        return {"tenant_id": self.tenant_id, "project_id": self.project_id}

    @property
    def gate(self) -> Path:
        """Opens for waiting runs when it exists."""
        return self.folder / "gate"

    async def start(self, kind: Kind, type_: int, *, parameters: dict[str, Any] | None = None, **fields: Any) -> Any:
        """Starts a run; the answer."""
        request = kind.request(kind.start, **{**self.scope, kind.name_field: "A run", kind.type_field: type_, **fields})
        request.parameters.update(parameters or {})
        return await self.door.call(kind.path(kind.start), request)

    async def start_waiting(self, kind: Kind, **fields: Any) -> str:
        """Starts a run that waits for the gate; its id, once it is at work there."""
        started = await self.start(kind, kind.waiting, parameters={"gate": str(self.gate)}, **fields)
        stream = self.watch(kind, kind.id_of(started), replay=True)
        async for frame in stream:
            if any(event.phase_started.phase == "Wait" for event in frame.events.events):
                break
        await stream.aclose()
        return kind.id_of(started)

    async def get(self, kind: Kind, run_id: str) -> Any:
        """The run as it is now."""
        return await self.door.call(
            kind.path(kind.get), kind.request(kind.get, **self.scope, **{kind.id_field: run_id})
        )

    async def cancel(self, kind: Kind, run_id: str, **fields: Any) -> Any:
        """Cancels the run; the receipt."""
        request = kind.request(kind.cancel, **self.scope, **{kind.id_field: run_id}, **fields)
        return await self.door.call(kind.path(kind.cancel), request)

    async def results(self, kind: Kind, run_id: str, **fields: Any) -> Any:
        """What the run produced."""
        request = kind.request(kind.results, **self.scope, **{kind.id_field: run_id}, **fields)
        return await self.door.call(kind.path(kind.results), request)

    async def listed(self, kind: Kind, **fields: Any) -> Any:
        """A page of runs."""
        return await self.door.call(kind.path(kind.list), kind.request(kind.list, **self.scope, **fields))

    def watch(self, kind: Kind, run_id: str, **fields: Any) -> Any:
        """The frames of the run's stream."""
        inner = kind.request(kind.get, **self.scope, **{kind.id_field: run_id})
        return self.door.watch(kind.path(kind.watch), kind.request(kind.watch, request=inner, **fields))

    async def finished(self, kind: Kind, type_: int | None = None, **fields: Any) -> str:
        """The id of a run that has ended."""
        run_id = kind.id_of(await self.start(kind, kind.quick if type_ is None else type_, **fields))
        async for _ in self.watch(kind, run_id):
            pass
        return run_id

    async def upload(self, content: bytes = b"case,activity\n1,A\n", **header: Any) -> Any:
        """Stores a dataset in two chunks; the answer."""
        fields = {**self.scope, "dataset_name": "A log", **header}
        first = dataset_pb2.UploadDatasetRequest(header=dataset_pb2.UploadDatasetRequest.Header(**fields))
        half = len(content) // 2
        chunks = [dataset_pb2.UploadDatasetRequest(chunk=piece) for piece in (content[:half], content[half:]) if piece]
        footer = dataset_pb2.UploadDatasetRequest(footer=dataset_pb2.UploadDatasetRequest.Footer())
        return await self.door.send("DatasetService/UploadDataset", [first, *chunks, footer])
