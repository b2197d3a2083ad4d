"""The job, the same for every side: touchpoints into a customer's state, and the snapshot of that."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from bench.journey.events import WORKSPACE
from jornada.events.codec import decode, encode
from jornada.events.ids import SubjectId, derived_id
from jornada.events.journeys import Identifier
from jornada.events.touchpoints import Touchpoint
from services.journey.domain import folding, state
from services.journey.domain.reading import read
from services.journey.domain.rules import DEFAULT
from services.journey.domain.snapshot import Standing, snapshot
from services.journey.domain.stages import timeline
from services.journey.domain.state import EMPTY, State

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
SCHEMA = """
create table states (customer text primary key, state bytea not null, snapshot bytea not null) with (fillfactor = 75);
create table touchpoints (customer text, occurred_at timestamptz, message_id text, record bytea,
                          primary key (customer, occurred_at, message_id));
create table accepted (source text, message_id text, primary key (source, message_id));
"""
"""What the sides keep that make their own tables."""

ADD_TOUCHPOINTS = """insert into touchpoints
    select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::bytea[]) on conflict do nothing"""
SAVE_STATES = """insert into states select * from unnest($1::text[], $2::bytea[], $3::bytea[])
    on conflict (customer) do update set state = excluded.state, snapshot = excluded.snapshot"""
ACCEPT = """insert into accepted select * from unnest($1::text[], $2::text[])
    on conflict do nothing returning message_id"""


def opened(value: bytes) -> Touchpoint:
    """A record's touchpoint."""
    told: Touchpoint = decode(value, Touchpoint)
    return told


def folded(known: State, told: Iterable[Touchpoint]) -> State:
    """The state with these touchpoints."""
    return state.join(known, folding.fold(read(each) for each in told))


def state_of(stored: bytes | None) -> State:
    """A stored state, or the empty one."""
    return EMPTY if stored is None else decode(stored, State)


def told(user: str, device: str, known: State) -> bytes:
    """The snapshot that is published."""
    id_ = SubjectId(UUID(str(derived_id(user))))
    names = [Identifier("user_id", user), Identifier("anonymous_id", device)]
    standing = Standing(workspace=WORKSPACE, type="customer", id=id_, identifiers=names, sessions=0)
    return encode(snapshot(known, standing, DEFAULT, AS_OF, known.touchpoints, timeline(known, DEFAULT)))
