"""celery in the queue bench: late acknowledgement, started and ended states kept in Redis like the messages.

Run by the anchors' own interpreter: as celery's application for the worker, and as the client.
"""

import os

from celery import Celery  # type: ignore[import-not-found]  # installed by the bench, in an environment of its own

from tools.bench import _queue_driver

_URL = os.environ["LODESTREAM_BENCH_REDIS"]
app = Celery("bench", broker=_URL, backend=_URL)
app.conf.update(
    task_acks_late=True,
    task_track_started=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="note")  # type: ignore[untyped-decorator]  # celery has no types
def note(name: str) -> None:
    """The work."""
    _queue_driver.begun(name)


if __name__ == "__main__":
    _queue_driver.obey(note.delay)
