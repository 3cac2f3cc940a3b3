"""The table of settings is the settings."""

import re
from pathlib import Path

from lodestream_server.delivery.fields import DeliveryFields
from lodestream_server.settings import ServerSettings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
#: Defaults that depend on the machine, or are said in words.
WORDS = {None: "none", "": "none", True: "true", False: "false"}


def test_every_setting_is_in_the_table_in_the_order_of_the_code():
    """A new setting without a row fails, and so does a row without a setting."""
    inherited = list(DeliveryFields.model_fields)
    own = [name for name in ServerSettings.model_fields if name not in inherited]
    assert [name for name, *_ in ROW.findall(PAGE)] == own + inherited


def test_the_defaults_are_those_of_the_code():
    """As numbers, words or code."""
    for name, default, _ in ROW.findall(PAGE):
        field = ServerSettings.model_fields[name]
        if field.default_factory is not None:
            continue
        value = field.default
        if isinstance(value, (bool, type(None))) or value == "":
            assert default == WORDS[value], name
        elif isinstance(value, (int, float)):
            assert float(default) == value, name
        else:
            assert default == f"`{value}`", name
