"""Measurements, a module per subject: `python -m tools.bench.<subject>` prints a table, with `--json` the figures."""
