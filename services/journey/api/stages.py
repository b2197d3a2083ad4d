"""The rules of a workspace's stages, and how many stand at each."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from jornada.access.grants import Principal
from jornada.clock import Clock
from jornada.db import Database
from jornada.events import SubjectType, WorkspaceId
from jornada.instants import instant
from jornada.rules import Invalid, parse
from jornada.web import Gate, Problem
from jornada.web.app import answer
from services.journey.api.sampling import Sample, sampled, stage_of
from services.journey.domain import stages
from services.journey.domain.rules import CONDITIONAL, DEFAULT, OWN, RULE_SETS, InvalidRules, RuleSet, own, proposed
from services.journey.domain.segments import Definition, InForce
from services.journey.domain.view import stage_terms
from services.journey.domain.vocabulary import Vocabulary
from services.journey.store import in_force, portraits

_PIECE = 200
_LOOKED_AT = 500


class Choice(BaseModel):
    """The name of a rule set: `subscription`, `shop` or `app`; or `own`, which is one of them with parts replaced."""

    rules: str = Field(examples=["subscription"])
    base: str = Field(default=DEFAULT.name, description="With `own`: which one of them it begins from.")
    change: dict[str, Any] = Field(
        default={},
        description="With `own`: the parts that differ, by the names that GET shows.",
        examples=[{"active_days": 5, "at_risk_floor_days": 10}],
    )
    when: dict[str, Any] = Field(
        default={},
        description="With `own`: conditions, as docs/rules.md says, in place of the numbers of a customer's stage: of "
        f"{', '.join(CONDITIONAL)}. They may not ask for the stage.",
        examples=[{"active": {"days": "feature_used", "within": "14 days", "at_least": 3}}],
    )


class _Turn(NamedTuple):
    """At which stage a subject stands, and to which it would turn."""

    type: SubjectType
    stage: str | None
    to: str


def serve(app: FastAPI, gate: Gate, database: Database, clock: Clock) -> None:
    """Adds the routes."""

    @app.get("/v1/stages", tags=["stages"])
    async def shown(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """The rule set in force, the one that suits what the workspace sends, and those there are."""
        async with database.transaction([principal.workspace]) as connection:
            force = await in_force.read(connection, principal.workspace)
            seen = await portraits.kinds_seen(connection, principal.workspace, _LOOKED_AT)
        suited = proposed(seen).name if seen else None
        return answer(
            {"rules": force.rules.name, "proposed": suited, "in_force": force.rules, "sets": list(RULE_SETS.values())}
        )

    @app.put("/v1/stages", tags=["stages"])
    async def chosen(
        choice: Choice, principal: Principal = Depends(gate.needs("write")), dry_run: bool = False
    ) -> Response:
        """Chooses a rule set; every subject is told by it within seconds. `dry_run` only says how many would change.

        400 `invalid_rules` names everything wrong in `errors`.
        """
        async with database.transaction([principal.workspace]) as connection:
            if not dry_run:
                await in_force.hold(connection, principal.workspace)
            force = await in_force.read(connection, principal.workspace)
            rules, conditions = _chosen(choice, force.vocabulary)
            if not dry_run:
                await in_force.choose(connection, principal.workspace, rules)
        if dry_run:
            wanted = msgspec.structs.replace(force, rules=rules, stages=conditions)
            return answer(await _foretold(database, clock, principal.workspace, wanted))
        return answer({"rules": rules.name})

    @app.get("/v1/stages/counts", tags=["stages"])
    async def counted(principal: Principal = Depends(gate.needs("read"))) -> Response:
        """How many customers and how many accounts stand at each stage."""
        async with database.transaction([principal.workspace]) as connection:
            return answer(await portraits.stage_counts(connection, principal.workspace))


def _chosen(choice: Choice, spoken: Vocabulary) -> tuple[RuleSet, tuple[Definition, ...]]:
    """The rule set, and its conditions compiled."""
    base = RULE_SETS.get(choice.base if choice.rules == OWN else choice.rules)
    if base is None:
        raise Problem(
            400, "unknown_rules", f"The rule sets are {', '.join(RULE_SETS)}, and {OWN}, based on one of them."
        )
    if choice.rules != OWN:
        return base, ()
    conditions, flaws = _conditions(choice.when, spoken)
    try:
        made = own(base, choice.change, spoken.kinds())
    except InvalidRules as error:
        flaws = [{"at": f"/change/{name}", "message": why} for name, why in error.flaws] + flaws
    if flaws:
        raise Problem(400, "invalid_rules", f"{flaws[0]['at']}: {flaws[0]['message']}", errors=flaws)
    when = {each.name: msgspec.Raw(in_force.text_of(each.when)) for each in conditions}
    return msgspec.structs.replace(made, when=when), conditions


def _conditions(given: Mapping[str, Any], spoken: Vocabulary) -> tuple[tuple[Definition, ...], list[dict[str, str]]]:
    """The conditions of stages, and everything wrong with them."""
    found, flaws = [], []
    for stage, when in sorted(given.items()):
        if stage not in CONDITIONAL:
            said = f"Of the stages {', '.join(CONDITIONAL)} may have a condition."
            flaws.append({"at": f"/when/{stage}", "code": "unknown_stage", "message": said})
            continue
        try:
            found.append(Definition("stage", stage, parse(when, stage_terms(spoken.kinds()))))
        except Invalid as error:
            flaws += [{**flaw._asdict(), "at": f"/when/{stage}{flaw.at}"} for flaw in error.flaws]
    return tuple(found), flaws


async def _foretold(database: Database, clock: Clock, workspace: WorkspaceId, wanted: InForce) -> dict[str, Any]:
    """How many would stand at each stage, and how many elsewhere than now.

    Where stages have conditions customers are told from stored touchpoints, of many a part of them.
    """
    counts: dict[str, Counter[str]] = {"customers": Counter(), "accounts": Counter()}
    changed, sample = 0, Sample()
    async for turn in _turns(database, clock, workspace, wanted, sample):
        counts[f"{turn.type}s"][turn.to] += 1
        changed += turn.stage != turn.to
    answered = {"rules": wanted.rules.name, "dry_run": True, "changed": changed, "counts": counts}
    return answered | (sample.told() if wanted.stages else {})


async def _turns(
    database: Database, clock: Clock, workspace: WorkspaceId, wanted: InForce, sample: Sample
) -> AsyncIterator[_Turn]:
    async for turn in _by_state(database, clock, workspace, wanted.rules):
        if turn.type == "account" or not wanted.stages:
            yield turn
    if wanted.stages:
        async for turn in _by_touchpoints(database, clock, workspace, wanted, sample):
            yield turn


async def _by_state(database: Database, clock: Clock, workspace: WorkspaceId, rules: RuleSet) -> AsyncIterator[_Turn]:
    """Every subject by the numbers of a rule set."""
    after: UUID | None = None
    while True:
        async with database.transaction([workspace]) as connection:
            found = await portraits.states(connection, workspace, _PIECE, after)
        for id_, type_, stage, state, _ in found:
            last = state.last[0] if state.last is not None else 0
            past = stages.history(stages.timeline(state, rules), max(clock.now(), instant(last)))
            yield _Turn(type_, stage, past[-1].name)
            after = id_
        if len(found) < _PIECE:
            return
        await asyncio.sleep(0)


async def _by_touchpoints(
    database: Database, clock: Clock, workspace: WorkspaceId, wanted: InForce, sample: Sample
) -> AsyncIterator[_Turn]:
    """Customers by a rule set with conditions."""
    async for piece in sampled(database, workspace, wanted.vocabulary, sample):
        async with database.transaction([workspace]) as connection:
            standing = await portraits.stages(connection, workspace, [each.id for each in piece])
        for each in piece:
            told = [reading for reading in each.readings if reading.account is None]
            name = stage_of(told, wanted, clock.now()) if each.type == "customer" else None
            if name is not None:
                yield _Turn(each.type, standing.get(each.id), name)
