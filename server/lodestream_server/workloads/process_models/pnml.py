"""PNML (ISO/IEC 15909-2), place/transition nets, in the manner of ProM and pm4py: silent transitions are marked with
`activity="$invisible$"`, final markings stand in `<finalmarkings>`.

What PNML allows and a plain net cannot say (arc weights, inhibitor arcs, references between pages) is refused by name.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lodestream_server.workloads.process_models.net import PetriNet, Transition
from lodestream_server.workloads.process_models.xml_tree import Element, escaped, quoted, read_tree, refused

#: Tokens in a place that aligning can count.
MOST_TOKENS = 255
#: Lines written between two cancel points.
_AT_ONCE = 20_000
_INVISIBLE = "$invisible$"
_TYPE = "http://www.pnml.org/version-2009/grammar/pnmlcoremodel"
_GRAMMAR = "http://www.pnml.org/version-2009/grammar/pnml"


def read_pnml(path: Path) -> PetriNet:
    """The net of a file. Without a final marking: the only place that nothing leaves; without an initial one: the only
    place that nothing enters. Raises BadInput."""
    return pnml_net(read_tree(path))


def pnml_net(root: Element) -> PetriNet:
    """The net below <pnml>. Raises BadInput."""
    if root.tag != "pnml":
        raise refused(f"is no PNML: its root is <{root.tag[:60]}>")
    nets = list(root.all("net"))
    if len(nets) != 1:
        raise refused(f"holds {len(nets)} nets: it must hold one")
    net = nets[0]
    if any(word in net.get("type").lower() for word in ("symmetric", "highlevel", "hlpng", "pt-hlpng")):
        raise refused(f"is a high-level net ({net.get('type')[:80]}): export it as a place/transition net")
    pages = list(_pages(net))
    for page in pages:
        for reference in page.all("referencePlace", "referenceTransition"):
            raise refused(f"refers from page to page ({reference.get('id')[:60]}): flatten its pages")
    places = [place for page in pages for place in page.all("place")]
    transitions = [item for page in pages for item in page.all("transition")]
    if not places or not transitions:
        raise refused(f"has {len(places)} places and {len(transitions)} transitions: a model needs both")
    ids = [_id(item) for item in (*places, *transitions)]
    if len(set(ids)) < len(ids):
        twice = next(name for name, count in Counter(ids).items() if count > 1)
        raise refused(f'has the id "{twice[:60]}" twice: ids must differ')
    names = tuple(ids[: len(places)])
    steps = tuple(Transition(_id(item), _label(item)) for item in transitions)
    arcs = tuple(_arc(arc, set(names), {step.name for step in steps}) for page in pages for arc in page.all("arc"))
    if len(set(arcs)) < len(arcs):
        twice_arc = next(arc for arc, count in Counter(arcs).items() if count > 1)
        raise refused(
            f'has two arcs from "{twice_arc[0][:60]}" to "{twice_arc[1][:60]}": weights above 1 are not known'
        )
    initial = {_id(place): tokens for place in places if (tokens := _tokens(place.first("initialMarking"), _id(place)))}
    title = net.first("name", "text")
    return PetriNet(
        names,
        steps,
        arcs,
        initial or {_only(names, {target for _, target in arcs}, "start"): 1},
        _final(net, names, arcs),
        (title.text if title else "") or net.get("id") or "process",
    )


def _pages(element: Element) -> Iterator[Element]:
    yield element
    for page in element.all("page"):
        yield from _pages(page)


def _id(item: Element) -> str:
    if not item.get("id"):
        raise refused(f"has a <{item.tag}> without an id in line {item.line}")
    return item.get("id")


def _label(item: Element) -> str | None:
    """None for a transition that is marked silent or has no name."""
    if any(tool.get("activity") == _INVISIBLE for tool in item.all("toolspecific")):
        return None
    name = item.first("name", "text") or item.first("name", "value")
    return (name.text or None) if name else None


def _arc(arc: Element, places: set[str], transitions: set[str]) -> tuple[str, str]:
    source, target = arc.get("source"), arc.get("target")
    said = f'an arc from "{source[:60]}" to "{target[:60]}" (line {arc.line})'
    for end in (source, target):
        if end not in places and end not in transitions:
            raise refused(f'has {said}, but no place or transition "{end[:60]}"')
    if (source in places) == (target in places):
        raise refused(f"has {said}, which joins two of a kind: arcs lead from places to transitions and back")
    for kind in arc.all("type", "arctype"):
        text = kind.first("text") or kind
        if (word := kind.get("value") or text.text.strip()) not in ("", "normal"):
            raise refused(f"has {said} of the type {word[:40]}: only normal arcs are known")
    if (weight := arc.first("inscription", "text")) and weight.text.strip() not in ("", "1"):
        raise refused(f"has {said} with the weight {weight.text.strip()[:20]}: only weight 1 is known")
    return source, target


def _tokens(marking: Element | None, place: str) -> int:
    text = (marking.first("text") or marking.first("value")) if marking else None
    given = text.text.strip() if text else ""
    return _count(given, place) if given else 0


def _count(given: str, place: str) -> int:
    if not (given.isascii() and given.isdigit() and int(given[:4]) <= MOST_TOKENS and len(given) < 5):
        raise refused(f'marks place "{place[:60]}" with "{given[:20]}": give a number of tokens up to {MOST_TOKENS}')
    return int(given)


def _final(net: Element, places: tuple[str, ...], arcs: tuple[tuple[str, str], ...]) -> Mapping[str, int]:
    markings = [marking for found in _everywhere(net, "finalmarkings") for marking in found.all("marking")]
    if len(markings) > 1:
        raise refused(f"has {len(markings)} final markings: keep one")
    if not markings:
        return {_only(places, {source for source, _ in arcs}, "end"): 1}
    final = {}
    for place in markings[0].all("place"):
        name = place.get("idref") or place.get("id")
        if name not in places:
            raise refused(f'has a final marking of "{name[:60]}", which is no place of it')
        text = place.first("text")
        if tokens := _count((text.text.strip() if text else "") or "1", name):
            final[name] = tokens
    return final


def _everywhere(net: Element, tag: str) -> Iterator[Element]:
    for page in _pages(net):
        yield from page.all(tag)


def _only(places: tuple[str, ...], passed: set[str], side: str) -> str:
    """The one place at the rim. Raises BadInput for none and for several."""
    rim = [place for place in places if place not in passed]
    if len(rim) == 1:
        return rim[0]
    what = "an initial marking" if side == "start" else "a final marking"
    found = f"{len(rim)} places could be its {side}" if rim else f"no place is its {side}"
    raise refused(f"has no {what}, and {found}: add {what}")


def write_pnml(net: PetriNet, path: Path, check: Callable[[], None] = lambda: None) -> None:
    """Writes UTF-8 with ids p1 … and t1 …; names and labels stand beside them. `check` is called now and then."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(_lines(net)):
            file.write(line + "\n")
            if number % _AT_ONCE == 0:
                check()


def _lines(net: PetriNet) -> Iterator[str]:
    ids = {name: f"p{number}" for number, name in enumerate(net.places, 1)}
    ids |= {step.name: f"t{number}" for number, step in enumerate(net.transitions, 1)}
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<pnml xmlns="{_GRAMMAR}">'
    yield f'  <net id="net1" type="{_TYPE}">'
    yield f"    <name>{_text(net.name)}</name>"
    yield '    <page id="page1">'
    for place in net.places:
        marked = f"<initialMarking>{_text(str(net.initial[place]))}</initialMarking>" if net.initial.get(place) else ""
        yield f'      <place id="{ids[place]}"><name>{_text(place)}</name>{marked}</place>'
    for step in net.transitions:
        silent = f'<toolspecific tool="ProM" version="6.4" activity="{_INVISIBLE}" localNodeID="{ids[step.name]}"/>'
        name = f"<name>{_text(step.name if step.label is None else step.label)}</name>"
        yield f'      <transition id="{ids[step.name]}">{name}{silent if step.label is None else ""}</transition>'
    for number, (source, target) in enumerate(net.arcs, 1):
        yield f'      <arc id="a{number}" source={quoted(ids[source])} target={quoted(ids[target])}/>'
    yield "    </page>"
    yield "    <finalmarkings><marking>"
    for place, tokens in net.final.items():
        yield f'      <place idref="{ids[place]}">{_text(str(tokens))}</place>'
    yield "    </marking></finalmarkings>"
    yield "  </net>"
    yield "</pnml>"


def _text(text: str) -> str:
    return f"<text>{escaped(text)}</text>"
