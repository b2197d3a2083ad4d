"""From the names that apps send to kinds of touchpoint, as data."""

import re
from collections.abc import Mapping

import msgspec

from jornada.events.touchpoints import CallType

CUSTOM = "custom"

_CALLS: Mapping[str, str] = {
    "identify": "identified",
    "alias": "aliased",
    "group": "grouped",
    "page": "page_viewed",
    "screen": "screen_viewed",
}
_LISTED = """
Install Attributed, Deep Link Opened, Promotion Clicked
Account Created, Account Deleted, Signed Up, Signed In, Signed Out, Invite Sent, Account Added User
Account Removed User, Trial Started, Trial Ended
Products Searched, Product List Viewed, Product Viewed, Product Added, Product Removed, Cart Viewed, Checkout Started
Checkout Step Completed, Payment Info Entered, Order Completed, Order Updated, Order Refunded, Order Cancelled
Coupon Applied, Product Reviewed, Product Shared
Email Delivered, Email Opened, Email Link Clicked, Email Bounced, Email Marked as Spam, Unsubscribed
Live Chat Conversation Started, Live Chat Conversation Ended, Live Chat Message Sent, Live Chat Message Received
Application Installed, Application Opened, Application Backgrounded, Application Updated, Application Uninstalled
Application Crashed, Push Notification Received, Push Notification Tapped, Push Notification Bounced
Experiment Viewed, Feature Used, Survey Responded, Feedback Answered
Support Ticket Created, Support Ticket Updated, Support Ticket Replied, Support Ticket Escalated
Support Ticket Resolved, Support Ticket Reopened
Training Assigned, Training Started, Training Completed, Onboarding Step Completed, Help Article Viewed
Help Article Rated
Subscription Started, Subscription Renewed, Subscription Upgraded, Subscription Downgraded, Subscription Cancelled
Payment Failed, Payment Recovered, Invoice Overdue, Contact Logged
Community Post Created, Community Answer Accepted, Referral Made, Idea Submitted, Idea Status Changed, Beta Joined
Consent Updated, Message Sent, Message Held, Message Suppressed, Message Failed
"""
_RENAMED: Mapping[str, str] = {
    "Account Created": "signed_up",
    "Support Ticket Created": "ticket_opened",
    "Order Completed": "purchased",
    "Order Refunded": "refunded",
    "Order Cancelled": "refunded",
    "Product Added": "cart_changed",
    "Product Removed": "cart_changed",
    "Cart Viewed": "cart_changed",
    "Email Delivered": "message_delivered",
    "Email Opened": "message_opened",
    "Email Link Clicked": "message_clicked",
    "Email Bounced": "message_bounced",
    "Email Marked as Spam": "message_complained",
}
_BEGINNINGS = (
    ("Support Ticket ", "ticket_"),
    ("Live Chat Conversation ", "chat_"),
    ("Live Chat Message ", "chat_message_"),
    ("Application ", "app_"),
)
_CAMPAIGNED = frozenset({"page_viewed", "screen_viewed", "install_attributed", "deep_link_opened", "promotion_clicked"})
BILLING = frozenset(
    {
        "subscription_started",
        "subscription_renewed",
        "subscription_upgraded",
        "subscription_downgraded",
        "subscription_cancelled",
        "payment_failed",
        "payment_recovered",
        "invoice_overdue",
    }
)
VALUE_CLASSES: Mapping[str, str] = {
    "feature_used": "use",
    CUSTOM: "use",
    "signed_in": "use",
    "purchased": "purchased",
    "app_opened": "app_opened",
}
"""The kinds that are acts of use, and the class under which their days are kept."""

_CHANNELS = (
    ("message_", "email"),
    ("chat_", "chat"),
    ("push_", "push"),
    ("app_", "mobile"),
    ("screen_", "mobile"),
    ("page_", "web"),
)


def _snake(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _kind(name: str) -> str:
    if name in _RENAMED:
        return _RENAMED[name]
    for beginning, prefix in _BEGINNINGS:
        if name.startswith(beginning):
            return prefix + _snake(name.removeprefix(beginning))
    return _snake(name)


KINDS: Mapping[str, str] = {
    name.strip(): _kind(name.strip()) for line in _LISTED.strip().splitlines() for name in line.split(",")
}
"""Event names to kinds, as shipped; whatever is not listed is `custom`."""

ALL_KINDS = frozenset({*KINDS.values(), *_CALLS.values(), CUSTOM, "campaign_touched"})
"""Every kind that ships."""

MOST_NAMES = 500
MOST_OWN_KINDS = 100
LONGEST_NAME = 200

_OWN_KIND = re.compile(r"[a-z][a-z0-9_]{0,59}")
_OF_CALLS = frozenset({"identified", "aliased", "grouped", "campaign_touched"})


class Meaning(msgspec.Struct, frozen=True):
    """What a workspace says of an event name: its kind, or None for the one it has anyway, and whether it is use."""

    kind: str | None = None
    use: bool = True


class Vocabulary(msgspec.Struct, frozen=True):
    """A workspace's map from names to kinds: what ships, save for the names it gives a meaning of its own.

    `version` is that of the latest change, 0 where there never was one.
    """

    meanings: Mapping[str, Meaning] = {}
    version: int = 0

    def kind_of(self, type_: CallType, event: str | None, campaign: bool) -> str:
        """The kind of a call; `campaign` says whether it carries one."""
        kind = _CALLS.get(type_) or self._named(event or "")
        return "campaign_touched" if campaign and kind in _CAMPAIGNED else kind

    def class_of(self, type_: CallType, event: str | None, kind: str) -> str | None:
        """Under which class a day with it is a value day; None for what is no use."""
        meaning = None if type_ in _CALLS else self.meanings.get(event or "")
        if meaning is not None and not meaning.use:
            return None
        return VALUE_CLASSES.get(kind) if kind in ALL_KINDS else "use"

    def own_kinds(self) -> frozenset[str]:
        """The kinds that this workspace made."""
        given = {meaning.kind for meaning in self.meanings.values() if meaning.kind is not None}
        return frozenset(given - ALL_KINDS)

    def kinds(self) -> frozenset[str]:
        """Every kind that a touchpoint may have here."""
        return ALL_KINDS | self.own_kinds()

    def _named(self, event: str) -> str:
        meaning = self.meanings.get(event)
        if meaning is not None and meaning.kind is not None:
            return meaning.kind
        return KINDS.get(event, CUSTOM)


NONE = -1
"""The version of no vocabulary: what is marked with it was told in none, and is folded again."""

SHIPPED = Vocabulary()
"""What holds where a workspace says nothing."""


def flaws(meanings: Mapping[str, Meaning]) -> list[tuple[str, str]]:
    """Everything wrong with what a workspace would say, all of it: (the name, or nothing; what is wrong)."""
    found = [(name, why) for name, meaning in meanings.items() if (why := _flaw(name, meaning)) is not None]
    if len(meanings) > MOST_NAMES:
        found.append(("", f"At most {MOST_NAMES} names have a meaning of their own."))
    if len(Vocabulary(meanings).own_kinds()) > MOST_OWN_KINDS:
        found.append(("", f"A workspace makes at most {MOST_OWN_KINDS} kinds."))
    return found


def _flaw(name: str, meaning: Meaning) -> str | None:
    if not 0 < len(name) <= LONGEST_NAME or "\x00" in name:
        return f"A name has 1 to {LONGEST_NAME} characters, none of them NUL."
    if meaning.kind is None:
        return None
    if meaning.kind in _OF_CALLS:
        return f"No name makes a touchpoint {meaning.kind}: what the call is does."
    if not _OWN_KIND.fullmatch(meaning.kind):
        return "A kind is of a-z, 0-9 and _, at most 60, and begins with a letter."
    return None


def channel_of(kind: str) -> str | None:
    """The channel that a kind implies, or None."""
    return next((channel for beginning, channel in _CHANNELS if kind.startswith(beginning)), None)
