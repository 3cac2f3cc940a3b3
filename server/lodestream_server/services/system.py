"""SystemService: workers, queue and machine as measured now."""

from pathlib import Path
from typing import Any

from lodestream.v1 import system_pb2, system_pb2_grpc
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door import call
from lodestream_server.runs.shapes.values import percent, timestamp
from lodestream_server.runs.states import Priority
from lodestream_server.services.machine import Machine, measure

_pb = system_pb2.GetSystemStatusResponse
#: With less than that the next log may not fit.
_LITTLE_DISK_BYTES = 10**9


class SystemService(system_pb2_grpc.SystemServiceServicer):
    """See the contract."""

    def __init__(self, engine: Engine, data_dir: Path, node: str) -> None:
        self._engine = engine
        self._data_dir = data_dir
        self._node = node

    async def GetSystemStatus(
        self, request: system_pb2.GetSystemStatusRequest, context: Any
    ) -> system_pb2.GetSystemStatusResponse:
        """Workers, queue and machine as measured now."""
        tenant = call.current().scope.tenant_id
        machine, now = measure(self._data_dir), self._engine.clock.now()
        waiting = [place.run for place in await self._engine.queue() if place.run.tenant_id == tenant]
        return _pb(
            system_status=self._status(machine),
            timestamp=timestamp(now),
            execution_nodes=[self._shown(machine)],
            queue_statistics=_pb.QueueStatistics(
                total_queued_jobs=len(waiting),
                high_priority_jobs=sum(run.priority >= Priority.HIGH for run in waiting),
                normal_priority_jobs=sum(run.priority is Priority.NORMAL for run in waiting),
                low_priority_jobs=sum(run.priority is Priority.LOW for run in waiting),
            ),
            performance_metrics=_pb.PerformanceMetrics(),
            resource_utilization=_pb.ResourceUtilization(
                total_cpu_capacity=100.0 * machine.cores,
                used_cpu_capacity=percent(machine.cpu_percent * machine.cores),
                total_memory_bytes=machine.memory_bytes,
                used_memory_bytes=machine.memory_used_bytes,
                disk_available_bytes=machine.disk_free_bytes,
            ),
        )

    def _status(self, machine: Machine) -> system_pb2.SystemStatus.ValueType:
        if self._engine.draining:
            return system_pb2.SYSTEM_STATUS_DRAINING
        low = machine.disk_free_bytes < _LITTLE_DISK_BYTES
        return system_pb2.SYSTEM_STATUS_DEGRADED if low else system_pb2.SYSTEM_STATUS_HEALTHY

    def _shown(self, machine: Machine) -> _pb.ExecutionNode:
        return _pb.ExecutionNode(
            node_id=self._node,
            status=system_pb2.NODE_STATUS_ACTIVE,
            cpu_usage=percent(machine.cpu_percent),
            memory_usage=percent(machine.memory_percent),
            active_jobs=len(self._engine.at_work()),
            job_capacity=self._engine.seats,
        )
