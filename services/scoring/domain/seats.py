"""The seats of an account, and how many of them its people use."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from jornada.events import JourneySnapshot, Reason
from services.scoring.domain.shapes import DAY
from services.scoring.domain.words import reason

WINDOW_DAYS = 30


class Seats:
    """Seats that are paid for, and who uses them."""

    def __init__(self, journey: JourneySnapshot, number: int) -> None:
        self.number = number
        by_day = sorted(journey.measures.people_by_day, reverse=True)
        self._days = [day for day, _ in reversed(by_day)]
        self._since = [*accumulate((people for _, people in by_day), initial=0)]
        """People on the newest days: on none, on one, and so on."""

    def used(self, at: int) -> int:
        """Distinct people with an act of use on the 30 UTC days up to that of `at` (microseconds)."""
        return self._since[len(self._days) - bisect_right(self._days, at // DAY - WINDOW_DAYS)]

    def turns(self) -> Sequence[int]:
        """The midnights (UTC, microseconds) at which people fall out of those 30 days."""
        return [(day + WINDOW_DAYS) * DAY for day in self._days]

    def share(self, at: int) -> float:
        """Of the seats those that are used, 0 and up."""
        return self.used(at) / self.number

    def because(self, at: int) -> Reason:
        used = self.used(at)
        return reason("seats_used", used=used, seats=self.number, percent=100 * used // self.number)


def seats_of(journey: JourneySnapshot) -> Seats | None:
    """The seats of an account's contract, else those that its trait states; None for none, or no positive whole number.

    Who pays has the contract on their own journey too, but the seats are the account's people's.
    """
    if journey.subject_type != "account":
        return None
    billing = journey.measures.billing
    stated = billing.seats if billing is not None and billing.seats is not None else journey.traits.get("seats")
    number = stated if isinstance(stated, int) and not isinstance(stated, bool) and stated > 0 else None
    return None if number is None else Seats(journey, number)
