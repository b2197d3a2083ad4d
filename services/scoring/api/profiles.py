"""Health profiles: those that ship, a workspace's own, and what a change would do."""

import asyncio
import re
from collections import Counter
from typing import Annotated, Any

import msgspec
from fastapi import Body, Depends, FastAPI
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Connection, Database
from jornada.events import SubjectId, WorkspaceId
from jornada.web import Gate, Problem, documents
from jornada.web.app import answer
from jornada.web.pages import page
from services.scoring.api.faces import Document, instant_text, profile_face
from services.scoring.domain.profiles import InvalidProfile, Profile
from services.scoring.domain.scores import Configuration, score
from services.scoring.domain.shipped import SHIPPED
from services.scoring.domain.stating import encoded, stated
from services.scoring.store import facts, profiles
from services.scoring.store.profiles import Saved, in_order
from services.scoring.store.reading import Readings

MOST = 50
_LOOKED_AT = 500
_PIECE = 25
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
EXAMPLE = {
    "base": "saas",
    "weights": {"support": 0.3, "enablement": None},
    "adoption": {"least_gap_days": 14},
    "thresholds": {"green": 75},
    "vetoes": {
        "own": [
            {
                "name": "nobody signed in",
                "when": {"silence": "signed_in", "at_least": "45 days"},
                "at_most": 30,
                "because": {"en": "nobody signed in for weeks", "pt-BR": "ninguém entrou há semanas"},
            }
        ]
    },
    "applies": {"segments": ["enterprise"], "when": {"until": "billing.renewal_at", "at_most": "90 days"}},
}
INVALID = (422, "invalid_profile", "The document is no profile; `errors` names everything wrong.")
_FULL = (409, "too_many", f"A workspace has at most {MOST} profiles of its own.")


def serve(app: FastAPI, gate: Gate, database: Database, readings: Readings, clock: Clock) -> None:
    """Adds the routes."""
    _serve_reads(app, gate, database)

    @app.put("/v1/profiles/{name}", tags=["profiles"], responses=documents.refusals(INVALID, _FULL))
    async def put(
        name: str,
        document: Annotated[dict[str, Any], Body(examples=[EXAMPLE])],
        principal: Principal = Depends(gate.needs("write")),
        dry_run: bool = False,
    ) -> Response:
        """Saves a profile: its `base`, a shipped one, with the rest of the document laid over it.

        It holds for whom it `applies` to; under the name of a shipped one it stands in for that. Every subject is
        scored by it within seconds. 422 `invalid_profile` names everything wrong in `errors`, each by its JSON pointer.
        `dry_run` only says whose band would change, of up to 500 subjects.
        """
        workspace = principal.workspace
        async with database.transaction([workspace]) as connection:
            if not dry_run:
                await facts.alone(connection, workspace)
            known = await profiles.saved(connection, workspace)
            profile, changes = read_profile(name, document, known.get(name))
            if changes and name not in known and len(known) >= MOST:
                raise Problem(*_FULL)
            force = (await facts.in_force(connection, [workspace]))[workspace]
            if changes and not dry_run:
                now = clock.now()
                given = msgspec.json.encode(document)
                version = Saved(name, profile.version, encoded(profile), given, now)
                await profiles.save(connection, workspace, version, principal.token_id)
        if dry_run:
            wanted = [profile, *(each for each in force.own if each.name != name)]
            told = await _foretold(readings, clock, workspace, force, force._replace(own=in_order(wanted)))
            return answer({"name": name, "version": profile.version, "changes": changes, **told})
        return answer({"name": name, "version": profile.version, "changed": changes})

    @app.delete("/v1/profiles/{name}", tags=["profiles"])
    async def delete(name: str, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False) -> Response:
        """Takes an own profile back; its versions are kept. `dry_run` only says whose band would change."""
        workspace = principal.workspace
        async with database.transaction([workspace]) as connection:
            if not dry_run:
                await facts.alone(connection, workspace)
            standing = await _own(connection, workspace, name)
            force = (await facts.in_force(connection, [workspace]))[workspace]
            if not dry_run:
                now = clock.now()
                taken = Saved(name, standing.version + 1, None, None, now)
                await profiles.save(connection, workspace, taken, principal.token_id)
        if dry_run:
            left = tuple(each for each in force.own if each.name != name)
            return answer(
                {"name": name, **await _foretold(readings, clock, workspace, force, force._replace(own=left))}
            )
        return answer({"name": name, "version": taken.version, "taken_back": True})


def _serve_reads(app: FastAPI, gate: Gate, database: Database) -> None:
    @app.get("/v1/profiles", tags=["profiles"])
    async def listed(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """Those that ship, each as the workspace has it, then its own as they are asked whether they apply.

        What counts, how much, and which components the workspace has connected.
        """
        async with database.transaction([principal.workspace]) as connection:
            force = (await facts.in_force(connection, [principal.workspace]))[principal.workspace]
            known = await profiles.saved(connection, principal.workspace)
        own = {each.name: each for each in force.own}
        ours = {**SHIPPED, **{name: each for name, each in own.items() if name in SHIPPED}}
        found = [*ours.values(), *(each for each in force.own if each.name not in SHIPPED)]
        items = [profile_face(each, force.connected, known[each.name] if each.name in own else None) for each in found]
        return answer(page(items, None))

    @app.get("/v1/profiles/{name}", tags=["profiles"])
    async def one(name: str, principal: Principal = Depends(gate.needs("read"))) -> Response:
        """One of them, and all versions of an own one, the newest first."""
        workspace = principal.workspace
        async with database.transaction([workspace]) as connection:
            connected = (await facts.in_force(connection, [workspace]))[workspace].connected
            versions = await profiles.versions(connection, workspace, name) if _NAME.fullmatch(name) else []
        newest = versions[0] if versions and versions[0].profile is not None else None
        profile = newest.profile if newest is not None else SHIPPED.get(name)
        if profile is None:
            raise Problem(404, "not_found", "No such profile.")
        return answer(profile_face(profile, connected, newest) | {"versions": [_version(each) for each in versions]})


def _version(saved: Saved) -> Document:
    document = None if saved.given is None else msgspec.Raw(saved.given)
    return {"version": saved.version, "since": instant_text(saved.since), "given": document}


async def _own(connection: Connection, workspace: WorkspaceId, name: str) -> Saved:
    """The own profile of that name that is in force; 404 where there is none."""
    known = await profiles.saved(connection, workspace) if _NAME.fullmatch(name) else {}
    standing = known.get(name)
    if standing is None or standing.document is None:
        raise Problem(404, "not_found", "No profile of your own has this name.")
    return standing


def read_profile(name: str, document: dict[str, Any], standing: Saved | None) -> tuple[Profile, bool]:
    """The profile given, and whether it is another one than that which stands; 400 or 422 for what is none."""
    if not _NAME.fullmatch(name):
        raise Problem(
            400, "invalid_name", "A name is of a-z, 0-9, - and _, at most 60, and begins with a letter or digit."
        )
    before = standing.version if standing is not None else SHIPPED[name].version if name in SHIPPED else 0
    try:
        profile = stated(name, document, before + 1)
    except InvalidProfile as error:
        flaws = [{"at": at, "message": why} for at, why in error.flaws]
        told = f"{flaws[0]['at'] or '/'} {flaws[0]['message']}"
        raise Problem(422, "invalid_profile", told, errors=flaws) from error
    same = msgspec.structs.replace(profile, version=before)
    if standing is not None and encoded(same) == standing.document:
        return same, False
    return profile, True


async def _foretold(
    readings: Readings, clock: Clock, workspace: WorkspaceId, force: Configuration, wanted: Configuration
) -> Document:
    """How many subjects would have each band and each profile, and how many another one than now."""
    now, looked_at, changed = clock.now(), 0, 0
    bands: Counter[str] = Counter()
    names: Counter[str] = Counter()
    after: SubjectId | None = None
    while looked_at < _LOOKED_AT:
        piece = await readings.some(workspace, _PIECE, after)
        for each in piece:
            then = score(each.journey, wanted, now)
            bands[then.health.band] += 1
            names[then.profile.name] += 1
            changed += then.health.band != score(each.journey, force, now).health.band
            after = each.journey.subject_id
        looked_at += len(piece)
        if len(piece) < _PIECE:
            break
        await asyncio.sleep(0)
    return {"dry_run": True, "subjects": looked_at, "changed": changed, "bands": bands, "profiles": names}
