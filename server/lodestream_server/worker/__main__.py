"""`python -m lodestream_server.worker --pipe FD`: started by the local pool, never by hand."""

import argparse
import logging
import socket

from lodestream_server.worker.limits import settle_in
from lodestream_server.worker.process import Worker


def main() -> None:
    """Reads the arguments, sets the limits, serves the pipe."""
    parser = argparse.ArgumentParser(prog="lodestream_server.worker", description="Works for a Lodestream server.")
    parser.add_argument("--pipe", type=int, required=True, help="inherited descriptor of the socketpair")
    parser.add_argument("--preload", default="", help="modules to import before the first run, separated by commas")
    # Not read here: it lets the next server tell the workers of this store from all others.
    parser.add_argument("--owner", default="", help="id of the store that the worker works for")
    arguments = parser.parse_args()
    settle_in()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s worker %(process)d %(levelname)s %(message)s")
    with socket.socket(fileno=arguments.pipe) as pipe:
        Worker(pipe).serve([module for module in arguments.preload.split(",") if module])


if __name__ == "__main__":
    main()
