"""Notebooks and process models are what they say they are before anybody keeps them."""

import json
import pickle
from typing import Any

import pytest
from lodestream_server.engine.resource_files import model_fault, notebook_fault

BOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
CELL: dict[str, Any] = {
    "cell_type": "code",
    "metadata": {},
    "source": ["a = 1\n"],
    "outputs": [],
    "execution_count": None,
}
PNML = b'<?xml version="1.0"?><pnml xmlns="http://www.pnml.org/version-2009/grammar/pnml"><net id="n"/></pnml>'
BPMN = b'<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"><bpmn:process/></bpmn:definitions>'


def _book(**changes) -> bytes:
    return json.dumps({**BOOK, **changes}).encode()


def test_good_files_are_taken():
    """A notebook with cells of every kind, both kinds of models, prefixes or none."""
    cells = [CELL, {"cell_type": "markdown", "metadata": {}, "source": "# Hi"}]
    assert notebook_fault(_book(cells=cells)) == ""
    assert (model_fault(PNML), model_fault(BPMN)) == ("", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"print(1)", "it is not JSON"),
        (b"[1]", '"nbformat" and "cells"'),
        (_book(nbformat=3), "save it as format 4"),
        (_book(cells={}), '"cells" a list'),
        (_book(cells=[CELL, {"cell_type": "sql"}]), "cell 2 is none of code, markdown, raw"),
        (_book(cells=[{**CELL, "source": 5}]), '"source" of cell 1'),
        (_book(cells=[{**CELL, "outputs": None}]), 'no list of "outputs"'),
        (b"[" * 100_000, "is no notebook"),
        (pickle.dumps(BOOK), "is a pickle or a zip"),
    ],
)
def test_what_is_no_notebook_is_told_why(content, said):
    """In words that lead to one."""
    assert said in notebook_fault(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not xml", "not well-formed"),
        (PNML[:-3], "not well-formed"),
        (b"<html/>", "its root is <html>"),
        (b"<pnml/>", "holds no <net>"),
        (b'<!DOCTYPE pnml [<!ENTITY a "aaaa">]><pnml><net/>&a;</pnml>', "document type declaration"),
        (b'<!DOCTYPE pnml SYSTEM "file:///etc/passwd"><pnml><net/></pnml>', "document type declaration"),
        (pickle.dumps({"places": []}), "is a pickle or a zip"),
        (b"PK\x03\x04rest", "is a pickle or a zip"),
        (b'<?xml version="1.0" encoding="nonsense"?><pnml><net/></pnml>', "not well-formed"),
    ],
)
def test_what_is_no_model_is_told_why(content, said):
    """Without an entity ever being resolved."""
    assert said in model_fault(content)
