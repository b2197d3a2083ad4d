"""Webhooks signed as Standard Webhooks has it."""

import base64
import secrets
from datetime import datetime

from standardwebhooks import Webhook

from services.notify.senders.outgoing import Answer, Outgoing


def draw_secret() -> str:
    """A new signing secret: `whsec_` and 32 random bytes."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def headers(secret: str, id_: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that prove who sent the body: the same id in every attempt, the attempt's own time."""
    return {
        "content-type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, now, body.decode()),
    }


async def deliver(outgoing: Outgoing, *, url: str, secret: str, id_: str, body: bytes, now: datetime) -> Answer:
    """One attempt."""
    return await outgoing.post(url, body, headers(secret, id_, body, now))
