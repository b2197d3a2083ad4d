"""How a path names a customer or an account."""

from typing import NamedTuple

from jornada.access.grants import Principal
from jornada.events import SubjectType
from jornada.web import Problem, parse_reference
from services.scoring.store.reading import Readings, Scored


class Kind(NamedTuple):
    """A sort of subject, and the identifiers by which it can be named."""

    type: SubjectType
    identifiers: tuple[str, ...]


KINDS = {
    "customers": Kind("customer", ("user_id", "anonymous_id", "email")),
    "accounts": Kind("account", ("account",)),
}


async def found(readings: Readings, principal: Principal, kind: str, ref: str) -> Scored:
    """The subject that a path names; 404 for nobody."""
    type_, identifiers = KINDS[kind]
    subject = await readings.find(principal.workspace, type_, parse_reference(ref, identifiers))
    if subject is None:
        raise Problem(404, "not_found", f"No such {type_}.")
    return subject
