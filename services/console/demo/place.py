"""The workspace `cdnow`, made once, with its keys kept under the data folder."""

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from jornada.access.grants import SCOPES
from jornada.access.secrets import digest
from jornada.access.store import PostgresAccess, Refused
from jornada.cli.place import opened
from services.console.local import write_private

NAME = "cdnow"
SOURCE = "shop"
_KEPT = "cdnow.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the purchases go. `first_sent_on` is the day of the first run, which later runs keep to."""

    workspace: str
    write_key: str = field(repr=False)
    api_token: str = field(repr=False)
    first_sent_on: date


async def ensured(folder: Path, today: date) -> Place:
    """The workspace, its source of role `import`, and keys that let in; raises Unavailable, Refused."""
    async with opened() as access:
        kept = await _kept(access, folder)
        if kept is not None:
            return kept
        try:
            workspace = await access.create_workspace(NAME)
        except Refused:
            workspace = await access.workspace(NAME)
        if SOURCE not in {source.name for source in await access.sources(workspace.id)}:
            await access.create_source(workspace.id, SOURCE, "import")
        key = await access.create_key(workspace.id, SOURCE)
        token = await access.create_token(workspace.id, "demo", SCOPES)
    document = {
        "workspace": str(workspace.id),
        "write_key": key.secret,
        "api_token": token.secret,
        "first_sent_on": today.isoformat(),
    }
    write_private(folder / _KEPT, json.dumps(document, indent=2))
    return _place(document)


async def _kept(access: PostgresAccess, folder: Path) -> Place | None:
    """The place as a former run left it, if its keys still let in."""
    file = folder / _KEPT
    if not file.exists():
        return None
    place = _place(json.loads(file.read_text()))
    grant = await access.write_grant(digest(place.write_key))
    principal = await access.principal(digest(place.api_token))
    return place if grant is not None and principal is not None else None


def _place(document: dict[str, str]) -> Place:
    return Place(
        document["workspace"],
        document["write_key"],
        document["api_token"],
        date.fromisoformat(document["first_sent_on"]),
    )
