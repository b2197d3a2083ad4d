"""Conditions and views for tests, drawn and fixed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from jornada.rules import Sort, Terms
from jornada.rules.language import DAY

MINUTE = 60_000_000
_HOUR = 60 * MINUTE
BEGIN = 20_454 * DAY  # the first of 2026
TERMS = Terms(
    stages=frozenset({"lead", "active", "at_risk"}),
    kinds=frozenset({"signed_in", "purchased"}),
    measures={"plan": Sort.TEXT, "seats": Sort.NUMBER, "revenue.*": Sort.NUMBER},
    dates=frozenset({"first_seen_at", "renewal_at"}),
    half_lives=frozenset({7, 14}),
)


@dataclass
class Fixed:
    """A view that is what it is given."""

    stages: Sequence[tuple[int, str]] = ()
    traits: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, Any] = field(default_factory=dict)
    dates: Mapping[str, int] = field(default_factory=dict)
    lasts: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def trait(self, name: str) -> Any:
        return self.traits.get(name)

    def measure(self, name: str) -> Any:
        return self.measures.get(name)

    def date(self, name: str) -> int | None:
        return self.dates.get(name)

    def last(self, kind: str) -> int | None:
        return self.lasts.get(kind)

    def count(self, kind: str) -> int:
        return sum(self.days.get(kind, {}).values())

    def by_day(self, kind: str) -> Mapping[int, int]:
        return self.days.get(kind, {})

    def decayed(self, kind: str, half_life: int, at: int) -> int:
        """Halves in steps, every so many hours, from the day before the beginning on."""
        return self.count(kind) * 10**9 >> (at - BEGIN + DAY) // (half_life * _HOUR)

    def decays_below(self, kind: str, half_life: int, level: int) -> int | None:
        whole = self.count(kind) * 10**9
        steps = next((steps for steps in range(70) if whole >> steps < level), 0)
        return BEGIN - DAY + steps * half_life * _HOUR if whole else None


_SPANS = st.builds(
    lambda number, unit: f"{number} {unit}s",
    st.integers(0, 40),
    st.sampled_from(["minute", "hour", "day"]),
)
_NUMBERS = st.integers(-1, 6) | st.sampled_from([0.5, 2.5])
_ORDER = ["at_least", "at_most", "above", "below"]
_VALUES = {
    Sort.TEXT: st.sampled_from(["pro", "free"]),
    Sort.NUMBER: _NUMBERS,
    Sort.SPAN: _SPANS,
    Sort.INSTANT: st.sampled_from(["2026-01-01", "2026-01-01T12:00:00.000001Z"]),
    Sort.ANY: st.sampled_from(["pro", True, 3]),
}


@st.composite
def one_test(draw: st.DrawFn) -> dict[str, Any]:
    """The document of one test that is no flaw."""
    key, name, sort = draw(
        st.sampled_from(
            [
                ("stage", "name", Sort.TEXT),
                ("stage", "age", Sort.SPAN),
                ("trait", "plan", Sort.ANY),
                ("measure", "plan", Sort.TEXT),
                ("measure", "seats", Sort.NUMBER),
                ("date", "renewal_at", Sort.INSTANT),
                ("since", "first_seen_at", Sort.SPAN),
                ("until", "renewal_at", Sort.SPAN),
                ("silence", "signed_in", Sort.SPAN),
                ("count", "signed_in", Sort.NUMBER),
                ("days", "signed_in", Sort.NUMBER),
                ("decayed", "signed_in", Sort.NUMBER),
            ]
        )
    )
    document: dict[str, Any] = {key: name}
    if key in {"count", "days"} and draw(st.booleans()):
        document["within"] = f"{draw(st.integers(1, 3))} days"
    if key == "decayed":
        document["half_life"] = draw(st.sampled_from(["7 days", "1 week", "2 weeks"]))
        if draw(st.booleans()):
            return document | {"in": draw(st.lists(_VALUES[sort], min_size=1, max_size=2))}
    if draw(st.integers(0, 6)) == 0:
        return document | {"exists": draw(st.booleans())}
    if (key, name) == ("stage", "name"):
        return document | {"in": draw(st.lists(st.sampled_from(sorted(TERMS.stages)), min_size=1, max_size=2))}
    if sort in {Sort.TEXT, Sort.ANY}:
        return document | {"is": draw(_VALUES[sort])}
    words = draw(st.sets(st.sampled_from(_ORDER), min_size=1, max_size=2))
    return document | {word: draw(_VALUES[sort]) for word in sorted(words)}


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    """The document of a condition that is no flaw."""
    return st.recursive(
        one_test(),
        lambda inner: (
            st.builds(lambda key, parts: {key: parts}, st.sampled_from(["all", "any"]), _lists(inner))
            | inner.map(lambda part: {"not": part})
        ),
        max_leaves=6,
    )


def _lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(inner, min_size=1, max_size=3)


_INSTANTS = st.builds(
    lambda minutes, odd: BEGIN + minutes * MINUTE + odd, st.integers(-1_500, 1_500), st.sampled_from([-1, 0, 1, 7])
)


@st.composite
def views(draw: st.DrawFn) -> Fixed:
    """A journey whose facts lie about a day before and after the beginning; counted kinds only before it."""
    entered = sorted(draw(st.sets(_INSTANTS, max_size=3)))
    signed_in = draw(st.none() | _INSTANTS.filter(lambda us: us <= BEGIN))
    days = draw(st.dictionaries(st.integers(BEGIN // DAY - 4, BEGIN // DAY), st.integers(1, 3), max_size=4))
    return Fixed(
        stages=[(us, draw(st.sampled_from(sorted(TERMS.stages)))) for us in entered],
        traits=draw(st.fixed_dictionaries({}, optional={"plan": st.sampled_from(["pro", True, 1, ["pro"]])})),
        measures=draw(st.fixed_dictionaries({}, optional={"plan": st.just("pro"), "seats": st.integers(0, 5)})),
        dates={"first_seen_at": BEGIN - 3 * DAY} | ({"renewal_at": draw(_INSTANTS)} if draw(st.booleans()) else {}),
        lasts={} if signed_in is None else {"signed_in": signed_in},
        days={"signed_in": days},
    )
