"""A mail server for a laptop: keeps each mail as a file and sends nothing anywhere."""

import asyncio
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

from jornada.events import new_id
from services.notify.senders.smtp import Sent, SmtpSender


class MailSink:
    """Listens on a free port of 127.0.0.1 while started, and is its own sender. A mail is one `*.eml`, by time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: asyncio.Server | None = None
        self._sender: SmtpSender | None = None

    async def start(self) -> None:
        """Makes the folder and listens."""
        self._folder.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="localhost", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0
        )
        self._sender = SmtpSender(self.url)

    async def stop(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.close()

    @property
    def url(self) -> str:
        """Where it listens, as an SMTP URL."""
        assert self._server is not None
        return f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def send(self, sender: str, recipient: str, mail: bytes) -> Sent:
        """Hands a mail in over SMTP, as to any other server."""
        if self._sender is None:
            return Sent("again", "not_started")
        return await self._sender.send(sender, recipient, mail)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keeps one mail; on disk before it is acknowledged."""
        await asyncio.to_thread(self._keep, bytes(envelope.content))
        return "250 OK"

    def _keep(self, content: bytes) -> None:
        path = self._folder / f"{new_id()}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(content)
        unfinished.rename(path)
