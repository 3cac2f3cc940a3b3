"""The demonstration: `python -m tools.demo [--log PATH]`, which is what `make demo` runs."""
