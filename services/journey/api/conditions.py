"""What the faces of segments, personas and milestones have in common: names, conditions, what is in force."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jornada.rules import Condition, Invalid, parse
from jornada.web import Problem
from services.journey.domain.segments import Role
from services.journey.domain.view import terms
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store.in_force import Written

MOST = 100
EXAMPLE = {"all": [{"silence": "signed_in", "at_least": "14 days"}, {"measure": "billing.seats", "above": 10}]}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


def named(found: Sequence[Written], role: Role, name: str) -> Written:
    """The one of that name; 404 where there is none."""
    standing = next((each for each in found if each.name == name), None)
    if standing is None:
        raise Problem(404, "not_found", f"No such {role}.")
    return standing


def condition(name: str, given: Mapping[str, Any], spoken: Vocabulary) -> Condition:
    """The condition given under a name; 400 that names everything wrong with either."""
    if not _NAME.fullmatch(name):
        raise Problem(
            400, "invalid_name", "A name is of a-z, 0-9, - and _, at most 60, and begins with a letter or digit."
        )
    try:
        return parse(given, terms(spoken.kinds()))
    except Invalid as error:
        flaws = [flaw._asdict() for flaw in error.flaws]
        raise Problem(
            400, "invalid_condition", f"{flaws[0]['at'] or '/'}: {flaws[0]['message']}", errors=flaws
        ) from error
