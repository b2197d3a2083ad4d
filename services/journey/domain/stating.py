"""What a touchpoint states of identifiers: whom it names, and which device and user id it says are one's."""

from services.journey.domain import emails
from services.journey.domain.identity import Named
from services.journey.domain.reading import Reading


def names(reading: Reading) -> list[tuple[Named, bool]]:
    """The identifiers that a touchpoint names, and whether it states each (`alias` presumes its previous user id)."""
    touchpoint = reading.touchpoint
    previous = touchpoint.previous_id if touchpoint.type == "alias" and not reading.ours else None
    email = emails.stated(reading)
    given = (
        ("user_id", touchpoint.user_id, True),
        ("anonymous_id", touchpoint.anonymous_id, True),
        ("account", reading.account if reading.ours else touchpoint.group_id, True),
        ("anonymous_id", previous, True),
        ("user_id", previous, False),
        ("email", None if email is None else email[0], True),
    )
    return [(Named(type_, value), stated) for type_, value, stated in given if value is not None]


def pairs(reading: Reading) -> list[tuple[str, str]]:
    """The devices, each with the user id, that a touchpoint says are one's."""
    touchpoint = reading.touchpoint
    if touchpoint.user_id is None or reading.ours:
        return []
    previous = touchpoint.previous_id if touchpoint.type == "alias" else None
    return [(device, touchpoint.user_id) for device in (touchpoint.anonymous_id, previous) if device is not None]


def is_alias(reading: Reading) -> bool:
    """Whether a touchpoint says that two ids are one's."""
    touchpoint = reading.touchpoint
    return bool(touchpoint.type == "alias" and touchpoint.previous_id and touchpoint.user_id and not reading.ours)
