"""What one touchpoint says, read once: its kind, whom it names, and the facts in its body."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from jornada.events import Touchpoint
from jornada.events.touchpoints import RESERVED_SOURCE
from jornada.instants import micros
from services.journey.domain.vocabulary import BILLING, SHIPPED, Vocabulary, channel_of

Key = tuple[int, str]
"""A place in event-time order: microseconds since 1970, message id."""

Moment = tuple[int, str, str]
"""When something was stated: its place in event-time order and its source."""

_MOST_DIGITS = 18
_ACTING = frozenset({"product", "import"})
NANO = 10**9


class _Body(msgspec.Struct):
    properties: Any = None
    traits: Any = None
    context: Any = None
    channel: Any = None


_body = msgspec.json.Decoder(_Body, float_hook=Decimal)
_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="number")


class Reading(msgspec.Struct, frozen=True):
    """A touchpoint with its body opened. `account` is the account it belongs to by itself, owned by no person.

    `value` is the class under which it makes its day a value day, None for what is no act of use by the customer.
    """

    touchpoint: Touchpoint
    key: Key
    kind: str
    properties: Mapping[str, Any]
    traits: Mapping[str, Any]
    account_traits: Mapping[str, Any]
    ours: bool
    account: str | None
    channel: str | None
    value: str | None

    @property
    def moment(self) -> Moment:
        """Where it stands among all, those of one message id by their sources."""
        return (*self.key, self.touchpoint.source)

    def plain_properties(self) -> msgspec.Raw:
        """The properties as JSON, numbers as they were sent."""
        return msgspec.Raw(_encoder.encode(self.properties))


def read(touchpoint: Touchpoint, vocabulary: Vocabulary = SHIPPED) -> Reading:
    """Opens a touchpoint in its workspace's vocabulary; parts of the body that are no objects say nothing."""
    body = _body.decode(touchpoint.body)
    context, properties, traits = _mapping(body.context), _mapping(body.properties), _mapping(body.traits)
    kind = vocabulary.kind_of(touchpoint.type, touchpoint.event, bool(context.get("campaign")))
    value = vocabulary.class_of(touchpoint.type, touchpoint.event, kind)
    grouping = touchpoint.type == "group"
    own = traits if touchpoint.type == "identify" else {}
    channel = properties.get("channel") or body.channel
    return Reading(
        touchpoint=touchpoint,
        key=(micros(touchpoint.occurred_at), touchpoint.message_id),
        kind=kind,
        properties=properties,
        traits={**_mapping(context.get("traits")), **own},
        account_traits=traits if grouping else {},
        ours=touchpoint.source == RESERVED_SOURCE,
        account=_account(touchpoint, kind),
        channel=channel if isinstance(channel, str) else channel_of(kind),
        value=value if touchpoint.role in _ACTING else None,
    )


def _account(touchpoint: Touchpoint, kind: str) -> str | None:
    nobody = touchpoint.user_id is None and touchpoint.anonymous_id is None
    return touchpoint.group_id if nobody or kind in BILLING else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """A value as JSON, the same for equal values; decimals keep their digits."""
    return _encoder.encode(value).decode()


def amount(value: Any) -> Decimal | None:
    """A decimal amount, from a number or the text of one; None for what is none or has over 18 whole digits."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.adjusted() < _MOST_DIGITS else None


def nanos(number: Decimal) -> int:
    """Billionths, as a whole number, so that sums are exact in any order."""
    return int((number * NANO).to_integral_value())


def whole(value: Any) -> int | None:
    """A whole number, or None."""
    number = amount(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def dated(value: Any) -> datetime | None:
    """An instant or a date (its midnight), taken as UTC where it names no zone; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
