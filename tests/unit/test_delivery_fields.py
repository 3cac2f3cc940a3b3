"""The settings of delivery, as flags and variables give them."""

from typing import Any

import pytest
from lodestream_server.delivery.fields import DeliveryFields
from lodestream_server.delivery.settings import DeliverySettings, MailSettings, SlackSettings
from pydantic import ValidationError


def test_nothing_given_is_nothing_allowed():
    """No inner network, no mail, no Slack."""
    assert DeliveryFields().delivery() == DeliverySettings()


def test_everything_given_arrives():
    """Networks apart, secrets unwrapped, the address for links from elsewhere."""
    words: dict[str, Any] = {
        "delivery_allow_networks": "10.1.0.0/16, fd00::/8",
        "smtp_host": "mail.example",
        "smtp_sender": "lodestream@example.org",
        "smtp_password": "hidden",
        "slack_token": "xoxb-hidden",
        "slack_webhooks": '{"#a": "https://hooks.example/hidden"}',
    }
    given = DeliveryFields(**words)
    made = given.delivery("https://lodestream.example")
    assert made.allow_networks == ("10.1.0.0/16", "fd00::/8")
    assert made.mail == MailSettings("mail.example", "lodestream@example.org", password="hidden")
    assert made.slack == SlackSettings("xoxb-hidden", {"#a": "https://hooks.example/hidden"})
    assert made.public_url == "https://lodestream.example"
    assert "hidden" not in repr(given)
    assert "hidden" not in repr(made)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"delivery_allow_networks": "10.1.0.0/33"}, "is no network"),
        ({"delivery_allow_networks": "10.1.2.3/16"}, "is no network"),
        ({"smtp_host": "mail.example"}, "smtp_sender is required"),
        ({"slack_webhooks": '["secret"]'}, "must be a JSON object"),
        ({"slack_webhooks": '{"#a": secret}'}, "must be a JSON object"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(given, said):
    """With the fix in the text."""
    with pytest.raises(ValidationError) as refused:
        DeliveryFields(**given)
    assert said in refused.value.errors()[0]["msg"]
