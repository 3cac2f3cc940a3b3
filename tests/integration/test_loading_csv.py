"""CSV as people have it: delimiters, encodings, line ends, quotes, headers, and rows that are not like the others."""

import pytest
from lodestream_server.workloads.mining import text_file

from tests.integration.loading_world import loaded_text

ROWS = [
    "case,activity,time",
    "1,Prüfung,2024-01-01 10:00",
    "1,Größe ändern,2024-01-02 11:00",
    "2,Prüfung,2024-01-03 12:00",
]
TEXT = "\n".join(ROWS) + "\n"
TRACES = {"1": ["Prüfung", "Größe ändern"], "2": ["Prüfung"]}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    """And told to whoever watches."""
    log = loaded_text(tmp_path, TEXT.replace(",", delimiter))
    assert log.traces() == TRACES
    assert log.results["mapping"]["delimiter"] == delimiter


def test_a_delimiter_that_also_stands_in_texts_does_not_confuse(tmp_path):
    """Commas in the texts of a file with semicolons."""
    text = "case;activity;time\n1;check, then decide, maybe;2024-01-01\n1;pay, or not, who knows;2024-01-02\n"
    assert loaded_text(tmp_path, text).traces() == {"1": ["check, then decide, maybe", "pay, or not, who knows"]}


def test_an_unusual_delimiter_can_be_given(tmp_path):
    """One character."""
    assert loaded_text(tmp_path, TEXT.replace(",", "~"), delimiter="~").traces() == TRACES


def test_the_line_of_a_spreadsheet_that_names_the_delimiter_is_understood(tmp_path):
    """sep=; stands before the header."""
    log = loaded_text(tmp_path, "sep=;\r\n" + TEXT.replace(",", ";").replace("\n", "\r\n"))
    assert log.traces() == TRACES


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
def test_the_encoding_is_found(tmp_path, encoding, said):
    """By its mark, by its zeros, by not being UTF-8."""
    log = loaded_text(tmp_path, TEXT.encode(encoding))
    assert log.traces() == TRACES
    assert log.results["mapping"]["encoding"] == said


def test_an_encoding_that_was_guessed_is_a_warning(tmp_path):
    """Nothing proves Windows-1252, and nothing disproves Latin-1 where it fails."""
    western = loaded_text(tmp_path, TEXT.encode("cp1252"))
    assert [line.text for line in western.phase.warnings] == ["The text is not UTF-8; it was read as cp1252"]
    other = loaded_text(tmp_path, TEXT.replace("ö", "\x81").encode("latin-1"))
    assert other.results["mapping"]["encoding"] == "latin-1"


def test_an_encoding_can_be_given(tmp_path):
    """Turkish, which no look at the bytes would tell from Western."""
    text = "case,activity,time\n1,Ödeme yapıldı,2024-01-01\n1,Şikâyet,2024-01-02\n"
    log = loaded_text(tmp_path, text.encode("iso-8859-9"), encoding="ISO-8859-9")
    assert log.traces() == {"1": ["Ödeme yapıldı", "Şikâyet"]}
    assert log.phase.warnings == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(tmp_path, end):
    """With and without one at the end of the file."""
    assert loaded_text(tmp_path, TEXT.replace("\n", end)).traces() == TRACES
    assert loaded_text(tmp_path, TEXT.replace("\n", end).rstrip()).traces() == TRACES


def test_quoted_fields_may_hold_delimiters_quotes_and_lines(tmp_path):
    """As RFC 4180 says, also across blocks."""
    text = 'case,activity,time\n1,"say ""hi"", then\ngo",2024-01-01\n"1","plain","2024-01-02"\n' * 1
    log = loaded_text(tmp_path, text)
    assert log.traces() == {"1": ['say "hi", then\ngo', "plain"]}
    assert log.results["recordsLoaded"] == 2


def test_blocks_are_cut_between_records_whatever_their_size(tmp_path, monkeypatch):
    """A line end inside of quotes is none; every size from a few bytes on gives the same rows, and the count is right
    beforehand."""
    rows = [f'{n % 3},"step {n % 5}{chr(10) * (n % 2)}, ""x""",2024-01-{n % 28 + 1:02}T00:00:00Z' for n in range(40)]
    text = "case,activity,time\n" + "\n".join(rows) + "\n"
    whole = loaded_text(tmp_path, text)
    assert whole.phase.progressed[1][1] == whole.results["recordsLoaded"] == 40
    for size in (7, 64, 301):
        monkeypatch.setattr(text_file, "BLOCK", size)
        monkeypatch.setattr("lodestream_server.workloads.mining.text_file.blocks.__defaults__", (size, None))
        again = loaded_text(tmp_path, text)
        assert again.rows.equals(whole.rows)
        assert again.phase.progressed[1][1] == 40


def test_a_quote_inside_of_a_field_is_a_character(tmp_path):
    """Five inches of pipe, in a file that quotes nothing, and in one that does."""
    inches = '3,5" pipe,2024-01-01\n3,6" pipe,2024-01-02\n'
    assert loaded_text(tmp_path, TEXT + inches).traces()["3"] == ['5" pipe', '6" pipe']
    assert loaded_text(tmp_path, TEXT + '"4",a,2024-01-01\n' + inches).traces()["3"] == ['5" pipe', '6" pipe']


def test_blank_lines_are_no_records(tmp_path):
    """Anywhere."""
    log = loaded_text(tmp_path, TEXT.replace("\n", "\n\n") + "\n\n")
    assert (log.traces(), log.results["recordsLoaded"], log.results["invalidRecords"]) == (TRACES, 3, 0)


def test_rows_with_too_few_or_too_many_fields_are_set_aside_one_by_one(tmp_path):
    """Their neighbours are mined; the text is kept with the reason, and positions go on counting."""
    log = loaded_text(tmp_path, TEXT + "5,short\n5,a,2024-01-01,long,longer\n5,a,2024-01-01\n5,b,\n")
    assert log.traces() == TRACES | {"5": ["a"]}
    assert log.rejected.select("record", "reason").rows() == [
        ("3", "Malformed Row: 2 fields instead of 3"),
        ("4", "Malformed Row: 5 fields instead of 3"),
        ("6", "Missing Timestamp"),
    ]
    assert log.rejected["text"].to_list() == ["5,short", "5,a,2024-01-01,long,longer", ""]
    assert log.rows["position"].sort().to_list() == [0, 1, 2, 5]


def test_short_rows_are_told_from_rows_whose_last_field_is_empty(tmp_path):
    """Also when quoted delimiters make plain counting useless."""
    text = 'case,activity,time,note\n1,a,2024-01-01,\n1,"b, c",2024-01-02,\n1,d,2024-01-03,"x, y"\n'
    assert loaded_text(tmp_path, text).results["invalidRecords"] == 0
    assert loaded_text(tmp_path, text + "1,e,2024-01-04\n").results["invalidRecords"] == 1


def test_column_names_may_be_empty_repeated_or_padded(tmp_path):
    """Every column keeps a name of its own."""
    log = loaded_text(tmp_path, ",case, activity ,time,x,x\n0,1,a,2024-01-01,p,q\n1,1,b,2024-01-02,p,q\n")
    assert log.summary.attributes == {"column 1": "integer", "x": "string", "x (2)": "string"}


def test_a_column_that_fills_late_gets_its_type(tmp_path):
    """Nothing in the first rows, numbers in the last."""
    rows = "".join(f"{n},a,2024-01-01,\n" for n in range(300)) + "1,b,2024-01-02,1.5\n"
    log = loaded_text(tmp_path, "case,activity,time,cost\n" + rows)
    assert log.summary.attributes == {"cost": "number"}
    assert log.rows["cost"].sum() == 1.5


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["13/02/2024 08:00", "14/02/2024 08:00"], "2024-02-13T08:00:00+00:00"),
        (["02/13/2024 08:00", "02/14/2024 08:00"], "2024-02-13T08:00:00+00:00"),
        (["13.02.2024 08:00:00", "14.02.2024 08:00:00"], "2024-02-13T08:00:00+00:00"),
        (["1707811200", "1707897600"], "2024-02-13T08:00:00+00:00"),
        (["1707811200000", "1707897600000"], "2024-02-13T08:00:00+00:00"),
        (["2024/02/13 08:00:00.000", "2024/02/14 08:00:00.000"], "2024-02-13T08:00:00+00:00"),
    ],
)
def test_timestamps_of_many_styles_are_read_without_help(tmp_path, times, expected):
    """Day and month told apart by the data."""
    text = "case,activity,time\n" + "".join(f"1,{step},{time}\n" for step, time in zip("ab", times, strict=True))
    assert loaded_text(tmp_path, text).results["timeRange"]["startTime"] == expected


def test_a_timestamp_format_can_be_given(tmp_path):
    """Where the data does not tell: 3 April rather than 4 March."""
    text = "case,activity,time\n1,a,03/04/2024\n1,b,04/04/2024\n"
    log = loaded_text(tmp_path, text, activityTimeColumn="time", timestampFormat="%m/%d/%Y")
    assert log.results["timeRange"]["startTime"] == "2024-03-04T00:00:00+00:00"
    unsure = loaded_text(tmp_path, text)
    assert any("Day and month" in line.text for line in unsure.phase.warnings)
