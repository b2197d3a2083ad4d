"""Commercial: how it is paid, and how near the end of the contract or of the trial is."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from jornada.events import Billing, JourneySnapshot, Measures, Reason
from jornada.instants import instant, micros
from services.scoring.domain.profiles import CommercialRule
from services.scoring.domain.shapes import DAY, ramp, whole_days
from services.scoring.domain.words import reason


class _End(NamedTuple):
    """What ends and when: it takes away up to `takes` over the `days` before; after it all, if `lapses`."""

    what: str
    at: int
    days: float
    takes: float
    lapses: bool

    def left(self, at: int) -> float:
        if at >= self.at:
            return 0.0 if self.lapses else 1.0
        return 1.0 - self.takes * (1.0 - ramp((self.at - at) / DAY, 0.0, self.days))


class CommercialCourse:
    """Payments in order are 1, falling from the first failure on; times what the nearing end leaves."""

    def __init__(self, billing: Billing, rule: CommercialRule, *, trial: bool) -> None:
        self._rule = rule
        self._unpaid = unpaid_since(billing)
        self._invoices = len(billing.overdue)
        self._end = _end(billing, rule, trial=trial)

    def value(self, at: int) -> float:
        paid = 1.0
        if self._unpaid is not None:
            paid = self._rule.failed * (1.0 - ramp((at - self._unpaid) / DAY, 0.0, self._rule.gone_in_days))
        return paid if self._end is None else paid * self._end.left(at)

    def turns(self) -> Sequence[int]:
        return () if self._end is None else (self._end.at,)

    def because(self, at: int) -> Reason:
        end = self._end
        if self._unpaid is not None:
            days = whole_days(self._unpaid, at)
            if self._invoices:
                return reason("invoices_overdue", count=self._invoices, days=days)
            return reason("payment_failed", days=days)
        if end is None or end.left(at) == 1.0:
            return reason("payments_in_order")
        on = instant(end.at).date().isoformat()
        if at >= end.at:
            return reason(f"{end.what}_ended", on=on)
        return reason(f"{end.what}_ends", on=on, days=whole_days(at, end.at))


def _end(billing: Billing, rule: CommercialRule, *, trial: bool) -> _End | None:
    """The end that nothing yet prevents: of a trial that no contract followed, or of a contract."""
    if trial and billing.trial_ends_at is not None:
        return _End("trial", micros(billing.trial_ends_at), rule.trial_days, rule.renewal, lapses=True)
    renewal, renews = billing.renewal_at, billing.auto_renew
    if renewal is None or renews or billing.cancels_at is not None:
        return None
    return _End("contract", micros(renewal), rule.renewal_days, rule.renewal, lapses=renews is False)


def unpaid_since(billing: Billing) -> int | None:
    """Since when a payment failed or an invoice is overdue, in microseconds; None where all is paid."""
    since: list[datetime] = [*billing.overdue.values()]
    if billing.payment_failed_since is not None:
        since.append(billing.payment_failed_since)
    return micros(min(since)) if since else None


def contracted(measures: Measures) -> Billing | None:
    """What is known of a contract and of how it is paid: a trial alone says nothing of either."""
    billing = measures.billing
    if billing is None or (billing.trial_started_at is None and billing.trial_ends_at is None):
        return billing
    tried = Billing(trial_started_at=billing.trial_started_at, trial_ends_at=billing.trial_ends_at)
    return None if billing == tried else billing


def commercial_course(journey: JourneySnapshot, rule: CommercialRule) -> CommercialCourse | None:
    """The course of a contract, or of the trial of somebody who is in no account; None where there is neither."""
    known = contracted(journey.measures)
    if known is not None:
        return CommercialCourse(known, rule, trial=False)
    tried = journey.measures.billing
    if tried is None or tried.trial_ends_at is None or journey.account_id is not None:
        return None
    return CommercialCourse(tried, rule, trial=True)
