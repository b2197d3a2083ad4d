"""What is known of a set's customers at a cut, as journey folds it, and what became of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple
from uuid import UUID

import msgspec

from bench.scoring.data_sets import Cut, DataSet, Purchase, purchases
from jornada.events import JourneySnapshot, Touchpoint
from jornada.events.ids import MessageId, WorkspaceId
from services.journey.domain.reading import read
from services.journey.domain.rules import SHOP
from services.journey.domain.whole import snapshots, subjects

_WORKSPACE = WorkspaceId(UUID("0198f3a2-7c11-7d2e-9c55-1f0a4b6d8e21"))


class Customer(NamedTuple):
    """Who had bought by a cut: the journey as of it, the instants of the purchases in order, and if no more follow."""

    journey: JourneySnapshot
    bought: Sequence[datetime]
    churned: bool


@cache
def folded(data_set: DataSet, cut: Cut) -> list[Customer]:
    """Everybody who bought up to the cut, folded from what happened up to it; raises Unread."""
    return told(purchases(data_set), cut)


def told(bought: Iterable[Purchase], cut: Cut) -> list[Customer]:
    """Everybody who bought up to the cut, folded by the shop's rules from what happened up to it."""
    before: dict[str, list[Purchase]] = defaultdict(list)
    after: set[str] = set()
    for each in bought:
        if each.at <= cut.at:
            before[each.customer].append(each)
        elif each.at <= cut.at + cut.horizon:
            after.add(each.customer)
    readings = [read(touchpoint(each)) for theirs in before.values() for each in theirs]
    journeys = snapshots(_WORKSPACE, subjects(_WORKSPACE, readings), SHOP, cut.at)
    return [
        Customer(journey, sorted(each.at for each in before[name]), name not in after)
        for journey in journeys
        for name in (journey.identifiers[0].value,)
    ]


def touchpoint(purchase: Purchase) -> Touchpoint:
    """A purchase as ingest accepts it."""
    return Touchpoint(
        workspace=_WORKSPACE,
        source="shop",
        role="import",
        message_id=MessageId(purchase.order),
        type="track",
        received_at=purchase.at,
        occurred_at=purchase.at,
        payload_hash="",
        event="Order Completed",
        user_id=purchase.customer,
        body=msgspec.Raw(msgspec.json.encode({"properties": {"order_id": purchase.order}})),
    )
