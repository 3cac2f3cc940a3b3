"""A document as slides (PowerPoint, 16:9): real titles, native charts and tables, the process map as a picture.

Sizes are points; every text is fitted to its box by the widths of a wide font, so that none runs over whatever font the
reader's machine takes. Only this module and slide_parts and slide_charts know python-pptx. The same document gives the
same bytes.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pptx import Presentation
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.util import Pt

from lodestream_server.workloads.mining.report import fit
from lodestream_server.workloads.reporting import typesetting
from lodestream_server.workloads.reporting.model import (
    Advice,
    AdviceItem,
    Block,
    Chart,
    Document,
    Figures,
    Findings,
    Paragraph,
    Picture,
    Section,
    Table,
)
from lodestream_server.workloads.reporting.packing import repacked
from lodestream_server.workloads.reporting.pictures import size_of
from lodestream_server.workloads.reporting.slide_charts import add_chart
from lodestream_server.workloads.reporting.slide_parts import (
    BLUE,
    INK,
    LINE,
    MUTED,
    PAPER,
    SLOW,
    SOFT,
    Box,
    Fitted,
    add_shape,
    dress_cell,
    fit_text,
    plain_style,
    put,
    write_text,
)
from lodestream_server.workloads.reporting.speech import Speech

WIDTH, HEIGHT, MARGIN = 960.0, 540.0, 40.0
_TOP, _BOTTOM = 92.0, 500.0

_LEVELS = {"high": SLOW, "medium": "B45309", "low": "64748B"}

#: Of a table on a slide: columns; rows, and the rows of one that is shown whole because so few more are missing.
_COLUMNS, _ROWS, _WHOLE = 7, 9, 12
#: Points that a column takes beside its text; that one column asks for at most; that a column of texts asks for.
_BESIDE, _WIDEST, _TEXTS = 18.0, 180.0, (80.0, 330.0)
_ADVICE_PER_SLIDE = 3

#: Sections that slides leave to the other formats.
_UNSHOWN = {"method", "about"}


def write(document: Document, drawings: Mapping[str, str], speech: Speech, scratch: Path) -> bytes:
    """The presentation."""
    return _Deck(document, drawings, speech, scratch).made()


class _Deck:
    """Slides, one after the other."""

    def __init__(self, document: Document, drawings: Mapping[str, str], speech: Speech, scratch: Path) -> None:
        self.document, self.drawings, self.speech = document, drawings, speech
        self.scratch = scratch / "slides"
        self.scratch.mkdir(exist_ok=True)
        self.deck = Presentation()
        self.deck.slide_width, self.deck.slide_height = Pt(WIDTH), Pt(HEIGHT)

    def made(self) -> bytes:
        """The file."""
        self._title_slide()
        for section in self.document.sections:
            if section.key.split("-", 1)[-1] not in _UNSHOWN and section.key not in _UNSHOWN:
                self._section(section)
        self._properties()
        stream = io.BytesIO()
        self.deck.save(stream)
        return repacked(stream.getvalue())

    def _properties(self) -> None:
        core, created = self.deck.core_properties, self.document.created
        core.title, core.author, core.language = self.document.title[:250], "Lodestream", self.document.language
        core.last_modified_by, core.revision = "Lodestream", 1
        moment = (created or typesetting.EPOCH).replace(tzinfo=None, microsecond=0)
        core.created = core.modified = moment

    def _title_slide(self) -> None:
        slide = self._slide(self.document.title, Box(MARGIN + 20, 176, WIDTH - 2 * MARGIN - 40, 120), 40, 3, PAPER)
        back = add_shape(slide, Box(0, 0, WIDTH, 340), BLUE)
        slide.shapes._spTree.remove(back._element)
        slide.shapes._spTree.insert(2, back._element)
        self._text(slide, Box(MARGIN + 20, 140, 700, 26), self.document.kind, 16, color=PAPER, bold=True)
        if self.document.subtitle:
            self._text(slide, Box(MARGIN + 20, 298, 860, 30), self.document.subtitle, 18, color=PAPER)
        y = 366.0
        for label, value in self.document.facts:
            self._text(slide, Box(MARGIN + 20, y, 860, 24), self.speech.labelled(label, value), 16, color=MUTED)
            y += 28

    def _slide(self, title: str, box: Box | None = None, size: float = 28, lines: int = 1, color: str = INK) -> Any:
        slide = self.deck.slides.add_slide(self.deck.slide_layouts[5])
        place = box or Box(MARGIN, 30, WIDTH - 2 * MARGIN, 46)
        holder = slide.shapes.title
        put(holder, place)
        write_text(holder.text_frame, fit_text(title, size, place, lines, bold=True), color, bold=True)
        holder.text_frame.vertical_anchor = MSO_ANCHOR.TOP if box else MSO_ANCHOR.MIDDLE
        if not box:
            add_shape(slide, Box(MARGIN, 78, 56, 4), BLUE)
            self._footer(slide)
        return slide

    def _footer(self, slide: Any) -> None:
        number = len(self.deck.slides)
        self._text(slide, Box(MARGIN, 512, 700, 18), self.document.title, 10, color=MUTED)
        self._text(slide, Box(WIDTH - MARGIN - 60, 512, 60, 18), str(number), 10, color=MUTED, align=PP_ALIGN.RIGHT)

    def _text(
        self,
        slide: Any,
        box: Box,
        text: str,
        size: float,
        *,
        color: str = INK,
        bold: bool = False,
        align: PP_ALIGN = PP_ALIGN.LEFT,
        lines: int = 1,
    ) -> Fitted:
        frame = slide.shapes.add_textbox(Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height)).text_frame
        fitted = fit_text(text, size, box, lines, bold=bold)
        write_text(frame, fitted, color, bold=bold, align=align)
        return fitted

    def _section(self, section: Section) -> None:
        """Figures and findings share a slide; charts, pictures, tables and three recommendations have one each."""
        figures = [block for block in section.blocks if isinstance(block, Figures)]
        said = [text for block in section.blocks for text in _sentences(block)]
        if figures:
            self._figures(section.title, figures[0], said)
        for block in section.blocks:
            self._block(section, block, [] if figures else said)

    def _block(self, section: Section, block: Block, said: list[str]) -> None:
        match block:
            case Chart():
                self._chart(section.title, block)
            case Picture():
                self._picture(section.title, block)
            case Advice():
                for start in range(0, len(block.items), _ADVICE_PER_SLIDE):
                    self._advice(section.title, block, block.items[start : start + _ADVICE_PER_SLIDE], start > 0)
            case Table() if block.rows:
                self._table(section.title, block)
            case Paragraph() if len(section.blocks) == 1:
                slide = self._slide(section.title)
                self._text(slide, Box(MARGIN, _TOP + 20, WIDTH - 2 * MARGIN, 200), said[0], 18, lines=6)

    def _figures(self, title: str, figures: Figures, said: list[str]) -> None:
        slide = self._slide(title)
        shown = figures.items[:8]
        across = min(4, len(shown))
        gap, width = 12.0, (WIDTH - 2 * MARGIN - 12.0 * (across - 1)) / across
        for place, figure in enumerate(shown):
            box = Box(MARGIN + place % across * (width + gap), _TOP + 12 + place // across * 92, width, 80)
            add_shape(slide, box, SOFT, LINE)
            value = self.speech.value(figure.value, figure.kind)
            self._text(slide, Box(box.x + 10, box.y + 8, width - 20, 36), value, 26, bold=True)
            self._text(slide, Box(box.x + 10, box.y + 42, width - 20, 34), figure.label, 12, color=MUTED, lines=2)
        top = _TOP + 24 + -(-len(shown) // across) * 92
        self._bullets(slide, said, Box(MARGIN, top, WIDTH - 2 * MARGIN, _BOTTOM - top))

    def _bullets(self, slide: Any, said: list[str], box: Box) -> None:
        if not said:
            return
        each = min(64.0, box.height / len(said))
        for place, text in enumerate(said):
            y = box.y + place * each
            add_shape(slide, Box(box.x + 2, y + 9, 6, 6), BLUE)
            self._text(slide, Box(box.x + 18, y, box.width - 18, each), text, 16, lines=2)

    def _picture(self, title: str, picture: Picture) -> None:
        name = picture.name.replace("map-short", "map-slide") if "short" in picture.name else picture.name
        name = name.replace("map-", "map-slide-") if name.startswith("map-") and "slide" not in name else name
        svg = self.drawings.get(name, self.drawings[picture.name])
        slide = self._slide(title)
        width, height = size_of(svg)
        scale = min((WIDTH - 2 * MARGIN) / width, (_BOTTOM - _TOP) / height)
        box = Box(
            (WIDTH - width * scale) / 2, _TOP + (_BOTTOM - _TOP - height * scale) / 2, width * scale, height * scale
        )
        png = typesetting.png(self.scratch, svg, 2400 if width > height else 1400)
        shape = slide.shapes.add_picture(io.BytesIO(png), Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height))
        shape._element.nvPicPr.cNvPr.set("descr", picture.alt)

    def _chart(self, title: str, chart: Chart) -> None:
        slide = self._slide(title)
        note = 24.0 if chart.note else 0.0
        self._text(slide, Box(MARGIN, _TOP, WIDTH - 2 * MARGIN, 26), chart.title, 16, color=MUTED)
        box = Box(MARGIN, _TOP + 28, WIDTH - 2 * MARGIN, _BOTTOM - _TOP - 32 - note)
        add_chart(slide, box, chart, self.speech)
        if chart.note:
            self._text(slide, Box(MARGIN, _BOTTOM - 20, WIDTH - 2 * MARGIN, 20), chart.note, 12, color=MUTED)

    def _advice(self, title: str, block: Advice, items: tuple[AdviceItem, ...], continued: bool) -> None:
        slide = self._slide(self.speech.say("continued", title=title) if continued else title)
        height, gap = (_BOTTOM - _TOP - 8 - 2 * 10) / _ADVICE_PER_SLIDE, 10.0
        for place, item in enumerate(items):
            box = Box(MARGIN, _TOP + 8 + place * (height + gap), WIDTH - 2 * MARGIN, height)
            add_shape(slide, box, PAPER, LINE)
            add_shape(slide, Box(box.x, box.y, 6, height), _LEVELS[item.level])
            inner = box.width - 40
            tag = f"{item.priority} · {item.category}"
            self._text(slide, Box(box.x + 20, box.y + 7, inner, 18), tag, 12, color=_LEVELS[item.level], bold=True)
            head = self._text(
                slide, Box(box.x + 20, box.y + 24, inner, 40), item.recommendation, 16, bold=True, lines=2
            )
            y = box.y + 30 + head.size * 1.22 * len(head.lines)
            for label, said, color in ((block.bound, item.expected, INK), (block.measured, item.evidence, MUTED)):
                if said:
                    fitted = self._text(
                        slide,
                        Box(box.x + 20, y, inner, 32),
                        self.speech.labelled(label, said),
                        12,
                        color=color,
                        lines=2,
                    )
                    y += fitted.size * 1.25 * len(fitted.lines) + 3

    def _table(self, title: str, table: Table) -> None:
        columns = table.columns[:_COLUMNS]
        rows = table.rows[: _WHOLE if table.total <= _WHOLE else _ROWS]
        slide = self._slide(title)
        self._text(slide, Box(MARGIN, _TOP, WIDTH - 2 * MARGIN, 24), table.title, 15, color=MUTED)
        height = min(36.0, (_BOTTOM - _TOP - 54) / (len(rows) + 1))
        whole = WIDTH - 2 * MARGIN if len(columns) > 2 else 560.0
        frame = slide.shapes.add_table(
            len(rows) + 1, len(columns), Pt(MARGIN), Pt(_TOP + 28), Pt(whole), Pt(height * (len(rows) + 1))
        )
        grid = frame.table
        plain_style(grid)
        widths = _widths(table, [_wanted(table, place, self.speech) for place in range(len(columns))], whole)
        for place, width in enumerate(widths):
            grid.columns[place].width = Pt(width)
        for place, column in enumerate(columns):
            dress_cell(grid.cell(0, place), column.label, widths[place], height, column.kind == "text", head=True)
        for number, row in enumerate(rows, start=1):
            for place, column in enumerate(columns):
                text = self.speech.value(row[place], column.kind)
                dress_cell(
                    grid.cell(number, place), text, widths[place], height, column.kind == "text", odd=number % 2 == 1
                )
        for number in range(len(rows) + 1):
            grid.rows[number].height = Pt(height)
        if hidden := table.total - len(rows):
            said = self.speech.counted("more_rows", hidden)
            self._text(slide, Box(MARGIN, _BOTTOM - 18, 600, 20), said, 12, color=MUTED)


def _sentences(block: Block) -> tuple[str, ...]:
    match block:
        case Findings():
            return block.items
        case Paragraph():
            return (block.text,)
        case _:
            return ()


def _wanted(table: Table, place: int, speech: Speech) -> float:
    """Points that a column asks for: its head takes two lines, broken between words; its figures are not broken."""
    column = table.columns[place]
    head = _in_two_lines(fit.clean(column.label).split(" "))
    said = max((fit.width(speech.value(row[place], column.kind), 12) for row in table.rows), default=0.0)
    if column.kind == "text":
        said = min(_TEXTS[1], max(_TEXTS[0], said))
        return max(min(head, _WIDEST), said) + _BESIDE
    return min(max(head, said), _WIDEST) + _BESIDE


def _in_two_lines(words: list[str]) -> float:
    """The least width in which these words take two lines at most."""
    ways = ([" ".join(part) for part in (words[:place], words[place:]) if part] for place in range(1, len(words) + 1))
    return min(max(fit.width(line, 12, bold=True) for line in lines) for lines in ways)


def _widths(table: Table, wanted: list[float], whole: float) -> list[float]:
    """What is over goes to texts that are cut off at what one may ask for, else to all; what is missing the texts go
    without, which may be broken into lines."""
    over = whole - sum(wanted)
    if over >= 0:
        long = [want >= _TEXTS[1] for want in wanted]
        takes = long if any(long) else [True] * len(wanted)
        return [want + take * over / sum(takes) for want, take in zip(wanted, takes, strict=True)]
    texts = [want if column.kind == "text" else 0.0 for column, want in zip(table.columns, wanted, strict=False)]
    if sum(texts) + over < sum(texts) / 3:
        return [want * whole / sum(wanted) for want in wanted]
    return [want + over * text / sum(texts) for want, text in zip(wanted, texts, strict=True)]
