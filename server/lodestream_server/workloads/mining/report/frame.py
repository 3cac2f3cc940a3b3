"""What stands around the process map: title, legend, the note on what is shown, and the words for who cannot see it."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from lodestream_server.workloads.mining.report import fit, shapes
from lodestream_server.workloads.mining.report.selection import MapContent
from lodestream_server.workloads.mining.report.shapes import tag, text
from lodestream_server.workloads.mining.report.wording import Wording

#: Px: around everything, above the graph, below it, and between the graph and both.
MARGIN, HEADER, LEGEND = 28.0, 64.0, 62.0

SMALL = 11.0


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands above the map."""

    title: str
    subtitle: str


def document(
    body: str, width: float, height: float, content: MapContent, caption: Caption | None, wording: Wording
) -> str:
    """The SVG element around the body, with title and description."""
    title = f'<title id="process-map-title">{escape(fit.clean(caption.title))}</title>' if caption else ""
    labels = f'{title}<desc id="process-map-desc">{escape(fit.clean(_description(content, wording)))}</desc>'
    return tag(
        "svg",
        labels + body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="img",
        aria_labelledby="process-map-title process-map-desc" if caption else "process-map-desc",
        font_family=shapes.FONT,
    )


def _description(content: MapContent, wording: Wording) -> str:
    most = ", ".join(fit.clean(activity.name)[:60] for activity in content.activities[:5])
    slow = ", ".join(fit.clean(activity.name)[:60] for activity in content.activities if activity.bottleneck)
    slow = slow or wording.say("none")
    return wording.say("description", shown=shown(content, wording), most=most, slow=slow)


def shown(content: MapContent, wording: Wording) -> str:
    """How much of the process the map shows."""
    return wording.say(
        "shown",
        activities=wording.count(len(content.activities)),
        all_activities=wording.count(content.all_activities),
        steps=wording.count(content.inner_steps),
        all_steps=wording.count(content.all_steps),
        share=wording.percent(content.covered),
    )


def header(caption: Caption, width: float) -> str:
    """Title and subtitle, each on one line."""
    title = fit.wrap(caption.title, 19.0, width - 2 * MARGIN, 1, bold=True)[0]
    subtitle = fit.wrap(caption.subtitle, 12.0, width - 2 * MARGIN, 1)[0]
    return text(title, MARGIN, 36, 19, text_anchor="start", font_weight=700) + text(
        subtitle, MARGIN, 57, 12, text_anchor="start", fill=shapes.MUTED
    )


def legend(content: MapContent, top: float, width: float, wording: Wording) -> str:
    """What colours, thickness and labels mean, and how much of the process is shown."""
    y, x = top + 14, MARGIN
    parts = [tag("line", x1=MARGIN, y1=top - 6, x2=width - MARGIN, y2=top - 6, stroke="#d8dfe7")]
    for i in range(5):
        parts.append(
            tag(
                "rect",
                x=x + i * 20,
                y=y - 9,
                width=20,
                height=12,
                fill=shapes.fill(i / 4)[0],
                stroke="#7b93ad",
                stroke_width="0.5",
            )
        )
    parts.append(_note(wording.say("legend_activity"), x + 108, y))
    x += max(262.0, 124 + fit.width(wording.say("legend_activity"), SMALL))
    for i, thickness in enumerate((1.5, 4.0, 7.0)):
        line = ((x + i * 30, y - 3), (x + i * 30 + 26, y - 3))
        parts.append(shapes.arrow(line, thickness, shapes.stroke(i / 2)))
    parts.append(_note(wording.say("legend_step"), x + 98, y))
    x += max(236.0, 114 + fit.width(wording.say("legend_step"), SMALL))
    parts.append(tag("rect", x=x, y=y - 10, width=24, height=14, rx=4, fill=shapes.SLOW))
    parts.append(_note(wording.say("legend_bottleneck"), x + 32, y))
    parts.append(_note(wording.say("legend_label"), MARGIN, y + 26))
    note = fit.wrap(shown(content, wording) + ".", SMALL, width - 2 * MARGIN, 1)[0]
    parts.append(_note(note, MARGIN, y + 44))
    return "".join(parts)


def _note(content: str, x: float, y: float) -> str:
    return text(content, x, y, SMALL, text_anchor="start", fill=shapes.MUTED)
