"""What notify reads from the environment."""

from pathlib import Path
from typing import Self

from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from jornada.runtime import CommonSettings


class Settings(CommonSettings):
    """`smtp_url` (smtp://, smtps://, smtp+starttls://; user and password in it) replaces the local mail sink.

    `secret_key_file` encrypts what must be read back, as signing secrets; local mode draws one under the data folder.
    `outgoing_allow` names, with commas between, what webhooks may reach though it is not public.
    `notify_timezone` is for customers without a zone; an alert older than `notify_freshness_seconds` is not told.
    """

    model_config = SettingsConfigDict(env_prefix="JORNADA_", extra="ignore", env_ignore_empty=True)

    smtp_url: str | None = None
    secret_key_file: Path | None = None
    outgoing_allow: str = ""
    notify_mail_from: str = "no-reply@jornada.localhost"
    notify_mail_name: str = "Jornada"
    notify_timezone: str = "America/Sao_Paulo"
    notify_freshness_seconds: int = 3_600

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode != "local" and self.secret_key_file is None:
            raise ValueError("set JORNADA_SECRET_KEY_FILE: signing secrets are kept encrypted")
        return self
