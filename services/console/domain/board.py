"""The risk board: who is leaving, what they are worth, why, since when, and what was done about it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.console.domain.reading import BANDS, Band, Document, band, instant, items, mapping, money, number, text
from services.console.domain.subjects import Subject, of_document, of_reference


@dataclass(frozen=True, slots=True)
class Row:
    """One subject on the board. `since` is when it turned red; `crosses_at` when the next band `crosses_to` falls."""

    subject: Subject
    band: Band
    score: float | None
    risk: float | None
    worth: Document | None
    why: Sequence[object]
    since: datetime | None
    crosses_to: Band | None
    crosses_at: datetime | None
    stage: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A band's part of all: how many, from which fraction of the bar to which."""

    band: Band
    number: int
    begins: float
    width: float


@dataclass(frozen=True, slots=True)
class Tracker:
    """What a source has ceased to send, and since when; `until` once it is back. `freezes`: health, by it."""

    source: str
    kind: str
    since: datetime
    until: datetime | None
    freezes: bool


LATELY = timedelta(days=1)
"""For how long it is told that something is back."""


def trackers(page: object, now: datetime) -> list[Tracker]:
    """What sources have ceased to send, and what came back lately, of scoring's notices."""
    found = []
    for item in items(page):
        since, until = instant(item.get("since")), instant(item.get("until"))
        back = until is not None and item.get("ended_because") == "repaired" and now - until < LATELY
        if item.get("notice") == "tracker_silent" and since is not None and (until is None or back):
            freezes = bool(item.get("frozen"))
            found.append(Tracker(text(item.get("source")), text(item.get("kind")), since, until, freezes))
    return found


def imports(page: object, now: datetime) -> list[Document]:
    """What is said of imports that run, and of those lately over, in both languages, of scoring's notices."""
    return [
        {"text": item.get("text")}
        for item in items(page)
        if item.get("notice") == "import" and ((until := instant(item.get("until"))) is None or now - until < LATELY)
    ]


def rows(page: object) -> list[Row]:
    """The rows of scoring's list."""
    return [_row(item) for item in items(page)]


def _row(item: Document) -> Row:
    health, risk = mapping(item.get("health")), mapping(item.get("churn_risk"))
    crosses = mapping(health.get("crosses"))
    return Row(
        subject=of_reference(mapping(item.get("subject")) or item),
        band=band(health.get("band")),
        score=number(health.get("score")),
        risk=number(risk.get("probability")),
        worth=money(item.get("mrr")) or money(item.get("revenue_at_risk")),
        why=[each.get("because") for each in items(item.get("reasons"))],
        since=instant(item.get("red_since")),
        crosses_to=band(crosses["band"]) if "band" in crosses else None,
        crosses_at=instant(crosses.get("at")),
        stage=text(item.get("stage")) or text(mapping(item.get("stage")).get("name")),
    )


def introduced(row: Row, journey: Document, account: Subject | None) -> Row:
    """The row with what journey knows of the subject: its name, its stage, its account, and the contract's worth."""
    billing = mapping(mapping(journey.get("measures")).get("billing"))
    return replace(
        row,
        subject=of_document(journey) if journey else row.subject,
        worth=row.worth or money(billing.get("mrr")),
        stage=row.stage or text(mapping(journey.get("stage")).get("name")),
        account=account.name if account is not None else "",
    )


def shares(counts: Mapping[str, int]) -> list[Share]:
    """The bands' distribution as pieces of one bar, worst first."""
    total = sum(counts.get(each, 0) for each in BANDS)
    pieces, begins = [], 0.0
    for each in BANDS:
        width = counts.get(each, 0) / total if total else 0.0
        pieces.append(Share(each, counts.get(each, 0), begins, width))
        begins += width
    return pieces


def distribution(document: object, type_: str) -> dict[str, int]:
    """Band → subjects of one type, out of scoring's distribution."""
    found = mapping(mapping(document).get(type_) or mapping(document).get(f"{type_}s") or document)
    inner = mapping(found.get("bands") or found.get("health") or found)
    return {each: int(number(inner.get(each)) or 0) for each in BANDS}


def worth_together(board: Iterable[Row]) -> list[Document]:
    """What the rows are worth together, per currency, as exact decimals."""
    sums: dict[str, Decimal] = {}
    for row in board:
        if row.worth is not None:
            currency = str(row.worth["currency"])
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(str(row.worth["amount"]))
    return [{"amount": str(amount), "currency": currency} for currency, amount in sorted(sums.items())]


def stage_counts(document: object, type_: str) -> list[tuple[str, int]]:
    """Stage → how many subjects of that type, as journey counts them."""
    counts = mapping(mapping(document).get(f"{type_}s"))
    return [(str(name), int(number(count) or 0)) for name, count in counts.items()]
