"""Zips whose bytes follow from their files alone, so that making one again gives the same download. For what a stopped
run leaves and for all files of a run."""

import zipfile
from pathlib import Path
from typing import Final

#: The earliest time that a zip can say; when a file was written is nobody's business.
FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)
#: Files that are compressed already; doing it again costs time and saves nothing.
_COMPRESSED: Final = frozenset({".parquet", ".png", ".pdf", ".zip", ".gz", ".pptx", ".xlsx"})
_PIECE: Final = 1024 * 1024


def add_file(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    """Adds a file of any size in constant memory."""
    entry = zipfile.ZipInfo(name, FIXED_TIME)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_STORED if path.suffix in _COMPRESSED else zipfile.ZIP_DEFLATED
    entry.file_size = path.stat().st_size
    with open(path, "rb") as source, archive.open(entry, "w", force_zip64=entry.file_size > 2**31) as sink:
        while piece := source.read(_PIECE):
            sink.write(piece)
