"""Playing a story: what has happened to a run at a moment of virtual time, and every documented view of it.

Pure functions of (story, run, moment): no clock, no I/O, no session. Called by the answers of the mock.
"""
