"""Files of a model: what discovery calls them, and a registered one, whichever of the two it is, told by its root."""

from pathlib import Path

from lodestream_server.workloads.process_models.bpmn_reading import bpmn_net
from lodestream_server.workloads.process_models.net import PetriNet
from lodestream_server.workloads.process_models.pnml import pnml_net
from lodestream_server.workloads.process_models.xml_tree import read_tree, refused

#: As mining publishes the model it discovered.
PNML_FILE, BPMN_FILE, PICTURE_FILE = "process-model.pnml", "process-model.bpmn", "process-model.svg"


def read_model(path: Path) -> PetriNet:
    """The net of a PNML or BPMN file. Raises BadInput naming the field, the fault and the fix."""
    root = read_tree(path)
    if root.tag == "pnml":
        return pnml_net(root)
    if root.tag == "definitions":
        return bpmn_net(root)
    raise refused(f"is no process model: its root is <{root.tag[:60]}>, not <pnml> or BPMN's <definitions>")
