"""Pieces of a slide: boxes, texts that fit them, cells of tables; sizes in points, colours as hexadecimal digits."""

from dataclasses import dataclass
from typing import Any

from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Pt

from lodestream_server.workloads.mining.report import fit

INK, MUTED, LINE, SOFT, PAPER = "17202B", "5B6877", "DFE5EC", "F4F7FA", "FFFFFF"
BLUE, PALE, SLOW, SLOW_PALE = "2F6FB0", "9FC1E3", "C2410C", "F0B08C"


def rgb(digits: str) -> RGBColor:
    """A colour as python-pptx has it."""
    return RGBColor(*bytes.fromhex(digits))  # type: ignore[no-untyped-call]  # python-pptx is not annotated


@dataclass(frozen=True, slots=True)
class Box:
    """A place on a slide in points."""

    x: float
    y: float
    width: float
    height: float


def put(shape: Any, box: Box) -> None:
    """Moves a shape into the box."""
    shape.left, shape.top, shape.width, shape.height = Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height)


def add_shape(slide: Any, box: Box, color: str, line: str = "") -> Any:
    """A filled rectangle; no line unless a colour is given for it."""
    shape = slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height))
    # The theme's style would add a shadow.
    shape._element.remove(shape._element.find(qn("p:style")))
    shape.fill.solid()
    shape.fill.fore_color.rgb = rgb(color)
    if line:
        shape.line.color.rgb, shape.line.width = rgb(line), Pt(0.75)
    else:
        shape.line.fill.background()
    return shape


@dataclass(frozen=True, slots=True)
class Fitted:
    """Lines that fit, and the size in which they do."""

    lines: list[str]
    size: float


def fit_text(text: str, size: float, box: Box, lines: int, *, bold: bool = False, least: float = 0.62) -> Fitted:
    """The text in the largest size, down to `least` of it, at which it fits whole; else its end becomes an ellipsis."""
    whole = fit.clean(text).replace(" ", "")
    for part in (1.0, 0.9, 0.8, 0.75, 0.7, 0.62):
        now = size * part
        allowed = max(1, min(lines + (part < 0.9 and lines > 1), int(box.height / (now * 1.2))))
        wrapped = fit.wrap(text, now, box.width - 4, allowed, bold=bold)
        if "".join(wrapped).replace(" ", "") == whole or part <= least:
            break
    return Fitted(wrapped, now)


def write_text(frame: Any, fitted: Fitted, color: str, *, bold: bool = False, align: PP_ALIGN = PP_ALIGN.LEFT) -> None:
    """Puts the text into a frame as one paragraph; the viewer wraps it, in its own font at most as we did."""
    frame.word_wrap = True
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    paragraph = frame.paragraphs[0]
    paragraph.alignment = align
    run = paragraph.add_run()
    run.text = " ".join(fitted.lines)
    run.font.size, run.font.bold = Pt(round(fitted.size, 1)), bold
    run.font.color.rgb = rgb(color)


def plain_style(grid: Any) -> None:
    """No bands and no theme colours: cells are dressed one by one."""
    grid.horz_banding = False
    style = grid._tbl.tblPr.find(qn("a:tableStyleId"))
    style.text = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"


def dress_cell(
    cell: Any, text: str, width: float, height: float, left: bool, *, head: bool = False, odd: bool = False
) -> None:
    """Writes a text that fits into a cell and colours it."""
    cell.margin_left = cell.margin_right = Pt(6)
    cell.margin_top = cell.margin_bottom = Pt(2)
    cell.vertical_anchor = MSO_ANCHOR.MIDDLE
    fitted = fit_text(text, 12.0, Box(0, 0, width - 12, height - 4), 2, bold=head, least=0.75)
    align = PP_ALIGN.LEFT if left else PP_ALIGN.RIGHT
    _fill_cell(cell, fitted, align, BLUE if head else SOFT if odd else PAPER)


def _fill_cell(cell: Any, fitted: Fitted, align: PP_ALIGN, back: str) -> None:
    paragraph = cell.text_frame.paragraphs[0]
    paragraph.alignment = align
    run = paragraph.add_run()
    run.text = " ".join(fitted.lines)
    run.font.size, run.font.bold = Pt(round(fitted.size, 1)), back == BLUE
    run.font.color.rgb = rgb(PAPER if back == BLUE else INK)
    cell.fill.solid()
    cell.fill.fore_color.rgb = rgb(back)
