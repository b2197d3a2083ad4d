"""Thousands of requests, each with what the rules decide of it: families by file, in a fixed order."""

from collections.abc import Iterator

from tests.ingest.corpus import bodies, fields, grammar, headers, limits, numbers, texts, times, wires
from tests.ingest.corpus.cases import Case

_FAMILIES = (grammar, texts, numbers, limits, fields, times, bodies, headers, wires)


def corpus(key: str) -> Iterator[Case]:
    """Every case, as one who holds this write key sends it. The same key gives the same bytes."""
    for family in _FAMILIES:
        yield from family.cases(key)
