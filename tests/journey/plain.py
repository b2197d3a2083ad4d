"""Documents as the oracle tells journeys: what both say, in its words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from jornada.instants import micros
from tests.journey.oracle import AMBIGUOUS


def plain(document: Mapping[str, Any], path: Sequence[Mapping[str, Any]], account: str | None) -> dict[str, Any]:
    """A subject's document with its path, newest first; `account` is the name of the one that it names."""
    measures = document["measures"]
    told = {
        "identifiers": [f"{each['type']}:{each['value']}" for each in document["identifiers"]],
        "touchpoints": document["touchpoints"],
        "seen": [_us(document["first_seen_at"]), _us(document["last_seen_at"])],
        "kinds": {
            kind: [each["total"], _us(each["last_at"])] for kind, each in sorted(measures.get("counts", {}).items())
        },
        "revenue": {each["currency"]: str(Decimal(each["amount"]).normalize()) for each in measures.get("revenue", [])},
    }
    fading = measures.get("feedback", {}).get("level_decayed", [])
    told["feedback"] = [
        f"{each[part]:.6g}" for each in fading if each["half_life_days"] == 30 for part in ("mean", "weight")
    ]
    billing = measures.get("billing", {})
    told["trial"] = [_us(at) if (at := billing.get(name)) else None for name in ("trial_started_at", "trial_ends_at")]
    told["contract"] = [billing.get("auto_renew"), _us(at) if (at := billing.get("started_at")) else None]
    contacts = measures.get("contacts", {})
    told["contacts"] = [_us(at) if (at := contacts.get(name)) else None for name in ("inbound_at", "outbound_at")]
    told["rules_base"] = document["rules_base"]
    if "segments" not in document:
        return told | {name: measures.get(name, none) for name, none in (("people", 0), ("people_by_day", []))}
    steps = path[::-1]
    use, support = measures.get("use"), measures.get("support", {})
    sessions = groupby((each for each in steps if not each["ours"]), key=lambda each: each["session_id"])
    return told | {
        "path": [[each["message_id"], each["source"]] for each in steps],
        "sessions": [[each["message_id"] for each in theirs] for _, theirs in sessions],
        "stages": [[each["name"], _us(each["entered_at"])] for each in document["stages"]],
        "use": None if use is None else [use["value_days"], _us(use["last_value_at"]), *_gaps(use)],
        "traits": dict(sorted(document["traits"].items())),
        "tickets": [support.get("tickets", 0), sorted(each["ticket_id"] for each in support.get("open", []))],
        "relationships": [
            [each["type"], _us(each["since"]), each["source"]] for each in document["relationship_types"]
        ],
        "owner": document["owner"],
        "account": account,
    }


def in_plain_words(documents: Mapping[str, Any]) -> dict[str, Any]:
    """Documents as the oracle tells journeys."""
    told: dict[str, Any] = {}
    for name, each in documents.items():
        if isinstance(each, list) and name != "refusals":
            document, account, path = each
            told[name] = plain(document, path, account)
        elif name != "refusals":
            told[name] = AMBIGUOUS if isinstance(each, int) else each
    return told


def _gaps(use: Mapping[str, Any]) -> list[Any]:
    return [use["own_gap_days"], use.get("gaps", 0), use["expected_gap_days"], use.get("mean_gap_days")]


def _us(text: str) -> int:
    return micros(datetime.fromisoformat(text))
