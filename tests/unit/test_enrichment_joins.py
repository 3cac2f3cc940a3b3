"""Joins of an enrichment: by case and by key, whatever matches, in view."""

import polars as pl
import pytest
from lodestream_server.workloads.declared.enrichment import JOB
from lodestream_server.workloads.enrichment.join import joins_of
from lodestream_server.workloads.parameters import violations
from lodestream_server.workloads.phase import BadInput, Cancelled, DatasetFile

from tests.unit.enrichment_world import PHASES, world

LOG = """case,activity,time,customer
1,A,2024-01-01,007
1,B,2024-01-02,007
2,A,2024-01-01, 8
3,A,2024-01-01,
"""
CUSTOMERS = """number,segment,limit,since
007,Private,100,2020-01-01
8,Business,250.5,2021-02-02
9,Nobody,1,2022-03-03
"""
BY_CUSTOMER = {"datasetId": "d-2", "on": {"left": "customer", "right": "number"}}


def joined(folder, *joins, log=LOG, other=CUSTOMERS, **given):
    """The events in the order of the file after enrichment, and the world."""
    path = folder / "other.csv"
    path.write_text(other, "utf-8")
    here = world(folder, log, joins=list(joins), derivedColumns=[], **given)
    files = {"d-2": DatasetFile("d-2", "customers.csv", path, "csv", path.stat().st_size)}
    for name, function in PHASES.items():
        here.phases[name] = here.phase(name, datasets=files)
        here.finished[name] = here.phases[name].run(function)
    return here.rows("Data Enrichment"), here


def test_rows_of_another_dataset_are_found_by_a_key(tmp_path):
    """Types are found, white space around keys does not count, 007 stays what it is; nothing is multiplied."""
    rows, here = joined(tmp_path, BY_CUSTOMER)
    assert rows["segment"].to_list() == ["Private", "Private", "Business", None]
    assert rows["limit"].to_list() == [100.0, 100.0, 250.5, None]
    assert rows.schema["since"] == pl.Datetime("us", "UTC")
    (found,) = here.finished["Data Enrichment"].results["joins"]
    assert (found["eventsMatched"], found["eventsUnmatched"], found["casesUnmatched"]) == (3, 1, 1)
    assert (found["rowsRead"], found["keys"], found["rowsNotUsed"]) == (3, 3, 0)
    assert "found nothing" in here.phases["Data Enrichment"].warnings[-1].text


def test_an_event_never_becomes_two(tmp_path):
    """Of several rows the first in the file counts, or the last; rows that say the same are one."""
    other = "number,segment\n007,First\n007,Last\n8,Same\n8,Same\n"
    for keep, segment in (("first", "First"), ("last", "Last")):
        (tmp_path / keep).mkdir()
        rows, here = joined(tmp_path / keep, BY_CUSTOMER | {"keep": keep}, other=other)
        assert rows["segment"].to_list() == [segment, segment, "Same", None]
        (found,) = here.finished["Data Enrichment"].results["joins"]
        assert (found["keysWithSeveralRows"], found["rowsNotUsed"]) == (1, 1)
    with pytest.raises(BadInput, match=r'several rows that differ for number "007"'):
        joined(tmp_path, BY_CUSTOMER | {"keep": "only"}, other=other)


def test_a_log_of_another_system_is_joined_by_its_case(tmp_path):
    """The case's column is found there as everywhere; the prefix tells whose the columns are."""
    other = "case,activity,time,score\n1,X,2024-01-01,5\n1,Y,2024-01-02,5\n3,X,2024-01-01,7\n"
    wish = {"datasetId": "d-2", "on": "case", "columns": ["score"], "prefix": "crm_"}
    rows, here = joined(tmp_path, wish, other=other)
    assert rows["crm_score"].to_list() == [5, 5, None, 7]
    assert here.finished["Data Enrichment"].results["joins"][0]["keysWithSeveralRows"] == 0


def test_expressions_and_the_report_see_joined_columns(tmp_path):
    """They are columns like any other, and the report says where they came from."""
    rows, here = joined(tmp_path, BY_CUSTOMER, expressions={"is_large": "limit > 200"})
    assert rows["is_large"].to_list() == [False, False, True, None]
    html = (here.finished["Output Generation"].folder / "before-after.html").read_text("utf-8")
    assert "<h2>Joined data</h2>" in html
    assert "segment of &#34;customers.csv&#34;, where its number is customer" in html


def test_two_joins_may_meet(tmp_path):
    """Each with its own prefix."""
    rows, _ = joined(tmp_path, BY_CUSTOMER | {"prefix": "a_"}, BY_CUSTOMER | {"prefix": "b_", "columns": ["segment"]})
    assert rows["a_segment"].to_list() == rows["b_segment"].to_list()
    assert "b_limit" not in rows.columns


def test_a_standard_name_with_a_prefix_is_free(tmp_path):
    """Without one it is marked as the source's."""
    other = "number,activity\n8,Call\n"
    rows, _ = joined(tmp_path, BY_CUSTOMER, BY_CUSTOMER | {"prefix": "crm_"}, other=other)
    assert rows.columns[-2:] == ["activity (source)", "crm_activity"]


def test_a_join_stops_wherever_it_is_asked_to(tmp_path):
    """While the other dataset is read, while keys are dealt out, while they are matched."""
    _, here = joined(tmp_path, BY_CUSTOMER)
    whole = here.phases["Data Enrichment"]
    for stop in range(0, whole.checks, 3):
        again = here.phase("Data Enrichment", datasets=whole.datasets, cancel_after=stop)
        again.folder = tmp_path / f"again-{stop}"
        again.__post_init__()
        with pytest.raises(Cancelled):
            again.run(PHASES["Data Enrichment"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"datasetId": "d-9"}, r'joins\[0\].datasetId "d-9" is no dataset'),
        ({"on": {"left": "custommer", "right": "number"}}, 'did you mean "customer"'),
        ({"on": {"left": "customer", "right": "nummer"}}, 'did you mean "number"'),
        ({"on": {"left": "customer"}}, "must name left"),
        ({"on": "case"}, "needs left and right"),
        ({"columns": ["segmnt"]}, 'did you mean "segment"'),
        ({"colums": ["segment"]}, 'did you mean "columns"'),
        ({"keep": "best"}, "known are first, last, only"),
    ],
)
def test_a_join_that_cannot_be_made_says_what_is_wrong(tmp_path, change, said):
    """Field, fault, fix."""
    with pytest.raises(BadInput, match=said):
        joined(tmp_path, BY_CUSTOMER | change)


def test_a_taken_name_asks_for_a_prefix(tmp_path):
    """Nothing of the log is overwritten."""
    with pytest.raises(BadInput, match=r'joins\[0\].prefix is needed, because a column "customer"'):
        joined(tmp_path, BY_CUSTOMER, other="number,customer\n8,Eve\n")


def test_what_can_be_checked_at_submission_is(tmp_path):
    """Ids, words and kinds, with the place in the list."""
    given = {"datasetId": "d", "joins": [{"datasetId": "e", "on": "case"}, {"columns": "x", "keep": "any"}]}
    found = {violation.field: violation.description for violation in violations(JOB.parameters, given)}
    assert found["parameters.joins[1].datasetId"] == "is required"
    assert "list of texts" in found["parameters.joins[1].columns"]
    assert "first, last, only" in found["parameters.joins[1].keep"]
    assert len(found) == 3
    assert joins_of({"joins": [given["joins"][0]]})[0].by_case


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (["7.0", "8", "9.5"], ["7", "8.0", "9.50"]),
        (["9007199254740993", "7", "8"], ["9007199254740993", " 7 ", "8"]),
        (["true", "false", "true"], ["True", "FALSE", "-"]),
        (
            ["2024-01-01", "2024-01-02", "2024-01-03"],
            ["2024-01-01", "2024-01-02T00:00:00Z", "2024-01-03 03:00:00+03:00"],
        ),
        (["007", "a", "0.5"], ["007", "a", "0.5"]),
    ],
)
def test_keys_meet_whatever_way_each_side_writes_them(tmp_path, here, there):
    """Numbers as numbers, times as times; where the log has texts they stay texts."""
    log = "case,activity,time,customer\n" + "".join(f"{n},A,2024-01-01,{key}\n" for n, key in enumerate(here))
    other = "number,found\n" + "".join(f"{key},{key.strip()}\n" for key in there)
    rows, _ = joined(tmp_path, BY_CUSTOMER, log=log, other=other)
    assert None not in rows["found"].to_list()[: 2 if "-" in there else 3]


def test_a_text_that_only_looks_like_a_number_finds_nothing_else(tmp_path):
    """A customer 007 is not the customer 7."""
    log = "case,activity,time,customer\n1,A,2024-01-01,007\n2,A,2024-01-01,x\n"
    rows, _ = joined(tmp_path, BY_CUSTOMER, log=log, other="number,segment\n7,Seven\n")
    assert rows["segment"].to_list() == [None, None]


def test_a_dataset_without_rows_is_named(tmp_path):
    """Not the log is empty, but what was to be joined."""
    with pytest.raises(
        BadInput, match=r'parameters.joins\[0\]: "customers.csv" cannot be joined. .* no rows'
    ) as raised:
        joined(tmp_path, BY_CUSTOMER, other="number,segment\n")
    assert raised.value.details["field"] == "parameters.joins[0]"
