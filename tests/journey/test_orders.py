"""Three orders and batchings of the same events in three fresh systems: equal documents, and those of the oracle.

`JORNADA_PROOF_EVENTS=20000 JORNADA_PROOF_SEED=… make test TESTS=tests/journey/test_orders.py` runs it at full size.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import msgspec
import pytest

from jornada.bus.carrier import Record
from jornada.bus.embedded import EmbeddedBus
from jornada.clock import SystemClock
from jornada.db import Database
from jornada.events import TOUCHPOINTS, Identifier, Touchpoint, WorkspaceId, encode, new_id, topic_key
from jornada.runtime.running import serving
from services.journey.app import build
from services.journey.domain import state
from services.journey.settings import Settings
from tests.flows.system import fresh_database, ready, take_ports
from tests.journey.lives import Lives, shuffled
from tests.journey.makes import Folding, at
from tests.journey.oracle import expected
from tests.journey.plain import in_plain_words

EVENTS = int(os.environ.get("JORNADA_PROOF_EVENTS", "2500"))
SEED = int(os.environ.get("JORNADA_PROOF_SEED", "1"))
AS_OF = at(365)
_PIECE = 5_000


async def journeys_of(
    postgres_url: str, folder: Path, told: Sequence[Touchpoint], batch: int, named: Iterable[str]
) -> dict[str, Any]:
    """What a fresh system tells of every identifier once its worker has folded all, so many records at a time."""
    workspace = WorkspaceId(new_id())
    async with fresh_database(postgres_url) as url:
        bus = EmbeddedBus(Database(url, "bus"))
        journey = Database(url, "journey")
        settings = Settings(mode="local", data_dir=folder, journey_batch=batch)
        service = build(settings, bus, journey, SystemClock())
        async with serving([service], host="127.0.0.1", shared=[bus]), httpx.AsyncClient(trust_env=False) as http:
            place = f"http://127.0.0.1:{os.environ['JORNADA_JOURNEY_PORT']}"
            await ready({"journey": place}, http)
            for begin in range(0, len(told), _PIECE):
                await bus.publish([_record(workspace, each) for each in told[begin : begin + _PIECE]])
            await _settled(http, place)
            reading = Folding(journey, now=AS_OF, workspace=workspace)
            return await reading.documents([Identifier(*name.split(":", 1)) for name in sorted(named)])


def _record(workspace: WorkspaceId, told: Touchpoint) -> Record:
    whole = msgspec.structs.replace(told, workspace=workspace)
    return Record(
        TOUCHPOINTS.name, topic_key(workspace, told.user_id or told.anonymous_id or told.group_id), encode(whole)
    )


async def _settled(http: httpx.AsyncClient, place: str) -> None:
    quiet = 0
    async with asyncio.timeout(60 + EVENTS // 50):
        while quiet < 2:
            lag = await http.get(f"{place}/v1/lag")
            quiet = quiet + 1 if lag.status_code == 200 and lag.json()["caught_up"] else 0
            await asyncio.sleep(0.1)


def hashes(documents: Mapping[str, Any]) -> dict[str, str]:
    """Of each identifier the hash of all that must be equal."""
    return {
        name: sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()
        for name, document in documents.items()
    }


def differing(some: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """The identifiers of which both do not tell the same."""
    return sorted(name for name in some.keys() | others.keys() if some.get(name) != others.get(name))


@pytest.fixture(autouse=True)
def _ports(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, str] = {}
    take_ports(drawn)
    for name, port in drawn.items():
        monkeypatch.setenv(name, port)


@pytest.mark.timeout(120 + EVENTS // 20)
async def test_three_orders_and_batchings_give_the_same_documents_and_those_of_the_oracle(
    postgres_url: str, tmp_path: Path
) -> None:
    story = Lives(SEED).draw(EVENTS)
    wanted = expected(story, AS_OF)
    in_order = await journeys_of(postgres_url, tmp_path, story, 2_000, wanted)
    assert differing(in_plain_words(in_order), wanted) == []
    for seed, batch in ((SEED, 37), (SEED + 1, 500)):
        told = await journeys_of(postgres_url, tmp_path, shuffled(story, seed), batch, wanted)
        assert differing(hashes(told), hashes(in_order)) == [], (seed, batch)
    print(f"\n{len(story)} events in 3 orders, seed {SEED}: {len(wanted)} identifiers, 0 differ")  # noqa: T201


async def test_a_fold_that_keeps_what_came_first_is_caught(postgres_url: str, tmp_path: Path) -> None:
    """The negative control: one part of the state as a fold would have it that is no join."""
    story = Lives(SEED).draw(800)
    wanted = expected(story, AS_OF)
    with patch.object(state, "either", lambda a, b, pick: b if a is None else a):
        told = [
            await journeys_of(postgres_url, tmp_path, shuffled(story, seed), 100, wanted) for seed in (SEED, SEED + 1)
        ]
    assert differing(hashes(told[0]), hashes(told[1])) != []
    assert differing(in_plain_words(told[0]), wanted) != []
