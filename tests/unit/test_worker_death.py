"""What a worker died of: the five ways that its exit code, our signals and the kernel's count tell apart."""

import signal

import pytest
from lodestream_server.executors.death import died, oom_kills


@pytest.mark.parametrize(
    ("code", "sent", "oom", "reason"),
    [
        (0, None, False, "WORKER_VANISHED"),
        (-signal.SIGKILL, None, True, "OUT_OF_MEMORY"),
        (-signal.SIGKILL, None, False, "WORKER_KILLED"),
        (-signal.SIGKILL, "SIGKILL", True, "WORKER_KILLED"),
        (-signal.SIGTERM, "SIGTERM", False, "WORKER_KILLED"),
        (-signal.SIGSEGV, None, False, "WORKER_CRASHED"),
        (-signal.SIGSEGV, "SIGTERM", False, "WORKER_CRASHED"),
        (-signal.SIGSEGV, None, True, "WORKER_CRASHED"),
        (3, None, False, "WORKER_CRASHED"),
    ],
)
def test_each_death_has_its_reason(code, sent, oom, reason):
    """What we did ourselves is never laid at the kernel's door, nor a crash at ours."""
    death = died(code, sent, oom)
    assert death.reason == reason
    assert death.message.endswith(".")


def test_the_kernels_count_never_falls():
    """Only its differences are used."""
    assert 0 <= oom_kills() <= oom_kills()
