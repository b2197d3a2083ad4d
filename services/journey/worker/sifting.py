"""Takes out of a batch what names somebody who was erased: counted, and nothing kept of it but that it came."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from jornada.bus.publisher import Subject
from jornada.db import Connection
from jornada.events import WorkspaceId
from jornada.pseudonyms import Pseudonyms
from services.journey.domain.erasure import Mark, falls
from services.journey.domain.identity import Named
from services.journey.domain.reading import Reading
from services.journey.domain.stating import names
from services.journey.store import accepted, erasures, identifiers
from services.journey.store.accepted import Key


async def sifted(
    connection: Connection, workspace: WorkspaceId, pseudonyms: Pseudonyms, fresh: Sequence[Reading]
) -> tuple[list[Reading], set[Subject]]:
    """What is left, and the erased whom the rest names: their end is published again, last of their key for good."""
    if not await erasures.any_known(connection, workspace):
        return list(fresh), set()
    marks = await _marks(connection, workspace, pseudonyms, fresh)
    keys = {key: key_name(pseudonyms, workspace, key) for key in map(_key, fresh)}
    again = await accepted.hidden(connection, workspace, keys)
    own = {named for each in fresh if each.ours for named in _named(each)}
    known = await identifiers.read(connection, workspace, own)
    under = {_key(each): mark for each in fresh if (mark := _under(each, marks, known)) is not None}
    gone = again | under.keys()
    if gone:
        new = await accepted.hide(connection, workspace, {key: keys[key] for key in gone})
        await erasures.count(connection, workspace, Counter(under[key].erasure for key in new))
    left = [each for each in fresh if _key(each) not in gone]
    return left, await _ends(connection, workspace, marks)


def key_name(pseudonyms: Pseudonyms, workspace: WorkspaceId, key: Key) -> str:
    """Under what an event of somebody erased is known to have been accepted: an app may put a name into its ids."""
    return pseudonyms.of(workspace, "message", f"{key.source}\x1f{key.message_id}")


def _key(reading: Reading) -> Key:
    touchpoint = reading.touchpoint
    return Key(touchpoint.source, touchpoint.message_id, touchpoint.occurred_at)


async def erased_among(
    connection: Connection, workspace: WorkspaceId, pseudonyms: Pseudonyms, again: Sequence[Reading]
) -> set[Subject]:
    """The erased whom readings name that were folded earlier."""
    if not again or not await erasures.any_known(connection, workspace):
        return set()
    return await _ends(connection, workspace, await _marks(connection, workspace, pseudonyms, again))


def _under(reading: Reading, marks: Mapping[Named, Mark], known: Collection[Named]) -> Mark | None:
    """The erasure under which a reading falls. What we wrote ourselves begins nobody."""
    of = [marks[named] for named in _named(reading) if named in marks]
    if of and reading.ours and not any(named in known for named in _named(reading)):
        return max(of)
    return falls(reading.touchpoint.occurred_at, of)


def _named(reading: Reading) -> list[Named]:
    return [named for named, _ in names(reading) if named.type != "account"]


async def _marks(
    connection: Connection, workspace: WorkspaceId, pseudonyms: Pseudonyms, readings: Sequence[Reading]
) -> dict[Named, Mark]:
    by_name: dict[str, set[Named]] = defaultdict(set)
    for reading in readings:
        for named in _named(reading):
            by_name[pseudonyms.of(workspace, *named)].add(named)
    found = await erasures.marks(connection, workspace, by_name)
    return {named: mark for name, mark in found.items() for named in by_name[name]}


async def _ends(connection: Connection, workspace: WorkspaceId, marks: Mapping[Named, Mark]) -> set[Subject]:
    ids = await erasures.subjects_of(connection, workspace, {mark.erasure for mark in marks.values()})
    return {Subject(workspace, id_) for id_ in ids}
