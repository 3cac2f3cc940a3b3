"""The parameter that names how a process model is discovered, in mining and in conformance."""

from lodestream_server.workloads.parameters import Parameter

#: Words that process_models.discovery knows; a test holds them together.
ALGORITHM = Parameter("algorithm", words=("heuristics", "alpha_miner_enhanced", "dfg"))
