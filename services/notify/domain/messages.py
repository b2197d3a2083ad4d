"""E-mails whose headers carry nothing but what they are meant to carry."""

import re
import unicodedata
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import NamedTuple

from services.notify.domain.templates import Rendered

_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?=[^@]{1,253}\Z)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_LONGEST_SUBJECT = 300


class UnsafeData(Exception):
    """A value would change the structure of the mail: a control character, an encoded word, more than one address."""


class Envelope(NamedTuple):
    """From whom, to whom, when, and under which id and language."""

    sender: str
    sender_name: str
    recipient: str
    message_id: str
    at: datetime
    language: str


def safe_address(value: str) -> str:
    """One plain address, as it is; raises UnsafeData."""
    if len(value) > 254 or "=?" in value or _ADDRESS.fullmatch(value) is None or value.index("@") > 64:
        raise UnsafeData("the address is not one plain address")
    return value


def safe_header(value: str) -> str:
    """One line of text without encoded words; raises UnsafeData."""
    if "=?" in value or "?=" in value:
        raise UnsafeData("a header may not carry an encoded word")
    if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in value):
        raise UnsafeData("a header may not carry control characters")
    if len(value) > _LONGEST_SUBJECT:
        raise UnsafeData("a header may not be so long")
    return value


def mail(envelope: Envelope, rendered: Rendered) -> bytes:
    """The mail as it goes to the server, the same for the same input; raises UnsafeData."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(safe_header(envelope.sender_name), addr_spec=safe_address(envelope.sender))
    message["To"] = Address(addr_spec=safe_address(envelope.recipient))
    message["Subject"] = safe_header(rendered.subject)
    message["Date"] = envelope.at
    message["Message-ID"] = f"<{safe_header(envelope.message_id)}>"
    message["Content-Language"] = safe_header(envelope.language)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rendered.text, charset="utf-8", cte="quoted-printable")
    if rendered.html is not None:
        message.add_alternative(rendered.html, subtype="html", charset="utf-8", cte="quoted-printable")
        message.set_boundary(f"=_{envelope.message_id.partition('@')[0]}")
    return message.as_bytes()
