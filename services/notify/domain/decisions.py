"""Whether to write to a customer: every *no* is a decision with its reason, taken in one fixed order."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from hashlib import sha256
from typing import Literal, NamedTuple

from jornada.events import SubjectId, WorkspaceId
from services.notify.domain.campaigns import Campaign, QuietHours
from services.notify.domain.customers import Customer, address_of

Reason = Literal[
    "campaign_not_running",
    "unknown_customer",
    "erased",
    "other_stage",
    "no_address",
    "suppressed_address",
    "no_consent",
    "held_out",
    "quiet_hours",
    "capped",
    "no_sender",
    "unsafe_data",
    "template_failed",
    "eligible",
]


class Send(NamedTuple):
    """Write, to this address."""

    address: str
    reason: Reason = "eligible"


class HoldUntil(NamedTuple):
    """Decide again at this instant."""

    at: datetime
    reason: Reason = "quiet_hours"


class Suppress(NamedTuple):
    """Do not write."""

    reason: Reason


Decision = Send | HoldUntil | Suppress


class Asked(NamedTuple):
    """Which campaign asks, in which workspace."""

    workspace: WorkspaceId
    name: str
    campaign: Campaign
    running: bool = True


class Known(NamedTuple):
    """What the decision is made from besides the customer.

    `zone` is the customer's; `sent_at` are the instants at which this campaign wrote to them, or may have;
    `suppressed` says that their address must not be written to; `sender` that there is a way to write.
    """

    zone: tzinfo
    sent_at: Sequence[datetime] = ()
    suppressed: bool = False
    erased: bool = False
    sender: bool = True


def decide(asked: Asked, customer: Customer | None, known: Known, now: datetime) -> Decision:
    """The decision on one message, at `now`."""
    no = _refused(asked, customer, known)
    if no is not None or customer is None:
        return Suppress(no or "unknown_customer")
    campaign = asked.campaign
    if held_out(asked.workspace, asked.name, customer.id, campaign.hold_out):
        return Suppress("held_out")
    if campaign.quiet_hours is not None:
        until = quiet_until(campaign.quiet_hours, known.zone, now)
        if until is not None:
            return HoldUntil(until)
    since = now - timedelta(days=campaign.cap.days)
    if sum(1 for at in known.sent_at if at > since) >= campaign.cap.messages:
        return Suppress("capped")
    address = address_of(customer)
    return Send(address) if address is not None else Suppress("no_address")


def _refused(asked: Asked, customer: Customer | None, known: Known) -> Reason | None:
    """What forbids it whatever the hour: erased, suppressed, no consent."""
    if known.erased:
        return "erased"
    if not asked.running:
        return "campaign_not_running"
    if customer is None:
        return "unknown_customer"
    stages = asked.campaign.entry.stages
    if stages is not None and customer.stage not in stages:
        return "other_stage"
    if address_of(customer) is None:
        return "no_address"
    if known.suppressed:
        return "suppressed_address"
    if not allowed(customer, asked.campaign):
        return "no_consent"
    return None if known.sender else "no_sender"


def allowed(customer: Customer, campaign: Campaign) -> bool:
    """Whether the customer agreed: as stated for channel and purpose, else service messages only."""
    stated = customer.consents.get(f"{campaign.channel}/{campaign.purpose}")
    return campaign.purpose == "service" if stated is None else stated == "granted"


def held_out(workspace: WorkspaceId, campaign: str, customer: SubjectId, share: float) -> bool:
    """Whether the customer is of the share kept back: always the same for the same campaign and customer."""
    drawn = sha256(f"hold-out/{workspace}/{campaign}/{customer}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") < share * 2**64


def quiet_until(quiet: QuietHours, zone: tzinfo, now: datetime) -> datetime | None:
    """When the quiet hours in which `now` falls end (UTC), or None outside them."""
    local = now.astimezone(zone)
    if not _within(quiet, local.hour):
        return None
    end = local.replace(hour=quiet.to, minute=0, second=0, microsecond=0, fold=0)
    if local.hour >= quiet.to:
        end = (local + timedelta(days=1)).replace(hour=quiet.to, minute=0, second=0, microsecond=0, fold=0)
    end_utc = end.astimezone(now.tzinfo)
    return end_utc if end_utc > now else now + timedelta(hours=1)


def _within(quiet: QuietHours, hour: int) -> bool:
    if quiet.from_ <= quiet.to:
        return quiet.from_ <= hour < quiet.to
    return hour >= quiet.from_ or hour < quiet.to
