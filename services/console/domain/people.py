"""The people of an account, the most urgent first, and how many of them stand in each band."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.console.domain.board import rows
from services.console.domain.reading import BANDS, Band, Document, items, mapping, number
from services.console.domain.subjects import Subject, of_document


@dataclass(frozen=True, slots=True)
class Person:
    """One of them: band, score and the first reason as far as they are scored."""

    subject: Subject
    band: Band
    score: float | None
    why: object


def people(scored: object, known: object) -> Sequence[Person]:
    """Those of scoring's list, in its order within each band, then those whom journey alone knows."""
    names = {person.id: person for person in map(of_document, items(known))}
    listed = [
        Person(names.get(row.subject.id, row.subject), row.band, row.score, next(iter(row.why), None))
        for row in rows(scored)
    ]
    listed.sort(key=lambda each: BANDS.index(each.band))
    seen = {each.subject.id for each in listed}
    return [*listed, *(Person(each, "unknown", None, None) for each in names.values() if each.id not in seen)]


def bands(scores: Document) -> Sequence[tuple[Band, int]]:
    """How many people stand in each band out of the account's scores, the worst first; bands without any left out."""
    told = mapping(mapping(scores.get("people")).get("bands"))
    counted = [(band, int(number(told.get(band)) or 0)) for band in BANDS]
    return [(band, people) for band, people in counted if people]
