"""Pages from a template and data: the only module that knows typst.

Nothing is read but the folder given and the fonts of this package: no system fonts, no packages, no network. Texts
reach the template as JSON strings, never as markup. The same input gives the same bytes.
"""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

_HERE = Path(__file__).parent
FONT = "Inter"

#: Written as the creation time where a report has none: the files must not depend on the clock.
EPOCH = datetime(1980, 1, 1, tzinfo=UTC)


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[_HERE / "fonts"])


def pdf(folder: Path, template: str, data: Any, created: datetime | None) -> bytes:
    """A template of this package, filled with data; it finds pictures in the folder."""
    made = _compiler(folder, template, data).compile(format="pdf", timestamp=_whole(created or EPOCH))
    return _one(made)


def png(folder: Path, svg: str, width: int) -> bytes:
    """A drawing as a picture of this many pixels across (as near as whole points allow), white behind it."""
    name = "drawing.svg"
    (folder / name).write_text(svg, "utf-8")
    made = _compiler(folder, "picture.typ", {"file": name}).compile(format="png", ppi=width / 10)
    return _one(made)


def _compiler(folder: Path, template: str, data: Any) -> typst.Compiler:
    """Template and data are put into the folder; packages would be looked for in an empty place inside it."""
    (folder / template).write_bytes((_HERE / "templates" / template).read_bytes())
    (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False, allow_nan=False), "utf-8")
    nowhere = folder / "no-packages"
    return typst.Compiler(
        folder / template,
        root=folder,
        font_paths=_fonts(),
        ignore_system_fonts=True,
        package_path=nowhere,
        package_cache_path=nowhere,
    )


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _one(made: bytes | list[bytes] | None) -> bytes:
    if isinstance(made, list):
        return made[0]
    assert made is not None, "without an output path the compiler returns bytes"
    return made
