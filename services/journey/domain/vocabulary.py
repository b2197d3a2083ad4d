"""From the names that apps send to kinds of touchpoint, as data."""

import re
from collections.abc import Mapping

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
"""Event names to kinds; whatever is not listed is `custom`."""

ALL_KINDS = frozenset({*KINDS.values(), *_CALLS.values(), CUSTOM, "campaign_touched"})
"""Every kind that a touchpoint may have."""


def kind_of(type_: CallType, event: str | None, campaign: bool) -> str:
    """The kind of a call; `campaign` says whether it carries one."""
    kind = _CALLS.get(type_) or KINDS.get(event or "", CUSTOM)
    return "campaign_touched" if campaign and kind in _CAMPAIGNED else kind


def channel_of(kind: str) -> str | None:
    """The channel that a kind implies, or None."""
    return next((channel for beginning, channel in _CHANNELS if kind.startswith(beginning)), None)
