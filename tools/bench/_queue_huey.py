"""huey in the queue bench: on SQLite with `synchronous = FULL`, looking for work every millisecond.

huey itself keeps no record of a start, so the task's signal writes one. Run by the anchors' own interpreter: as huey's
instance for the consumer, and as the client.
"""

from typing import Any

from huey import SqliteHuey, signals  # type: ignore[import-not-found]  # installed by the bench, in its own environment

from tools.bench import _queue_driver

huey = SqliteHuey("bench", filename=str(_queue_driver.folder() / "huey.db"), fsync=True)


@huey.signal(signals.SIGNAL_EXECUTING)  # type: ignore[untyped-decorator]  # huey has no types
def started(_: str, task: Any) -> None:
    """The second of the three transitions."""
    huey.put(f"started-{task.id}", True)


@huey.task()  # type: ignore[untyped-decorator]  # huey has no types
def note(name: str) -> bool:
    """The work; a result, because nothing is stored for None."""
    _queue_driver.begun(name)
    return True


if __name__ == "__main__":
    # huey names a task by its module, and this one is called otherwise here.
    from tools.bench import _queue_huey

    _queue_driver.obey(_queue_huey.note)
