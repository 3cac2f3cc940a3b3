"""What a worker measures of itself and of the processes it started."""

import subprocess
import sys
from pathlib import Path

from lodestream_server.worker.pulse import Sampler

_HOLDS_100_MB = "import sys; held = bytearray(b'x') * 100_000_000; print('held', flush=True); sys.stdin.read()"


def test_the_memory_of_children_counts(tmp_path: Path):
    """While they live; without any, nobody looks through the process table."""
    sampler = Sampler(tmp_path)
    alone = sampler.sample("Phase").rss_bytes
    command = [sys.executable, "-c", _HOLDS_100_MB]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert sampler.sample("Phase").rss_bytes > alone + 90_000_000
        child.communicate()
    assert sampler.sample("Phase").rss_bytes < alone + 50_000_000
