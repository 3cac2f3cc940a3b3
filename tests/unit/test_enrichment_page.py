"""docs/enrichment.md says what the code does: its example is understood, its lists are complete."""

import json
import re
from pathlib import Path

from lodestream_server.workloads.enrichment.options import DERIVED, FORMATS, derivation, output_format
from lodestream_server.workloads.enrichment.rules import RULES, rules_of
from lodestream_server.workloads.enrichment.syntax import FUNCTIONS, expressions_of

PAGE = (Path(__file__).parents[2] / "docs" / "enrichment.md").read_text("utf-8")
WORDS = set(re.findall(r"`([a-z_]+)[`(]", PAGE))


def test_the_example_of_the_page_is_understood():
    """Every part of it."""
    example = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    assert len(rules_of(example)) == 3
    assert derivation(example).hours.days == (1, 2, 3, 4)
    assert [expression.name for expression in expressions_of(example)] == ["hours_open", "is_large"]
    assert output_format(example) == "parquet"


def test_the_page_names_every_rule_column_function_and_format():
    """What is not on the page does not exist for its readers."""
    assert {*RULES, *DERIVED, *FUNCTIONS, *FORMATS} - WORDS == set()
