"""The life of runs: submission, queue, attempts, cancellation, time limits, recovery. Clock and ids are arguments."""
