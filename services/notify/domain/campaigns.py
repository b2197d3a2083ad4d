"""What a campaign is: whom it takes in, what it says in which language, and when it may say it."""

from typing import Annotated, Literal

import msgspec

from services.notify.domain.alerts import Alert

Motive = Literal["retention", "upsell", "acquisition", "onboarding", "feedback", "win-back", "loyalty"]
Status = Literal["draft", "running", "paused", "stopped"]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}\Z")]
Hour = Annotated[int, msgspec.Meta(ge=0, le=23)]


class InvalidCampaign(Exception):
    """The document is no campaign; the message says what is wrong with it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer enters by a crossing of `score` into `to`, at one of `stages` (None: at any)."""

    score: Literal["health"] = "health"
    to: Literal["red"] = "red"
    stages: list[str] | None = None


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}, forbid_unknown_fields=True):
    """From this hour until that one, in the customer's zone, nothing is sent."""

    from_: Hour = 21
    to: Hour = 8


class Cap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most so many messages of the campaign within so many days, rolling."""

    messages: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 7


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One language's message, in Liquid; without `html` the mail is plain text."""

    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
    html: Annotated[str, msgspec.Meta(max_length=100_000)] | None = None


class Campaign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A planned message. `purpose` decides which consent it needs; `hold_out` is the share kept back to measure uplift.

    `quiet_hours: null` lets it send at any hour. `language` is spoken to whoever's own is not among `messages`.
    """

    messages: Annotated[dict[str, Text], msgspec.Meta(min_length=1, max_length=50)]
    language: str
    motive: Motive = "retention"
    purpose: Literal["service", "marketing"] = "marketing"
    channel: Literal["email"] = "email"
    entry: Entry = Entry()
    hold_out: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    quiet_hours: QuietHours | None = QuietHours()
    cap: Cap = Cap()


def campaign_of(document: bytes) -> Campaign:
    """Reads a campaign's document (JSON); raises InvalidCampaign."""
    try:
        campaign = msgspec.json.decode(document, type=Campaign)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidCampaign(str(error)) from error
    if campaign.language not in campaign.messages:
        raise InvalidCampaign("`language` must be one of `messages`")
    return campaign


def enters(campaign: Campaign, alert: Alert) -> bool:
    """Whether the crossing behind the alert takes its customer in, the stage aside: that may not be known yet."""
    return (
        not alert.stale
        and alert.subject.type == "customer"
        and campaign.entry.score == alert.score
        and campaign.entry.to == alert.to
    )
