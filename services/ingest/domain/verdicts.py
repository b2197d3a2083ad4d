"""What becomes of an event: accepted with a touchpoint, or refused with why. Values, performed elsewhere."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from jornada.events import Rejection, Touchpoint, decode


class Accept(NamedTuple):
    """The event is good: the record to be published, under the key of whom it is about."""

    message_id: str
    key: bytes
    payload_hash: str
    record: bytes

    @property
    def touchpoint(self) -> Touchpoint:
        """What the record says; read anew each time."""
        return decode(self.record, Touchpoint)


class Reject(msgspec.Struct, frozen=True, gc=False):
    """The event is refused; this is to be kept where its sender can see it."""

    rejection: Rejection
    type: str | None = None


Verdict = Accept | Reject


class Result(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the sender is told of one event."""

    message_id: str | None
    status: Literal["accepted", "duplicate", "rejected"]
    code: str | None = None
    message: str | None = None


class AllAccepted:
    """The results of events that all were, held natively with their records."""

    __slots__ = ("_packed",)

    def __init__(self, packed: Any) -> None:
        self._packed = packed

    def __iter__(self) -> Iterator[Result]:
        return (Result(message_id, "accepted") for message_id in self._packed.message_ids())

    def json(self) -> bytes:
        """As the encoder writes a list of them."""
        written: bytes = self._packed.results()
        return written
