"""Runs the benches: `python -m tools.bench` all of them, `python -m tools.bench wire mining` those named.

Each bench is a module of this package with `main(arguments)`; it measures its contenders in turn within one run and
prints ratios, because a shared machine changes its speed from minute to minute.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

import tools.bench


def names() -> list[str]:
    """Every bench, sorted; modules that begin with an underscore are their helpers."""
    found = (module.name for module in pkgutil.iter_modules(tools.bench.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benches asked for, one after the other; 2 when one is unknown."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(names())}; all when left out")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        print(f"no bench called {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    for name in options.names or names():
        print(f"== {name}", flush=True)
        importlib.import_module(f"tools.bench.{name}").main(["--json"] if options.json else [])
    return 0


if __name__ == "__main__":
    sys.exit(main())
