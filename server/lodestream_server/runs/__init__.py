"""The event log of a run: its events, the fold that makes state of them, and the views over them. Pure; no I/O, no
clock."""
