"""The settings of delivery as the server's settings carry them: flags and LODESTREAM_* variables. `ServerSettings`
inherits them; nothing here looks at the environment by itself."""

import json
from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from lodestream_server.delivery.settings import DeliverySettings, MailSettings, SlackSettings, Tls


class DeliveryFields(BaseSettings):
    """See the module. Secrets show themselves in no repr."""

    #: Networks (CIDR), separated by commas, that webhooks may reach though they are not public.
    delivery_allow_networks: str = ""
    #: PEM file of authorities beside the usual ones, for receivers inside.
    delivery_ca_file: Path | None = None
    #: One attempt in all, from the name to the end of the answer.
    delivery_attempt_s: float = Field(default=15.0, gt=0, le=120)
    #: The mail server; nobody is written to without it.
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_tls: Tls = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    #: Who mail comes from.
    smtp_sender: str = ""
    #: A bot's token, or a JSON object channel -> incoming-webhook address.
    slack_token: SecretStr | None = None
    slack_webhooks: SecretStr | None = None

    @field_validator("delivery_allow_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        for text in _listed(value):
            try:
                ip_network(text)
            except ValueError:
                raise ValueError(f"{text} is no network; write it like 10.1.0.0/16 or fd00::/8") from None
        return value

    @field_validator("slack_webhooks")
    @classmethod
    def _channels(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_texts(value.get_secret_value()):
            # The value holds secrets, so the message does not repeat it.
            raise ValueError('must be a JSON object of texts, such as {"#channel": "https://…"}')
        return value

    @model_validator(mode="after")
    def _sender(self) -> "DeliveryFields":
        if self.smtp_host and "@" not in self.smtp_sender:
            raise ValueError("smtp_sender is required with smtp_host: the address that mail comes from")
        return self

    def delivery(self, public_url: str = "") -> DeliverySettings:
        """The part that delivery reads; `public_url` is where people reach the REST door."""
        channels = self.slack_webhooks.get_secret_value() if self.slack_webhooks else "{}"
        token = self.slack_token.get_secret_value() if self.slack_token else None
        return DeliverySettings(
            allow_networks=tuple(_listed(self.delivery_allow_networks)),
            ca_file=self.delivery_ca_file,
            attempt_s=self.delivery_attempt_s,
            public_url=public_url,
            mail=self._mail(),
            slack=SlackSettings(token, json.loads(channels)),
        )

    def _mail(self) -> MailSettings | None:
        if not self.smtp_host:
            return None
        password = self.smtp_password.get_secret_value() if self.smtp_password else None
        return MailSettings(
            self.smtp_host, self.smtp_sender, self.smtp_port, self.smtp_tls, self.smtp_username, password
        )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_texts(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
