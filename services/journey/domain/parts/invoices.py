"""Invoices that are overdue, and what was paid of them."""

from collections.abc import Mapping

import msgspec

from services.journey.domain.parts.joining import either, greatest, later, merged
from services.journey.domain.reading import Key, Reading

MOST_INVOICES = 200
_LONGEST_NAME = 200


class Invoice(msgspec.Struct, frozen=True, array_like=True):
    """An invoice: when it was last said to be overdue, first so, and when to be paid."""

    first: Key | None = None
    last: Key | None = None
    paid: Key | None = None


class Invoices(msgspec.Struct, frozen=True, array_like=True):
    """Invoices by id, and the latest payment that names none: it pays all that were overdue before."""

    by_id: Mapping[str, Invoice] = {}
    paid: Key | None = None

    def open(self) -> dict[str, int]:
        """The invoices that stand overdue, and since when, in microseconds."""
        found = {}
        for name, invoice in self.by_id.items():
            paid = later(invoice.paid, self.paid)
            if invoice.first is not None and invoice.last is not None and (paid is None or invoice.last > paid):
                found[name] = invoice.first[0] if paid is None or invoice.first > paid else invoice.last[0]
        return found


NONE = Invoices()


def join(a: Invoices, b: Invoices) -> Invoices:
    """What both say; of more than 200 invoices those with the greatest ids."""
    if a is NONE or b is NONE:
        return b if a is NONE else a
    return Invoices(greatest(merged(a.by_id, b.by_id, _both), MOST_INVOICES), later(a.paid, b.paid))


def single(reading: Reading) -> Invoices:
    """What one touchpoint says."""
    given = reading.properties.get("invoice_id")
    name = str(given)[:_LONGEST_NAME] if isinstance(given, str | int) else None
    match reading.kind:
        case "invoice_overdue":
            return Invoices({name or reading.touchpoint.message_id: Invoice(reading.key, reading.key)})
        case "payment_recovered":
            return Invoices(paid=reading.key) if name is None else Invoices({name: Invoice(paid=reading.key)})
        case _:
            return NONE


def _both(a: Invoice, b: Invoice) -> Invoice:
    return Invoice(either(a.first, b.first, min), later(a.last, b.last), later(a.paid, b.paid))
