"""What becomes of an event: accepted with a touchpoint, or refused with why. Values, performed elsewhere."""

from typing import Literal

import msgspec

from jornada.events import Rejection, Touchpoint


class Accept(msgspec.Struct, frozen=True, gc=False):
    """The event is good; this is to be published."""

    touchpoint: Touchpoint


class Reject(msgspec.Struct, frozen=True, gc=False):
    """The event is refused; this is to be kept where its sender can see it."""

    rejection: Rejection
    type: str | None = None


Verdict = Accept | Reject


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the sender is told of one event."""

    message_id: str | None
    status: Literal["accepted", "duplicate", "rejected"]
    code: str | None = None
    message: str | None = None
