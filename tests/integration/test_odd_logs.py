"""Valid logs of shapes that nobody has announced: mined without help, or refused with a message that says what to do.

Each log has the same truth: three cases of a, b, c (or the words given), an hour apart, the second case without its c.
"""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lodestream_server.workloads.phase import BadInput

from tests.integration.loading_world import loaded

STEPS = ("Antrag prüfen", "Bescheid senden", "Akte schließen")
BEGIN = datetime(2024, 3, 5, 8, 0, tzinfo=UTC)
CASES = 40


def truth() -> list[tuple[int, str, datetime]]:
    """Case, activity, instant of every event in the order of time: 40 cases, every second one without its last step."""
    events = []
    for case in range(CASES):
        for place, step in enumerate(STEPS[: 3 - case % 2]):
            events.append((case, step, BEGIN + timedelta(hours=7 * case + 25 * place, minutes=case)))
    return sorted(events, key=lambda event: event[2])


def expected(case_name: Callable[[int], str]) -> dict[str, list[str]]:
    """The activities of each case in their order."""
    return {case_name(case): list(STEPS[: 3 - case % 2]) for case in range(CASES)}


def table(header: str, line: Callable[[int, str, datetime], str]) -> str:
    """The truth as text."""
    return header + "\n" + "".join(line(*event) + "\n" for event in truth())


def written(folder: Path, data: bytes | str, name: str = "log.csv", encoding: str = "utf-8") -> Path:
    """A file of it."""
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode(encoding))
    return folder / name


TEXTS: dict[str, tuple[str, str, Callable[[int], str]]] = {
    "tabs, cp1252, German": (
        table(
            "Vorgangsnummer\tTätigkeit\tZeitpunkt\tBearbeiter",
            lambda c, a, t: f"V-{c}\t{a}\t{t:%d.%m.%Y %H:%M:%S}\tMüller",
        ),
        "cp1252",
        lambda case: f"V-{case}",
    ),
    "utf-16 with mark": (
        table("case id,activity,timestamp", lambda c, a, t: f"c{c},{a},{t:%Y-%m-%d %H:%M:%S}"),
        "utf-16",
        lambda case: f"c{case}",
    ),
    "semicolons, decimal commas": (
        table("Fall;Schritt;Zeit;Betrag", lambda c, a, t: f"{c};{a};{t:%d.%m.%Y %H:%M};{c * 17},{c % 10}0"),
        "utf-8",
        str,
    ),
    "quoted line breaks": (
        table(
            '"case","note","activity","time"',
            lambda c, a, t: f'"{c}","first line\nsecond, with ""quotes""","{a}","{t:%Y-%m-%dT%H:%M:%SZ}"',
        ),
        "utf-8",
        str,
    ),
    "Turkish": (
        table("Vaka No;Faaliyet;Bitiş Zamanı;Kullanıcı", lambda c, a, t: f"İŞ{c};{a};{t:%d.%m.%Y %H:%M:%S};Ayşe"),
        "utf-8",
        lambda case: f"İŞ{case}",
    ),
    "French, day first": (
        table("N° dossier;Activité;Date et heure", lambda c, a, t: f"D{c};{a};{t:%d/%m/%Y %H:%M}"),
        "utf-8",
        lambda case: f"D{case}",
    ),
    "epoch milliseconds": (
        table("case,activity,timestamp", lambda c, a, t: f"{c},{a},{int(t.timestamp() * 1000)}"),
        "utf-8",
        str,
    ),
    "columns in an odd order, numbers as cases, pandas index": (
        table(
            ",amount,time,resource,activity,order",
            lambda c, a, t: f"{c},{c * 3.5},{t.isoformat()},R{c % 3},{a},{1000 + c}",
        ),
        "utf-8",
        lambda case: str(1000 + case),
    ),
    "a byte order mark and Windows line ends": (
        table("Case ID,Activity,Complete Timestamp", lambda c, a, t: f"{c},{a},{t:%Y/%m/%d %H:%M:%S.%f}\r").replace(
            "Timestamp\n", "Timestamp\r\n"
        ),
        "utf-8-sig",
        str,
    ),
    "American, with AM and PM": (
        table("Ticket,Status,Changed At", lambda c, a, t: f"T{c},{a},{t:%m/%d/%Y %I:%M:%S %p}"),
        "utf-8",
        lambda case: f"T{case}",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_table_of_an_odd_shape_is_read_without_help(tmp_path, name):
    """Delimiter, encoding, columns and dates are found; no record is lost."""
    text, encoding, case_name = TEXTS[name]
    log = loaded(written(tmp_path, text, encoding=encoding))
    assert log.results["invalidRecords"] == 0
    assert log.traces() == expected(case_name)


def frame() -> pl.DataFrame:
    """The truth in the types of a typed file."""
    cases, steps, times = zip(*truth(), strict=True)
    return pl.DataFrame({"order_id": cases, "step": steps, "finished_at": times, "who": [f"R{c % 3}" for c in cases]})


@pytest.mark.parametrize(
    "change",
    [
        pa.schema([("order_id", pa.int32()), ("step", pa.large_string()), ("finished_at", pa.timestamp("ns", "UTC"))]),
        pa.schema([("order_id", pa.string()), ("step", pa.dictionary(pa.int8(), pa.string()))])
        .append(pa.field("finished_at", pa.timestamp("ms", "Europe/Istanbul")))
        .append(pa.field("who", pa.dictionary(pa.int32(), pa.large_string()))),
        pa.schema([("order_id", pa.int64()), ("step", pa.string()), ("finished_at", pa.timestamp("us"))]),
    ],
    ids=["nanoseconds and large strings", "dictionaries and a time zone", "no time zone"],
)
def test_a_parquet_file_of_any_types_is_read_without_help(tmp_path, change):
    """Categories are texts, instants are instants in whatever unit and zone."""
    arrow = frame().to_arrow().select(change.names)
    pq.write_table(arrow.cast(change), tmp_path / "log.parquet")
    log = loaded(tmp_path / "log.parquet")
    assert log.traces() == expected(str)
    assert log.rows["timestamp"].min() == BEGIN


def test_a_parquet_file_of_pandas_is_read_without_its_index(tmp_path):
    """With columns beside that no event needs, which are left out and said."""
    arrow = frame().to_arrow().append_column("__index_level_0__", pa.array(range(len(truth()))))
    arrow = arrow.append_column("tags", pa.array([["a", "b"]] * len(truth())))
    arrow = arrow.append_column("huge", pa.array([1] * len(truth())).cast(pa.decimal256(50, 2)))
    pq.write_table(arrow, tmp_path / "log.parquet")
    log = loaded(tmp_path / "log.parquet")
    assert log.traces() == expected(str)
    assert {"__index_level_0__", "tags", "huge"}.isdisjoint(log.rows.columns)
    assert any("tags" in warning.text for warning in log.phase.warnings)


def xes(head: str, event: Callable[[str, datetime], str], namespace: str = "") -> str:
    """The truth as XES."""
    cases: dict[int, str] = {}
    for case, step, at in truth():
        cases[case] = cases.get(case, "") + event(step, at)
    traces = "".join(
        f'<trace><string key="concept:name" value="{c}"/>{events}</trace>\n' for c, events in cases.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<log{namespace}>\n{head}{traces}</log>'


@pytest.mark.parametrize(
    "text",
    [
        xes(
            "",
            lambda a, t: (
                f'<event><date key="time:timestamp" value="{t.isoformat()}"/>'
                f'<string value="{a}" key="concept:name"/></event>'
            ),
        ),
        xes(
            '<global scope="event"><string key="concept:name" value="UNKNOWN"/>'
            '<string key="org:resource" value="nobody"/>'
            '<date key="time:timestamp" value="1970-01-01T00:00:00Z"/></global>'
            '<classifier name="x" keys="concept:name"/>',
            lambda a, t: (
                f'<event><string key="concept:name" value="{a}"/>'
                f'<date key="time:timestamp" value="{t:%Y-%m-%dT%H:%M:%S.000+00:00}"/></event>'
            ),
            namespace=' xmlns="http://www.xes-standard.org/" xes.version="1.0"',
        ),
        xes(
            '<string key="concept:name" value="a log"><string key="inner" value="x"/></string>',
            lambda a, t: (
                '<event><list key="parts"><values><string key="concept:name" value="not the activity"/></values>'
                f'</list><string key="concept:name" value="{a}"><int key="depth" value="2"/></string>'
                f'<date key="time:timestamp" value="{t.isoformat()}"/><boolean key="ok" value="true"/></event>'
            ),
        ),
    ],
    ids=["nothing declared", "globals and a namespace", "nested lists and attributes of attributes"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_an_xes_file_of_an_odd_shape_is_read_without_help(tmp_path, text, packed):
    """Extensions need not be declared; what is nested never takes the place of what is not."""
    data = gzip.compress(text.encode()) if packed else text.encode()
    log = loaded(written(tmp_path, data, "log.xes.gz" if packed else "log.xes"))
    assert log.traces() == expected(str)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (table("case,activity,timestamp", lambda c, a, t: f"{c},{a},{45_000 + c + t.hour / 24:.5f}"), "timestamp"),
        (table("case;activity;day", lambda c, a, t: f"{c};{a};{('Mon', 'Tue', 'Wed')[c % 3]}"), "timestamp"),
    ],
    ids=["serial days of a spreadsheet", "weekdays"],
)
def test_times_that_are_none_are_refused_with_what_would_help(tmp_path, text, words):
    """Never guessed; the message names the column or the field to give."""
    with pytest.raises(BadInput, match=words) as refused:
        loaded(written(tmp_path, text))
    assert "activityTimeColumn" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("log.csv.gz", gzip.compress(table("case,activity,time", lambda c, a, t: f"{c},{a},{t.isoformat()}").encode())),
        ("log.xlsx", b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)) * 8),
    ],
    ids=["packed table", "workbook"],
)
def test_a_container_that_is_not_read_is_named(tmp_path, name, data):
    """A packed table and a workbook are refused with the way out."""
    with pytest.raises(BadInput) as refused:
        loaded(written(tmp_path, data, name))
    assert any(word in str(refused.value) for word in ("unpack", "CSV", "gzip"))


def test_lifecycle_rows_and_a_numeric_activity_are_no_obstacle(tmp_path):
    """Every row is an event; an activity called 42 is one like any other."""
    work = [("a", "start"), ("a", "complete"), ("b", "start"), ("b", "complete")]
    rows = ""
    for case in range(CASES):
        for hour, (step, word) in enumerate(work, 8):
            name = "42" if case % 9 == 0 and step == "b" else step
            rows += f"{case},{name},{word},2024-05-{case % 28 + 1:02}T{hour:02}:00:00,P{case % 4}\n"
    log = loaded(written(tmp_path, "patient,handling,registration_type,time,employee\n" + rows))
    assert log.traces()["0"] == ["a", "a", "42", "42"]
    assert {"lifecycle", "resource"} <= set(log.rows.columns)
