"""The machine as psutil measures it now. Asking costs well below a millisecond; CPU figures are since the last
question."""

from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Machine:
    """CPU in percent of all cores; sizes in bytes."""

    cores: int
    cpu_percent: float
    memory_bytes: int
    memory_used_bytes: int
    disk_free_bytes: int

    @property
    def memory_percent(self) -> float:
        """Memory in use."""
        return 100 * self.memory_used_bytes / self.memory_bytes

    @property
    def used_percent(self) -> float:
        """The scarcer of processor and memory."""
        return max(self.cpu_percent, self.memory_percent)


def begin() -> None:
    """Makes the first measurement mean the time since now."""
    psutil.cpu_percent()


def measure(folder: Path) -> Machine:
    """The machine, and what is free under the folder."""
    memory = psutil.virtual_memory()
    return Machine(
        cores=psutil.cpu_count() or 1,
        cpu_percent=psutil.cpu_percent(),
        memory_bytes=memory.total,
        memory_used_bytes=memory.total - memory.available,
        disk_free_bytes=psutil.disk_usage(str(folder)).free,
    )
