"""The phase that runs a notebook: read, given its parameters, run cell by cell, published; also when it fails."""

import time

from lodestream_server.workloads.notebooks import cells, document, saved
from lodestream_server.workloads.notebooks.surroundings import surround
from lodestream_server.workloads.notebooks.wishes import wishes_of
from lodestream_server.workloads.phase import Json, Phase

#: Where the next phase finds the executed notebook.
EXECUTED = "notebook.ipynb"
KIND = "ExecutedNotebook"


def execute(phase: Phase) -> Json:
    """Runs the notebook that the job names. Raises BadInput for one that cannot be run or fails; what it had done by
    then is left behind as a notebook."""
    wishes = wishes_of(phase)
    notebook = document.read(wishes.notebook.path)
    document.inject(notebook, wishes.variables)
    around = surround(phase, wishes.variables)
    path, name, begin = phase.out / EXECUTED, f"Notebook {wishes.notebook.name}", time.monotonic()
    phase.log("INFO", f"Running {wishes.notebook.name}", parameters=sorted(wishes.variables))
    try:
        count = cells.run(phase, notebook, wishes, around)
    except BaseException:
        document.write(notebook, path)
        phase.leave(
            path, name=f"{name} (partial)", type="Report", kind=KIND, description="The cells as far as they came."
        )
        raise
    document.write(notebook, path)
    phase.artifact(
        path, name=name, type="Report", kind=KIND, description="The notebook with its outputs.", records=count
    )
    names = saved.publish(phase, around.saved)
    phase.milestone(f"All {count} cells ran", files=len(names))
    return {
        "notebook": wishes.notebook.name,
        "cells": count,
        "seconds": round(time.monotonic() - begin, 3),
        "savedFiles": names,
    }
