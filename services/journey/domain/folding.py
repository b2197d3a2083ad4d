"""From touchpoints to states: what one says, and how a person's divide over the accounts they belonged to."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jornada.events import Money
from jornada.instants import instant, micros
from services.journey.domain import state as states
from services.journey.domain.contracts import STARTS
from services.journey.domain.parts import contacts, halvings, invoices, learning, relationships, surveys, tickets
from services.journey.domain.parts.joining import Register
from services.journey.domain.reading import Key, Reading, amount, dated, nanos, text, whole
from services.journey.domain.state import EMPTY, State
from services.journey.domain.vocabulary import BILLING

_DAY = 86_400_000_000
_CONTRACT = frozenset(
    {"subscription_started", "subscription_renewed", "subscription_cancelled", "payment_failed", "payment_recovered"}
)
_LONGEST_NAME = 200


def fold(readings: Iterable[Reading]) -> State:
    """The state of a set of touchpoints."""
    return states.joined(single(reading) for reading in readings)


def evolve(state: State, reading: Reading) -> State:
    """The state with one touchpoint more."""
    return states.join(state, single(reading))


def single(reading: Reading) -> State:
    """What one touchpoint says by itself; what we wrote ourselves counts in nothing."""
    if reading.ours:
        return EMPTY
    touchpoint, key, kind = reading.touchpoint, reading.key, reading.kind
    named = touchpoint.user_id is not None or isinstance(reading.traits.get("email"), str)
    received = micros(touchpoint.received_at)
    return State(
        touchpoints=1,
        first=key,
        last=key,
        known=key if named else None,
        kinds={kind: (1, *key, key[0])},
        counts={kind: {str(key[0] // _DAY): 1}},
        days=_days(reading),
        purchases=[key] if kind == "purchased" else [],
        features=_features(reading),
        traits=_registers(reading, reading.traits),
        tickets=tickets.single(reading),
        contract=_contract(reading),
        billing=_billing(reading),
        revenue=_revenue(reading),
        surveys=surveys.single(reading),
        learning=learning.single(reading),
        invoices=invoices.single(reading),
        halvings=halvings.single(reading),
        consents=_consents(reading),
        referrals=[key] if kind == "referral_made" else [],
        deletions=[key] if kind == "account_deleted" else [],
        groups=groups(reading),
        account_traits=_account_traits(reading),
        live=None if touchpoint.history else received,
        history=received if touchpoint.history and touchpoint.role != "import" else None,
        imported=received if touchpoint.history and touchpoint.role == "import" else None,
        relationships=relationships.single(reading),
        contacts=contacts.single(reading),
    )


def shares(readings: Sequence[Reading]) -> Mapping[str, State]:
    """What a person's touchpoints add to each account: each counts by the latest `group` until then, else the first.

    Of more accounts than a state tells, those it tells have theirs.
    """
    facts = sorted((reading.key, reading.touchpoint.group_id) for reading in readings if groups(reading))
    if not facts:
        return {}
    instants = [key[0] for key, _ in facts]
    told = states.latest_groups({account: key for key, account in facts if account is not None})
    by_account: dict[str, list[Reading]] = {account: [] for account in told}
    for reading in readings:
        account = facts[max(bisect_right(instants, reading.key[0]) - 1, 0)][1]
        if account in by_account:
            by_account[account].append(reading)
    return {account: states.share(fold(theirs), account) for account, theirs in by_account.items()}


def own_share(readings: Iterable[Reading], account: str) -> State:
    """What an account's own touchpoints add to it: its contract included, whoever they name."""
    state = fold(readings)
    own = State(contract=state.contract, billing=state.billing, deletions=state.deletions, invoices=state.invoices)
    return states.join(states.share(state, account), own)


def _register(reading: Reading, value: Any) -> Register:
    return (*reading.key, text(value))


def _registers(reading: Reading, traits: Mapping[str, Any]) -> dict[str, Register]:
    return {name: _register(reading, value) for name, value in traits.items() if len(name) <= _LONGEST_NAME}


def _days(reading: Reading) -> dict[str, dict[str, states.Day]]:
    if reading.value is None:
        return {}
    return {reading.value: {str(reading.key[0] // _DAY): (*reading.key, *reading.key)}}


def _features(reading: Reading) -> dict[str, int]:
    if reading.value != "use" or reading.kind == "signed_in":
        return {}
    named = reading.properties.get("feature") if reading.kind == "feature_used" else reading.touchpoint.event
    feature = named if isinstance(named, str) and named else reading.touchpoint.event or ""
    return {feature[:_LONGEST_NAME]: reading.key[0]} if feature else {}


def _contract(reading: Reading) -> list[states.Contract]:
    if reading.kind not in _CONTRACT:
        return []
    effective = dated(reading.properties.get("effective_at"))
    if reading.kind in STARTS:
        # A contract that renews by itself has no end until somebody sets one.
        effective = (
            dated(reading.properties.get("renewal_at")) if reading.properties.get("auto_renew") is False else None
        )
    return [(*reading.key, reading.kind, None if effective is None else micros(effective))]


def _billing(reading: Reading) -> dict[str, Register]:
    if reading.kind not in BILLING:
        return _trial(reading)
    given = reading.properties
    facts: dict[str, Any] = {
        "plan": given.get("plan") if isinstance(given.get("plan"), str) else None,
        "seats": whole(given.get("seats")),
        "renewal_at": dated(given.get("renewal_at")),
        "mrr": _money(given.get("mrr"), given.get("currency")),
        "auto_renew": given.get("auto_renew") if isinstance(given.get("auto_renew"), bool) else None,
    }
    return {name: _register(reading, value) for name, value in facts.items() if value is not None}


def _trial(reading: Reading) -> dict[str, Register]:
    given, at = reading.properties, instant(reading.key[0])
    match reading.kind:
        case "trial_started":
            ends = dated(given.get("trial_ends_at")) or dated(given.get("trial_end_date"))
            return {"trial_started_at": _register(reading, at), "trial_ends_at": _register(reading, ends)}
        case "trial_ended":
            return {"trial_ends_at": _register(reading, at)}
        case _:
            return {}


def _money(value: Any, currency: Any) -> Money | None:
    number = amount(value)
    return None if number is None else Money(format(number, "f"), _currency(currency))


def _currency(value: Any) -> str:
    code = isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha()
    return value.upper() if code else "USD"


def _revenue(reading: Reading) -> dict[str, int]:
    if reading.kind != "purchased":
        return {}
    given = reading.properties
    number = amount(given.get("revenue"))
    number = amount(given.get("total")) if number is None else number
    return {} if number is None else {_currency(given.get("currency")): nanos(number)}


def _consents(reading: Reading) -> dict[str, Register]:
    if reading.kind != "consent_updated":
        return {}
    channel, purpose, status = (reading.properties.get(name) for name in ("channel", "purpose", "status"))
    if not isinstance(channel, str) or not isinstance(purpose, str) or status not in {"granted", "denied", "revoked"}:
        return {}
    return {f"{channel}/{purpose}"[:_LONGEST_NAME]: (*reading.key, str(status))}


def groups(reading: Reading) -> dict[str, Key]:
    """The account to which a touchpoint says that its person belongs, and when."""
    touchpoint = reading.touchpoint
    if touchpoint.type != "group" or touchpoint.group_id is None or reading.account is not None or reading.ours:
        return {}
    return {touchpoint.group_id: reading.key}


def _account_traits(reading: Reading) -> dict[str, dict[str, Register]]:
    group = reading.touchpoint.group_id
    if not reading.account_traits or group is None:
        return {}
    traits = _registers(reading, reading.account_traits)
    mrr = _money(reading.account_traits.get("mrr"), reading.account_traits.get("currency"))
    return {group: traits | ({"mrr": _register(reading, mrr)} if mrr is not None else {})}
