"""A webhook: a signed JSON document to a URL; its form is `notice.schema.json`."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from faultline_collector.notify import signature
from faultline_collector.notify.document import Notice
from faultline_collector.notify.notifiers.posting import Poster, url_problem
from faultline_collector.notify.secrets import SecretSettings


class WebhookSettings(SecretSettings):
    """Posts each notice as JSON, signed with HMAC-SHA256; see docs/notices.md for receivers."""

    url: Annotated[str, Field(description="https, or http to this machine")]

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if said := url_problem(self.url):
            raise ValueError(said)
        if not self.has_secret:
            raise ValueError("secret_file or secret_env must be given: notices are signed")
        return self


class Webhook:
    """Posts notices; a success is any answer of 2xx."""

    takes: ClassVar = WebhookSettings
    repeat_s: float | None = None

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._poster = Poster(settings.url)

    async def deliver(self, notice: Notice, now_us: int) -> None:
        """Posts one notice with its id and its signature in the headers."""
        body = notice.body()
        signed = signature.sign(self._settings.secret(), body, now_us // 1_000_000)
        headers = {
            signature.HEADER: signed,
            "X-Faultline-Notice": notice.id,
            "X-Faultline-Kind": notice.kind.value,
        }
        await self._poster.post(body, headers)

    async def close(self) -> None:
        """Lets go of connections."""
        await self._poster.close()
