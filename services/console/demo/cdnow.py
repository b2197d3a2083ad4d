"""CDNOW's purchases as events: 69,659 lines of a customer, a day, a number of CDs and dollars."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

FILE = Path("lifetimes/datasets/CDNOW_master.txt")
SHA256 = "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef"
PURCHASES = 69_659
CUSTOMERS = 23_570
BATCH = 1_000
"""Events of a request: about 250 KB of the 500 KB that it may have."""


class Purchase(NamedTuple):
    """One line: `number` counts lines from 1, `dollars` keeps the digits of the file."""

    number: int
    customer: str
    on: date
    products: int
    dollars: str


class Damaged(Exception):
    """The file is not the one that was published."""


def purchases(folder: Path) -> list[Purchase]:
    """Every purchase of the file below `folder`, in its order; raises Damaged, OSError."""
    content = (folder / FILE).read_bytes()
    if sha256(content).hexdigest() != SHA256:
        raise Damaged(f"{folder / FILE} is not the published file")
    lines = content.decode("ascii").splitlines()[1:]
    return [_purchase(number, line.split()) for number, line in enumerate(lines, start=1)]


def _purchase(number: int, fields: Sequence[str]) -> Purchase:
    customer, day, products, dollars = fields
    return Purchase(number, customer, date.fromisoformat(day), int(products), dollars)


def days_to(today: date, bought: Sequence[Purchase]) -> int:
    """By how many days the purchases are moved, so that the last of them is made today."""
    return (today - max(purchase.on for purchase in bought)).days


def batches(bought: Sequence[Purchase], moved_days: int) -> Iterator[bytes]:
    """The bodies of the requests that import the purchases, moved by whole days."""
    for begin in range(0, len(bought), BATCH):
        events = [event(purchase, moved_days) for purchase in bought[begin : begin + BATCH]]
        yield msgspec.json.encode({"batch": events})


def event(purchase: Purchase, moved_days: int) -> dict[str, object]:
    """A purchase in Segment's form. It names its day only, so it is made at that day's first instant."""
    properties = {
        "order_id": f"cdnow-{purchase.number}",
        "revenue": msgspec.Raw(purchase.dollars.encode()),
        "currency": "USD",
        "products": [{"name": "CD", "quantity": purchase.products}],
    }
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"cdnow-{purchase.number}",
        "userId": purchase.customer,
        "timestamp": f"{purchase.on + timedelta(days=moved_days)}T00:00:00Z",
        "properties": properties,
    }
