"""Tiny workloads that real worker processes run in tests: they wait for files, ignore, allocate, die, so that tests
decide when."""
