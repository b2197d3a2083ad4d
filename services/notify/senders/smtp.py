"""Hands mails to a server, and knows afterwards whether it took them, did not, or cannot tell."""

import asyncio
from typing import Literal, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPResponseException

_SECONDS = 30.0

Verdict = Literal["sent", "again", "bounced", "refused", "unknown"]


class Sent(NamedTuple):
    """What became of a mail. `again`: surely not taken, a later try may succeed; `bounced`: the recipient was refused
    for good; `unknown`: it may have been taken. `error` is a code or the kind of failure, never an address."""

    verdict: Verdict
    error: str | None = None


class MailSender(Protocol):
    """Sends one mail to one recipient."""

    async def send(self, sender: str, recipient: str, mail: bytes) -> Sent:
        """Tries once, within about a minute."""


class Server(NamedTuple):
    """Where mails are handed in."""

    host: str
    port: int
    tls: bool
    start_tls: bool | None
    username: str | None
    password: str | None


def server_of(url: str) -> Server:
    """Reads smtp://[user:password@]host[:port], smtps:// or smtp+starttls://; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps", "smtp+starttls") or not parts.hostname or parse_qs(parts.query):
        raise ValueError("JORNADA_SMTP_URL: give smtp://, smtps:// or smtp+starttls://, a host, and no query")
    tls = parts.scheme == "smtps"
    return Server(
        parts.hostname,
        parts.port or (465 if tls else 587 if parts.scheme == "smtp+starttls" else 25),
        tls,
        True if parts.scheme == "smtp+starttls" else None,
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


class SmtpSender:
    """Sends over SMTP, a connection for each mail."""

    def __init__(self, url: str) -> None:
        self._server = server_of(url)

    async def send(self, sender: str, recipient: str, mail: bytes) -> Sent:
        """See MailSender. Everything before DATA surely sent nothing; after it only the server's answer is proof."""
        client = self._client()
        try:
            try:
                async with asyncio.timeout(_SECONDS):
                    await client.connect()
                    await client.mail(sender)
                    await client.rcpt(recipient)
            except (SMTPException, OSError, TimeoutError) as error:
                return _not_sent(error)
            return await _handed_over(client, mail)
        finally:
            client.close()

    def _client(self) -> SMTP:
        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            start_tls=False if server.tls else server.start_tls,
            username=server.username,
            password=server.password,
            timeout=_SECONDS,
        )


async def _handed_over(client: SMTP, mail: bytes) -> Sent:
    try:
        async with asyncio.timeout(_SECONDS):
            await client.data(mail)
    except SMTPDataError as error:
        return Sent("again" if error.code < 500 else "refused", str(error.code))
    except (SMTPException, OSError, TimeoutError) as error:
        return Sent("unknown", type(error).__name__)
    return Sent("sent")


def _not_sent(error: Exception) -> Sent:
    if isinstance(error, aiosmtplib.SMTPRecipientRefused) and error.code >= 500:
        return Sent("bounced", str(error.code))
    if isinstance(error, aiosmtplib.SMTPSenderRefused) and error.code >= 500:
        return Sent("refused", str(error.code))
    code = str(error.code) if isinstance(error, SMTPResponseException) else type(error).__name__
    return Sent("again", code)
