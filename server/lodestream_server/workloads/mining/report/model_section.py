"""What the report says of the discovered process model: its picture, how it was found, and its files, which travel
inside the page so that their links work wherever it is opened. `page` shows it."""

import base64
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from lodestream_server.workloads.phase import Finished, Json
from lodestream_server.workloads.process_models.discovery import SPOKEN
from lodestream_server.workloads.process_models.model_files import BPMN_FILE, PICTURE_FILE, PNML_FILE

#: Bytes of a file that the page carries; a larger one is named, so that the page stays light enough for an e-mail.
MOST_CARRIED = 200_000

#: Activities without a transition that are named.
MOST_NAMED = 12

_FOR_WHOM = {PNML_FILE: "Petri net, for process mining tools", BPMN_FILE: "diagram, for modelling tools"}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of the model. `address` holds all of it; empty for one that is too large to be carried."""

    name: str
    said: str
    address: str


@dataclass(frozen=True, slots=True)
class ModelSection:
    """`told` is `discoveredModel` of the results; `drawing` our own SVG, None for a net too large to be drawn."""

    told: Json
    algorithm: str
    requested: str
    drawing: Markup | None
    files: tuple[ModelFile, ...]

    @property
    def left_out(self) -> list[Any]:
        """The first activities that are not part of the model."""
        return list(self.told.get("activitiesLeftOut", ()))[:MOST_NAMED]


def model_section(discovery: Finished) -> ModelSection | None:
    """From what the discovery phase left; None where it discovered no model, as before there were any."""
    told = discovery.results.get("discoveredModel")
    if not told:
        return None
    picture = discovery.folder / PICTURE_FILE
    drawing = Markup(picture.read_text("utf-8")) if picture.exists() else None  # our own drawing, its texts are escaped
    files = tuple(_file(discovery, name) for name in told["files"] if name in _FOR_WHOM)
    return ModelSection(told, SPOKEN[told["algorithm"]], SPOKEN[told["requested"]], drawing, files)


def _file(discovery: Finished, name: str) -> ModelFile:
    path = discovery.folder / name
    if path.stat().st_size > MOST_CARRIED:
        return ModelFile(name, _FOR_WHOM[name], "")
    held = base64.b64encode(path.read_bytes()).decode()
    return ModelFile(name, _FOR_WHOM[name], f"data:application/octet-stream;base64,{held}")
