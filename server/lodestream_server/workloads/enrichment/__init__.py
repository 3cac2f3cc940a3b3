"""Data enrichment: a log is read, cleaned by rules, given derived columns and written as a new dataset.

`wishes`, `rules`, `options`, `syntax` and `faults` are pure and import no mining library: they say what is wrong with
parameters before any work begins. Everything else runs in the worker process only.
"""
