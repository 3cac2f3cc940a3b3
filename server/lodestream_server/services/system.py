"""SystemService: workers, queue and machine as measured now."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from lodestream.v1 import system_pb2, system_pb2_grpc
from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door import call
from lodestream_server.runs.shapes.values import duration, percent, timestamp
from lodestream_server.runs.states import Priority, State
from lodestream_server.services.machine import Machine, measure
from lodestream_server.store.throughput import EndedSince

_pb = system_pb2.GetSystemStatusResponse
#: Documented: over the last day.
_LATELY = timedelta(hours=24)
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
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        today, lately = [await self._engine.desk.ended_since(tenant, at) for at in (midnight, now - _LATELY)]
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
                average_wait_time=duration(await self._engine.desk.mean_wait_s(tenant) or 0.0),
                estimated_processing_time=duration(self._engine.desk.emptied_in_s(tenant)),
            ),
            performance_metrics=_performance(today, lately),
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


def _performance(today: EndedSince, lately: EndedSince) -> _pb.PerformanceMetrics:
    ended = sum(lately.counts.values())
    done = lately.counts[State.COMPLETED]
    return _pb.PerformanceMetrics(
        jobs_completed_today=today.counts[State.COMPLETED],
        average_job_duration=duration(today.mean_s),
        success_rate=percent(100 * done / ended) if ended else None,
        throughput_per_hour=round(ended / (_LATELY / timedelta(hours=1)), 1),
    )
