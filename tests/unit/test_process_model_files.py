"""PNML and BPMN: what is written is read back as the same behaviour, and what is no model is told why."""

import pickle
import random
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lodestream_server.workloads.phase import BadInput
from lodestream_server.workloads.process_models.bpmn import NotExpressible, write_bpmn
from lodestream_server.workloads.process_models.model_files import read_model
from lodestream_server.workloads.process_models.net import PetriNet
from lodestream_server.workloads.process_models.pnml import write_pnml

from tests.unit.process_model_world import LOOPED, language, net_of

NETS = {
    "looped": LOOPED,
    "choice": net_of("s > A > e", "s > B > m", "m > C > e", "s > . > e"),
    "parallel": net_of("s > . > a b c", "a > A > x", "b > B > y", "c > C > z", "x y z > . > e"),
    "not free choice": net_of("s > S > a b", "a > A > x", "a b > B > e", "x b > C > e"),
    "names": net_of('s > <A & "B\'s" > m', "m > Übergabe 借款 > e"),
    "dead branch": net_of("s > A > e", "never s > B > e", "s > C > nowhere"),
    "twice": net_of("s > A > m", "m > A > e", "m > B > m"),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("write", [write_pnml, write_bpmn])
def test_a_net_that_was_written_is_read_back_with_the_same_language(tmp_path, name, write):
    """All complete traces up to six activities; labels to the letter."""
    write(NETS[name], tmp_path / "model")
    read = read_model(tmp_path / "model")
    assert language(read) == language(NETS[name]) != set()


@pytest.mark.parametrize("net", [LOOPED, net_of(*(f"s > A{number} > e" for number in range(200)))])
def test_every_node_and_flow_of_a_written_diagram_is_drawn(tmp_path, net):
    """A modeller shows nothing that has no shape; ids are unique; flows end at their nodes. Large diagrams, too."""
    write_bpmn(net, tmp_path / "m.bpmn")
    root = ElementTree.parse(tmp_path / "m.bpmn").getroot()
    process, plane = root[0], root[1][0]
    shapes = {item.get("bpmnElement"): item[0].attrib for item in plane if item.tag.endswith("Shape")}
    edges = {item.get("bpmnElement"): list(item) for item in plane if item.tag.endswith("Edge")}
    flows = {item.get("id"): item for item in process if item.tag.endswith("sequenceFlow")}
    assert shapes.keys() == {item.get("id") for item in process} - flows.keys()
    assert edges.keys() == flows.keys() != set()
    ids = [item.get("id") for item in root.iter() if item.get("id")]
    assert len(ids) == len(set(ids))
    for name, points in edges.items():
        for point, end in ((points[0], "sourceRef"), (points[-1], "targetRef")):
            box = {key: float(value) for key, value in shapes[flows[name].get(end)].items()}
            assert box["x"] - 1 <= float(point.attrib["x"]) <= box["x"] + box["width"] + 1
            assert box["y"] - 1 <= float(point.attrib["y"]) <= box["y"] + box["height"] + 1


def test_a_net_that_no_diagram_can_say_is_refused(tmp_path):
    """A transition that needs nothing could always happen; a net without a way to its end has no diagram."""
    with pytest.raises(NotExpressible, match="'B' has no place before it"):
        write_bpmn(net_of("s > A > e", " > B > e"), tmp_path / "m")
    with pytest.raises(NotExpressible, match="no way from a start to an end"):
        write_bpmn(net_of("s > A > m", "n > B > e"), tmp_path / "m")


def pnml(inside: str, more: str = "") -> str:
    """A file as ProM writes them, around these elements."""
    kind = "http://www.pnml.org/version-2009/grammar/pnmlcoremodel"
    net = f'<net id="n" type="{kind}"><page id="g">{inside}</page>{more}</net>'
    return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<pnml>{net}</pnml>'


def _place(name: str, tokens: int = 0) -> str:
    marked = f"<initialMarking>\n  <text>{tokens}</text>\n</initialMarking>" if tokens else ""
    return f'<place id="{name}"><name><text>{name}</text></name>{marked}<graphics/></place>'


def _step(name: str, label: str, more: str = "") -> str:
    return f'<transition id="{name}"><name>\n<text>{label}</text>\n</name>{more}</transition>'


def _arc(source: str, target: str, more: str = "") -> str:
    return f'<arc id="{source}{target}" source="{source}" target="{target}">{more}</arc>'


SILENT = '<toolspecific tool="ProM" version="6.4" activity="$invisible$" localNodeID="x"/>'
BODY = (
    _place("a", 1) + _place("b") + _step("t", "Pay") + _step("u", "tau", SILENT) + _arc("a", "t") + _arc("t", "b")
) + (_arc("a", "u") + _arc("u", "b", "<inscription><text>1</text></inscription><arctype><text>normal</text></arctype>"))


def _read(folder: Path, text: str | bytes) -> PetriNet:
    (folder / "model").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_model(folder / "model")


def test_a_file_of_prom_is_read_with_its_markings_and_silent_steps(tmp_path):
    """Final markings where they stand; without them the place that nothing leaves."""
    final = '<finalmarkings><marking><place idref="b"><text>1</text></place><place idref="a"><text>0</text></place>'
    for more in (f"{final}</marking></finalmarkings>", ""):
        net = _read(tmp_path, pnml(BODY, more))
        assert (dict(net.initial), dict(net.final)) == ({"a": 1}, {"b": 1})
        assert language(net) == {(), ("Pay",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no whole XML"),
        (b"place,transition\n", "no whole XML"),
        (pnml(BODY)[:-20], "no whole XML"),
        (pickle.dumps({"net": 1}), "is a pickle or a zip"),
        (b"<html><body/></html>", "its root is <html>"),
        (b'<!DOCTYPE pnml [<!ENTITY a "aaaa">]><pnml><net id="n"/>&a;</pnml>', "declares a document type"),
        (b"<pnml>" + b"<page>" * 100, "nested deeper than 64"),
        (b'<?xml version="1.0" encoding="nonsense"?><pnml/>', "an encoding that is unknown"),
        ("<pnml/>", "holds 0 nets"),
        (pnml(_place("a", 1)), "has 1 places and 0 transitions"),
        (pnml(BODY + _arc("t", "gone")), 'no place or transition "gone"'),
        (pnml(BODY + _arc("b", "a")), "joins two of a kind"),
        (pnml(BODY + _arc("b", "t", "<inscription><text>2</text></inscription>")), "weight 2"),
        (pnml(BODY + _arc("b", "t", '<type value="inhibitor"/>')), "of the type inhibitor"),
        (pnml(BODY + _place("a")), 'has the id "a" twice'),
        (pnml(BODY.replace(">1</text>\n</init", ">many</text>\n</init")), 'with "many"'),
        (
            pnml(BODY.replace(">1</text>\n</init", ">0</text>\n</init") + _arc("b", "t") + _arc("t", "a")),
            "no place is its",
        ),
        (pnml(BODY + _place("c") + _arc("t", "c")), "2 places could be its end"),
        (pnml(BODY, '<finalmarkings><marking><place idref="z"/></marking></finalmarkings>'), 'final marking of "z"'),
        (pnml(BODY + '<referencePlace id="r" ref="a"/>'), "from page to page"),
    ],
)
def test_what_is_no_net_is_told_why(tmp_path, text, said):
    """With the field that named the file."""
    with pytest.raises(BadInput) as caught:
        _read(tmp_path, text)
    assert said in str(caught.value)
    assert str(caught.value).startswith("parameters.modelResourceId: the model file ")
    assert caught.value.details["field"] == "parameters.modelResourceId"


def bpmn(*lines: str) -> str:
    """A diagram of flows as `a -> b` and of nodes as `kind id name`; names of tasks are their ids unless given."""
    parts = []
    for number, line in enumerate(lines):
        if "->" in line:
            source, target = line.split(" -> ")
            parts.append(f'<b:sequenceFlow id="f{number}" sourceRef="{source}" targetRef="{target}"/>')
        else:
            kind, id_, *name = line.split(" ", 2)
            parts.append(f'<b:{kind} id="{id_}" name="{name[0] if name else id_}"/>')
    inside = "".join(parts)
    space = "http://www.omg.org/spec/BPMN/20100524/MODEL"
    return f'<b:definitions xmlns:b="{space}"><b:process id="p">{inside}</b:process></b:definitions>'


ENDS = ("startEvent s", "endEvent e")


@pytest.mark.parametrize(
    ("lines", "traces"),
    [
        ("userTask A; callActivity B; s -> A; A -> B; B -> e", {"AB"}),
        ("task A; task B; s -> A; s -> B; A -> e; B -> e", {"AB", "BA"}),
        ("task A; exclusiveGateway x; s -> A; A -> x; x -> A; x -> e", {"A", "AA", "AAA"}),
        (
            "parallelGateway x; parallelGateway y; task A; intermediateCatchEvent i; task B; s -> x; x -> A; x -> B; "
            "A -> i; i -> y; B -> y; y -> e",
            {"AB", "BA"},
        ),
        (
            "inclusiveGateway x; inclusiveGateway y; task A; task B; task C; s -> x; x -> A; x -> B; A -> y; B -> y; "
            "y -> C; C -> e",
            {"AC", "BC", "ABC", "BAC"},
        ),
        (
            "eventBasedGateway x; receiveTask A; task B; endEvent e2; s -> x; x -> A; x -> B; A -> e; B -> e2",
            {"A", "B"},
        ),
        (
            "parallelGateway x; task A; task B; endEvent e2; s -> x; x -> A; x -> B; A -> e; B -> e2",
            {"AB", "BA"},
        ),
    ],
)
def test_a_diagram_means_what_its_drawer_meant(tmp_path, lines, traces):
    """Tasks of all kinds; merges and splits without gateways; inclusive branches alone and together."""
    net = _read(tmp_path, bpmn(*ENDS, *lines.split("; ")))
    assert language(net, 3) == {tuple(trace) for trace in traces}


LINE = ("task A", "s -> A", "A -> e")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (bpmn("task A", "endEvent e", "A -> A", "A -> e"), "has no start event"),
        (bpmn("startEvent s", "task A", "s -> A", "A -> A"), "has no end event"),
        (bpmn(*ENDS, *LINE, "A -> gone"), 'with an end "gone"'),
        (bpmn(*ENDS, *LINE, "task B"), 'has a task "B" that nothing leads to'),
        (bpmn(*ENDS, *LINE, "boundaryEvent b"), 'boundaryEvent "b", which is not understood'),
        (bpmn(*ENDS, *LINE, "complexGateway c"), 'complexGateway "c", which is not understood'),
        (bpmn(*ENDS, *LINE, "task A"), 'has the id "A" twice'),
        (bpmn(*ENDS, *LINE).replace('name="A"', 'name=" "'), "has a task without a name (A)"),
        (
            bpmn(*ENDS, *LINE).replace('name="A"/>', 'name="A"><b:standardLoopCharacteristics/></b:task>'),
            "standardLoop",
        ),
        (
            bpmn(*ENDS, *["inclusiveGateway x", "task A", "task B", "s -> x", "x -> A", "x -> B", "A -> e", "B -> e"]),
            "do not all meet again",
        ),
        (
            bpmn(*ENDS, *LINE).replace(
                "</b:definitions>", '<b:process id="q"><b:task id="z"/></b:process></b:definitions>'
            ),
            "holds 2 processes",
        ),
        ('<definitions><process id="p"/></definitions>', "holds 0 processes"),
    ],
)
def test_a_diagram_that_is_not_understood_is_refused_by_name(tmp_path, text, said):
    """Nothing is left out silently."""
    with pytest.raises(BadInput) as caught:
        _read(tmp_path, text)
    assert said in str(caught.value)


def test_damaged_files_are_refused_and_nothing_else_happens(tmp_path):
    """Cut anywhere, or with bytes changed: a net or BadInput, never another error."""
    chance = random.Random(7)
    write_bpmn(LOOPED, tmp_path / "whole")
    diagram = (tmp_path / "whole").read_bytes()
    net = pnml(BODY).encode()
    outcomes = {"net": 0, "refused": 0}
    for whole in (net, diagram):
        for _ in range(150):
            damaged = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole)
            for _ in range(chance.randrange(4)):
                if damaged:
                    damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            try:
                _read(tmp_path, bytes(damaged))
                outcomes["net"] += 1
            except BadInput:
                outcomes["refused"] += 1
    for length in range(0, 2_000, 40):
        with pytest.raises(BadInput):
            _read(tmp_path, chance.randbytes(length))
    assert min(outcomes.values()) > 20
