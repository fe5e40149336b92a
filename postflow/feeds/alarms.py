"""Failures told by Slack, Teams, e-mail, ntfy and some hundred more, through Apprise."""

from __future__ import annotations

import logging
import re

import xxhash
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from postflow.errors import Fatal, Retry
from postflow.language import N_, _, where_to_type
from postflow.ledger.feeds import Event

# Both quote addresses, which hold passwords.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
logging.getLogger("urllib3").setLevel(logging.WARNING)

TITLES = {"failed": N_("%(name)s has failed"), "skipped": N_("%(name)s is not delivered")}
_ESCAPED = re.compile(r"\\([\\*_~`|>#\[\]()<:@-])")


class Alarm(BaseModel):
    """Somebody who is told of what does not go by itself. The address is a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr = Field(
        description="As Apprise writes it: https://github.com/caronc/apprise/wiki",
        examples=["slack://…", "msteams://…", "mailto://…", "ntfy://…"],
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        """Whether Apprise knows the service is seen when it is used: it takes long to import."""
        if "://" not in url.get_secret_value():
            raise ValueError("an address of Apprise's, as slack://… or mailto://…")
        return url

    @property
    def name(self) -> str:
        return f"alarm-{xxhash.xxh3_64_hexdigest(self.url.get_secret_value().encode())}"

    def takes(self, event: Event) -> bool:
        return event.kind != "delivered"

    async def send(self, event: Event) -> None:
        """Raises as `tell` does."""
        title = event.title or _(TITLES[event.kind]) % {"name": event.file}
        where = f"\n{event.path}" if event.path else ""
        text = " ".join(filter(None, (event.reason, event.hint)))
        text = " ".join(filter(None, (text, where_to_type(text))))
        await self.tell(_ESCAPED.sub(r"\1", title), _ESCAPED.sub(r"\1", text) + where)

    async def test(self, studio: str) -> None:
        await self.tell(f"PostFlow: {studio}", "A test of `postflow check`: alarms arrive here.")

    async def tell(self, title: str, text: str) -> None:
        """Raises Fatal `alarm.unknown`, or Retry `alarm.not_taken`."""
        import apprise

        service = apprise.Apprise()
        if not service.add(self.url.get_secret_value()):
            raise Fatal(
                f"Apprise does not know the address of an alarm ({self.kind}://…).",
                hint="Write it as https://github.com/caronc/apprise/wiki shows for its service.",
                code="alarm.unknown",
            )
        taken = await service.async_notify(
            body=text or title,
            title=title,
            notify_type=apprise.NotifyType.FAILURE,
            body_format=apprise.NotifyFormat.TEXT,
        )
        if not taken:
            raise Retry(
                f"An alarm was not taken ({self.kind}://…).",
                hint="See whether its service is up and its address still right; it is told again.",
                code="alarm.not_taken",
            )

    @property
    def kind(self) -> str:
        """The service, without anything that is secret."""
        return self.url.get_secret_value().partition("://")[0]
