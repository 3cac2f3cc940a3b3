"""The model that a log is checked against: the registered one of `modelResourceId`, or one discovered from the log."""

from dataclasses import dataclass
from pathlib import Path

from lodestream_server.workloads.phase import Json, Phase
from lodestream_server.workloads.process_models.discovery import SPOKEN
from lodestream_server.workloads.process_models.model_files import read_model
from lodestream_server.workloads.process_models.net import PetriNet
from lodestream_server.workloads.process_models.wished import wished_model


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A net and what results say of where it is from; `uploaded`: a file of the user's."""

    net: PetriNet
    name: str
    uploaded: bool
    told: Json

    @property
    def said(self) -> str:
        """As a sentence names it."""
        if self.uploaded:
            return f"the model '{self.name}'"
        return f"a model discovered with {SPOKEN[self.told['algorithm']]}"

    def as_json(self) -> Json:
        """name, source, and what discovery says of its own."""
        return {"name": self.name, "source": "uploaded" if self.uploaded else "discovered", **self.told}


def uploaded_model(phase: Phase) -> CheckedModel | None:
    """The registered model; None when the run names none. Raises BadInput for a file that is no model; submission has
    refused resources of other types."""
    resource_id = phase.parameters.get("modelResourceId")
    if not resource_id:
        return None
    resource = phase.resources[resource_id]
    return CheckedModel(read_model(resource.path), resource.name, True, {})


def discovered_model(phase: Phase, discovery: Path) -> CheckedModel:
    """A model of the log itself, by the algorithm asked for, from what mining's discovery phase left."""
    title = phase.dataset.name if phase.dataset else phase.run_name
    found = wished_model(phase, discovery, title)
    return CheckedModel(found.net, title, False, found.as_json())
