"""Conditions over published journeys, drawn."""

from typing import Any

from hypothesis import strategies as st

_DATES = ("billing.renewal_at", "billing.trial_ends_at", "use.last_value_at", "support.oldest_open_at", "first_seen_at")
_SPANS = st.builds(lambda number, unit: f"{number} {unit}s", st.integers(0, 72), st.sampled_from(("hour", "day")))
_ORDER = st.sampled_from(("at_least", "at_most", "above", "below"))
_KINDS = st.sampled_from(("referral_made", "product_reviewed", "signed_in"))
_LEVELS = st.sampled_from((0.1, 0.5, 0.9, 1, 2))

_TESTS = st.one_of(
    st.builds(
        lambda key, name, word, span: {key: name, word: span},
        st.sampled_from(("since", "until")),
        st.sampled_from(_DATES),
        _ORDER,
        _SPANS,
    ),
    st.builds(lambda kind, word, span: {"silence": kind, word: span}, _KINDS, _ORDER, _SPANS),
    st.builds(lambda word, span: {"stage": "age", word: span}, _ORDER, _SPANS),
    st.builds(
        lambda kind, half, word, level: {"decayed": kind, "half_life": f"{half} days", word: level},
        _KINDS,
        st.sampled_from((7, 14, 90)),
        _ORDER,
        _LEVELS,
    ),
    st.builds(lambda word, level: {"measure": "support.open", word: level}, _ORDER, _LEVELS),
    st.builds(lambda there: {"date": "billing.cancels_at", "exists": there}, st.booleans()),
)


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    """Documents of conditions, many of which turn by time."""
    return st.recursive(
        _TESTS,
        lambda inner: (
            st.builds(
                lambda key, parts: {key: parts},
                st.sampled_from(("all", "any")),
                st.lists(inner, min_size=1, max_size=2),
            )
            | inner.map(lambda part: {"not": part})
        ),
        max_leaves=4,
    )
