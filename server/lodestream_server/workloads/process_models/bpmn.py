"""BPMN 2.0 files: the two ends of them. See `bpmn_reading` for what a diagram means as a net, `bpmn_writing` for the
way back."""

from lodestream_server.workloads.process_models.bpmn_reading import read_bpmn
from lodestream_server.workloads.process_models.bpmn_writing import NotExpressible, write_bpmn

__all__ = ["NotExpressible", "read_bpmn", "write_bpmn"]
