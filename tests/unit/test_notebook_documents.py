"""Notebooks as documents, the wishes of their jobs, and what of their talk is kept. No kernel."""

import json
from datetime import UTC, datetime

import nbformat
import pytest
from lodestream_server.workloads.notebooks import document, saved
from lodestream_server.workloads.notebooks.execution import execute
from lodestream_server.workloads.notebooks.listening import LONGEST_LINE, MOST_BYTES, MOST_LINES, Ear, shortened_error
from lodestream_server.workloads.phase import BadInput, Cancelled
from lodestream_server.workloads.rehearsal import Rehearsal

from lodestream import notebook as helper
from tests.unit.notebook_world import notebook, rehearsal


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("case,activity\n1,A\n", "NOT_A_NOTEBOOK", "save it as .ipynb"),
        ('{"cells": 5}', "NOT_A_NOTEBOOK", "save it as .ipynb"),
        ("", "NOT_A_NOTEBOOK", "save it as .ipynb"),
        (
            notebook("1", kernelspec={"name": "ir", "display_name": "R", "language": "R"}),
            "UNKNOWN_KERNEL",
            'written in R .kernel "R".: notebooks in Python can be run here',
        ),
        (notebook("1", language_info={"name": "julia"}), "UNKNOWN_KERNEL", "julia"),
        (notebook("1", kernelspec={"name": "ir", "display_name": "R"}), "UNKNOWN_KERNEL", "written in R"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_fix(tmp_path, text, reason, said):
    """Before a kernel is started, and nothing is left behind."""
    phase = rehearsal(tmp_path, text)
    with pytest.raises(BadInput, match=said) as raised:
        phase.run(execute)
    assert raised.value.reason == reason
    assert phase.left == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"notebookId": "other"}, "NO_NOTEBOOK"), ({"my-key": 1}, "BAD_PARAMETER"), ({"class": 1}, "BAD_PARAMETER")],
)
def test_wishes_that_cannot_be_met_are_named(tmp_path, given, reason):
    """An unknown notebook, a parameter that is no variable."""
    with pytest.raises(BadInput) as raised:
        rehearsal(tmp_path, notebook("1"), **given).run(execute)
    assert raised.value.reason == reason
    assert next(iter(given.values()) if reason == "NO_NOTEBOOK" else iter(given)) in str(raised.value)


def test_parameters_go_behind_the_defaults_and_replace_those_of_an_earlier_run(tmp_path):
    """papermill's convention; text in quotes, null as None; earlier outputs are forgotten."""
    path = tmp_path / "a.ipynb"
    path.write_text(notebook("print(a)", defaults="a = 1"))
    for value in ("x'y", None):
        read = document.read(path)
        document.inject(read, {"a": value})
        read.cells[2].outputs = [nbformat.v4.new_output("stream", text="old")]
        document.write(read, path)
    assert [cell.source for cell in read.cells] == ["a = 1", "# Parameters\na = None", "print(a)"]
    assert document.read(path).cells[2].outputs == []


def test_a_notebook_without_defaults_gets_its_parameters_first(tmp_path):
    """And one without parameters stays as it is. Notebooks of an old format are brought up to date."""
    path = tmp_path / "a.ipynb"
    path.write_text(
        '{"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": ['
        '{"cell_type": "code", "source": "1", "metadata": {}, "outputs": [], "execution_count": null}]}'
    )
    read = document.read(path)
    document.inject(read, {})
    assert len(read.cells) == 1
    document.inject(read, {"a": [1, {"b": True}]})
    assert read.cells[0].source == "# Parameters\na = [1, {'b': True}]"
    nbformat.validate(read)


def test_lines_are_logged_as_they_come_and_progress_bars_once(tmp_path):
    """Whole lines of each stream, without colours; what a carriage return overwrites was never said."""
    phase = Rehearsal(tmp_path)
    ear = Ear(phase)
    ear.begin(4)
    ear.hear("stream", {"name": "stdout", "text": "\x1b[31mred\x1b[0m\nhalf"})
    ear.hear("stream", {"name": "stderr", "text": "10%\r50%\r"})
    ear.hear("stream", {"name": "stdout", "text": " whole\n\n"})
    assert [line.text for line in phase.logged] == ["red", "half whole"]
    ear.hear("stream", {"name": "stderr", "text": "100%"})
    ear.end()
    assert (phase.logged[-1].text, phase.logged[-1].details) == ("100%", {"cell": 4, "stream": "stderr"})


def test_a_cell_that_talks_without_end_is_heard_so_far(tmp_path):
    """Lines in the log and bytes in the notebook are bounded; each bound is told once."""
    phase = Rehearsal(tmp_path)
    ear = Ear(phase)
    kept = [ear.hear("stream", {"name": "stdout", "text": "line\n" * 1000}) for _ in range(5)]
    assert all(kept)
    assert (len(phase.logged), len(phase.warnings)) == (MOST_LINES, 1)
    assert not ear.hear("display_data", {"data": {"image/png": "x" * (MOST_BYTES + 1)}})
    assert not ear.hear("display_data", {"data": {"image/png": "x" * (MOST_BYTES + 1)}})
    assert ear.hear("stream", {"name": "stdout", "text": "what fits is kept"})
    assert ear.hear("status", {"execution_state": "idle"})
    assert len(phase.warnings) == 2


def test_displays_are_bounded_however_they_grow(tmp_path):
    """An update takes the place of what it updates; empty ones take room as well."""
    ear, shown = Ear(Rehearsal(tmp_path)), {"transient": {"display_id": "bar"}}
    assert ear.hear("display_data", {"data": {"text/plain": "0 %"}, **shown})
    update = {"data": {"text/plain": "x" * (MOST_BYTES // 2)}, **shown}
    assert all(ear.hear("update_display_data", update) for _ in range(5))
    assert not ear.hear("update_display_data", {"data": {"text/plain": "x" * MOST_BYTES}, **shown})
    assert sum(ear.hear("display_data", {"data": {}}) for _ in range(MOST_BYTES // 100)) < MOST_BYTES // 200


def test_an_error_is_kept_as_far_as_a_document_bears_it():
    """Its name whole, the beginning of what it says and of where."""
    kept = shortened_error({"ename": "ValueError", "evalue": "x" * 10**6, "traceback": ["a", "b" * 10**6, "c"]})
    assert kept["ename"] == "ValueError"
    assert [len(line) for line in (kept["evalue"], *kept["traceback"])] == [10_000, 1, 99_999]


@pytest.mark.parametrize(
    "kernel", [{"display_name": "Python 3"}, {"name": "my-env", "display_name": "Loans"}, {"name": ""}]
)
def test_a_kernel_of_any_name_is_ours_unless_it_is_of_another_language(tmp_path, kernel):
    """Environments give their kernels names of their own; some editors give none."""
    path = tmp_path / "named.ipynb"
    path.write_text(json.dumps({**json.loads(notebook("1")), "metadata": {"kernelspec": kernel}}))
    assert document.read(path).cells[0].source == "1"


def test_a_notebook_of_format_3_is_read(tmp_path):
    """In the newest format."""
    cell = {"cell_type": "code", "input": ["a = 1\n", "a"], "language": "python", "metadata": {}, "outputs": []}
    old = {"metadata": {"name": "old"}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [cell]}]}
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps(old))
    assert [one.source for one in document.read(path).cells] == ["a = 1\na"]


def test_an_endless_line_is_cut(tmp_path):
    """In memory too."""
    phase = Rehearsal(tmp_path)
    ear = Ear(phase)
    for _ in range(100):
        ear.hear("stream", {"name": "stdout", "text": "x" * 1000})
    ear.end()
    assert [len(line.text) for line in phase.logged] == [LONGEST_LINE]


def test_a_cancelled_run_does_not_break_the_one_who_listens(tmp_path):
    """The watch over the cells ends it."""
    phase = Rehearsal(tmp_path, cancel_after=0)
    assert Ear(phase).hear("stream", {"name": "stdout", "text": "line\n"})
    with pytest.raises(Cancelled):
        phase.check()


def test_only_plain_files_that_were_saved_are_published(tmp_path):
    """A link that leads elsewhere, a name with folders, and a broken list do no harm."""
    phase, folder = Rehearsal(tmp_path), tmp_path / "saved"
    folder.mkdir()
    (folder / "good.png").write_text("x")
    (folder / "link").symlink_to("/etc/hostname")
    (folder / "saved.jsonl").write_text('{"file": "good.png"}\nnonsense\n[]\n{"file": "../../x"}\n{"file": "link"}\n')
    assert saved.publish(phase, folder) == ["good.png"]
    assert phase.artifacts[0].type == "Visualization"
    assert len(phase.warnings) == 2


def test_the_helper_says_where_it_works(monkeypatch):
    """Outside of a notebook job there is no run."""
    monkeypatch.delenv("NOTEBOOK_RUN_FILE", raising=False)
    with pytest.raises(RuntimeError, match="notebooks that a Lodestream server runs"):
        helper.current()


def test_the_helper_reads_xes_with_the_attributes_of_the_case(tmp_path):
    """One row per event; numbers are numbers."""
    path = tmp_path / "log.xes"
    path.write_text(
        '<log xmlns="http://www.xes-standard.org/"><trace><string key="concept:name" value="c1"/>'
        '<event><string key="concept:name" value="A"/><int key="cost" value="5"/>'
        '<date key="time" value="2024-01-01T02:00:00+02:00"/></event>'
        '<event><string key="concept:name" value="B"/></event></trace></log>'
    )
    frame = helper.Dataset("d", "log", path, "xes", 1).read()
    assert frame.to_dicts() == [
        {"case:concept:name": "c1", "concept:name": "A", "cost": 5, "time": datetime(2024, 1, 1, tzinfo=UTC)},
        {"case:concept:name": "c1", "concept:name": "B", "cost": None, "time": None},
    ]
