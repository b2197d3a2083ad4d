"""What notify reads from the environment."""

from jornada.runtime.settings import SecretKeySettings


class Settings(SecretKeySettings):
    """`smtp_url` (smtp://, smtps://, smtp+starttls://; user and password in it) replaces the local mail sink.

    `outgoing_allow` names, with commas between, what webhooks may reach though it is not public.
    `notify_timezone` is for customers without a zone; an alert older than `notify_freshness_seconds` is not told.
    """

    smtp_url: str | None = None
    outgoing_allow: str = ""
    notify_mail_from: str = "no-reply@jornada.localhost"
    notify_mail_name: str = "Jornada"
    notify_timezone: str = "America/Sao_Paulo"
    notify_freshness_seconds: int = 3_600
