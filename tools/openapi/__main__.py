"""Command line of the generator: writes the document, or with `--check` tells whether the committed one still fits."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.openapi.document import as_yaml, build

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "src" / "lodestream" / "rest" / "openapi.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.openapi", description="Generate openapi.yaml from protos/.")
    parser.add_argument("--image", type=Path, required=True, help="descriptor image that `tools.protos --image` wrote")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the committed file is stale")
    options = parser.parse_args(arguments)
    text = as_yaml(build(options.image))
    committed = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if text == committed:
        return 0
    if options.check:
        print(f"{TARGET.relative_to(ROOT)} is stale: run `make protos` and commit what it writes", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
