"""Zip files that do not depend on the clock: the same members, the same bytes."""

import io
import re
import zipfile
from collections.abc import Mapping

_CORE = "docProps/core.xml"

#: The earliest date that a zip can hold.
_DATE = (1980, 1, 1, 0, 0, 0)


def packed(members: Mapping[str, bytes]) -> bytes:
    """A zip of these files, in this order."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return stream.getvalue()


def repacked(archive: bytes) -> bytes:
    """The same zip with dates that say nothing; zips within it (the data of charts) likewise."""
    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    return packed({name: _timeless(repacked(c)) if name.endswith(".xlsx") else c for name, c in members.items()})


def _timeless(workbook: bytes) -> bytes:
    """A chart's workbook without the instant of its making."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    members[_CORE] = re.sub(rb">\d{4}-\d\d-\d\dT[\d:]+Z<", b">1980-01-01T00:00:00Z<", members[_CORE])
    return packed(members)
