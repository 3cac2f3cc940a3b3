"""Names that users gave, as documents may show them."""

from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.spoken import shortened

#: Longest name in a table or beside a bar.
LONGEST_NAME = 80


def name_of(text: object, most: int = LONGEST_NAME) -> str:
    """A user's text as one line without characters that documents forbid."""
    return shortened(clean(str(text)), most)
