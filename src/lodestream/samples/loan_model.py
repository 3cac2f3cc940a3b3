"""The process behind the loan log as a model: what conformance is to find, and a file to upload.

Every case without an anomaly and without dirt is a way through it. Rework and revised offers may repeat without end
here, while the generator stops after three.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

#: (stage before, activity, stage behind); the empty activity is a silent step. A case is in one stage at a time.
STEPS: tuple[tuple[str, str, str], ...] = (
    ("new", "Submit Application", "submitted"),
    ("submitted", "Check Completeness", "checked"),
    ("checked", "Request Documents", "documents requested"),
    ("documents requested", "Receive Documents", "submitted"),
    ("checked", "Credit Check", "credit known"),
    ("credit known", "Reject Application", "decided"),
    ("credit known", "Fraud Check", "fraud checked"),
    ("fraud checked", "Reject Application", "decided"),
    ("fraud checked", "", "clear"),
    ("credit known", "", "clear"),
    ("clear", "Risk Assessment", "assessed"),
    ("assessed", "Manager Approval", "manager asked"),
    ("manager asked", "Reject Application", "decided"),
    ("manager asked", "", "approved"),
    ("assessed", "", "approved"),
    ("approved", "Make Offer", "offered"),
    ("offered", "Revise Offer", "offered"),
    ("offered", "Decline Offer", "decided"),
    ("offered", "Accept Offer", "accepted"),
    ("accepted", "Sign Contract", "signed"),
    ("signed", "Pay Out Loan", "decided"),
    ("decided", "Close Case", "closed"),
)
START, END = "new", "closed"


def conforms(activities: Sequence[str]) -> bool:
    """Whether these activities are a whole way through the process."""
    stages = {START}
    for activity in activities:
        stages = {behind for before, name, behind in STEPS if name == activity and before in _reached(stages)}
    return END in stages


def _reached(stages: set[str]) -> set[str]:
    """With what silent steps add; none of them follows another."""
    return stages | {behind for before, name, behind in STEPS if not name and before in stages}


def write_model(path: Path) -> None:
    """Writes the process as PNML, to be registered as a resource of the type Model."""
    stages = {name: f"p{number}" for number, name in enumerate(dict.fromkeys(s for a, _, b in STEPS for s in (a, b)))}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<pnml xmlns="http://www.pnml.org/version-2009/grammar/pnml">',
        '<net id="loans" type="http://www.pnml.org/version-2009/grammar/ptnet">',
        f'<name>{_text("Loan applications")}</name><page id="page">',
    ]
    for name, place in stages.items():
        marked = f"<initialMarking>{_text('1')}</initialMarking>" if name == START else ""
        lines.append(f'<place id="{place}"><name>{_text(name)}</name>{marked}</place>')
    for number, (before, activity, behind) in enumerate(STEPS):
        silent = "" if activity else '<toolspecific tool="ProM" version="6.4" activity="$invisible$"/>'
        name = _text(activity or "no further check")
        lines += [
            f'<transition id="t{number}"><name>{name}</name>{silent}</transition>',
            f'<arc id="a{number}" source="{stages[before]}" target="t{number}"/>',
            f'<arc id="b{number}" source="t{number}" target="{stages[behind]}"/>',
        ]
    final = f'<finalmarkings><marking><place idref="{stages[END]}">{_text("1")}</place></marking></finalmarkings>'
    path.write_text("\n".join([*lines, "</page>", final, "</net>", "</pnml>", ""]), "utf-8")


def _text(text: str) -> str:
    return f"<text>{escape(text)}</text>"
