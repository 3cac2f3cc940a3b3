"""`Meter`: how far the phase is, so that long steps can say what they do without knowing the whole."""

from collections.abc import Iterator

import polars as pl

from lodestream_server.workloads.learning.completions import Learned
from lodestream_server.workloads.mining.validated import Bucket
from lodestream_server.workloads.phase import Phase


class Meter:
    """Counts cases: every pass over the log counts each case once, so the total is passes times cases."""

    def __init__(self, phase: Phase, learned: Learned, passes: int) -> None:
        self.phase = phase
        self._learned = learned
        self._done, self._total = 0, passes * learned.cases

    def say(self, activity: str) -> None:
        """What is being done now; a cancel point."""
        self.phase.progress(self._done, self._total, activity)

    def check(self) -> None:
        """A cancel point."""
        self.phase.check()

    def walk(self, what: str) -> Iterator[Bucket]:
        """The buckets one after the other, once; counts the cases of those that are done."""
        parts = len(self._learned.log.buckets)
        for bucket in self._learned.log.buckets:
            self.say(f"{what}, part {bucket.number + 1} of {parts}")
            yield bucket
            cases = pl.scan_parquet(self._learned.cases_file(bucket), glob=False).select(pl.len()).collect()
            self._done += int(cases.item())
        self.say(what)

    def finish(self) -> None:
        """All that was to be done is done, also what turned out not to be possible."""
        self._done = self._total
        self.say("Done")
