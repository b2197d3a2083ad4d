"""A database of a login that owns it and is no superuser, as far migrated as wanted."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg

from jornada.db.migrations import Chain, chains, migrated
from jornada.events import new_id

JOURNEY = next(each for each in chains() if each.schema == "journey")


class Owned(NamedTuple):
    """Its URL for the owner, and for a superuser."""

    owner: str
    superuser: str


@asynccontextmanager
async def owned(postgres_url: str) -> AsyncIterator[Owned]:
    """An empty database and its owner; both are gone afterwards."""
    owner, name = f"owner_{new_id().hex}", f"owned_{new_id().hex}"
    superuser = await asyncpg.connect(postgres_url)
    await superuser.execute(f"create role {owner} login createrole password 'p'")
    await superuser.execute(f"grant jornada_journey, jornada_journey_clock to {owner}")
    await superuser.execute(f"create database {name} owner {owner}")
    parts = urlsplit(postgres_url)._replace(path=f"/{name}")
    try:
        yield Owned(parts._replace(netloc=f"{owner}:p@{parts.hostname}:{parts.port}").geturl(), parts.geturl())
    finally:
        await superuser.execute(f"drop database {name} with (force)")
        await superuser.execute(f"drop owned by {owner}; drop role {owner}")
        await superuser.close()


async def migrated_to_before(url: str, revision: str, folder: Path) -> None:
    """Brings the journey's schema to what it was before a revision; `folder` is an empty one to work in."""

    def later(_: str, names: list[str]) -> list[str]:
        return [each for each in names if each >= revision]

    shutil.copytree(JOURNEY.folder / "versions", folder / "versions", ignore=later)
    await migrated(url, [Chain("journey", folder)])
