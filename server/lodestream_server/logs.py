"""The server's own log: a JSON object a line on stderr, so that machines find an error id and people can read it.

A line that is written while a call is answered names the call (`request`) and the run it is about (`run`); no line
holds a secret.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from lodestream_server.grpc_door import call
from lodestream_server.observing.secrets import harmless, without_secrets

#: Not worth a line's room: what every record has, and uvicorn's message once more, in colours.
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """A record as one line: time, level, logger, message, whatever was given as `extra`, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (trail := call.trail()) is not None:
            ids = {"request": trail.request_id, "run": trail.run_id}
            line |= {name: value for name, value in ids.items() if value}
        line |= harmless({key: value for key, value in vars(record).items() if key not in _USUAL})
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return without_secrets(orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode())


def set_up(level: str) -> None:
    """Makes the root logger write JSON lines to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
