"""The wire: protobuf messages <-> the documented JSON, by the options in the .proto files. No I/O.

Called by the facade (JSON in and out), by the servicers of both servers (`check`, `with_defaults`) and by the command
line. Everything is compiled once per message type and kept; the functions may be called from any thread.
"""

from lodestream.wire.check import check, checked, proto_path
from lodestream.wire.decode import from_json
from lodestream.wire.defaults import default_of, with_defaults
from lodestream.wire.encode import to_dict, to_json
from lodestream.wire.languages import LANGUAGES, Language, language_of
from lodestream.wire.params import from_params, from_request, parameters
from lodestream.wire.problems import ContractFault, Problem, Refused
from lodestream.wire.words import numbers, words

__all__ = [
    "LANGUAGES",
    "ContractFault",
    "Language",
    "Problem",
    "Refused",
    "check",
    "checked",
    "default_of",
    "from_json",
    "from_params",
    "from_request",
    "language_of",
    "numbers",
    "parameters",
    "proto_path",
    "to_dict",
    "to_json",
    "with_defaults",
    "words",
]
