"""Folding a file says what the live system says of the same events, at any instant."""

import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jornada.db import Database
from jornada.events import JourneySnapshot, SubjectId, Touchpoint, decode, encode, new_id
from services.journey.domain import identity
from services.journey.domain.identity import MOST_TIED
from services.journey.domain.reading import read
from services.journey.domain.rules import SUBSCRIPTION
from services.journey.domain.whole import snapshots, subjects
from services.journey.store import portraits
from tests.conftest import DatabaseFactory
from tests.journey.makes import SOMEWHERE, Folding, at, touchpoint
from tests.journey.test_order import LATE_ALIAS, LIFE, SHARED_EMAIL, STORIES, shuffled, stories

_NOBODY = SubjectId(new_id())


@pytest.fixture(scope="module")
async def database(database_for: DatabaseFactory) -> Database:
    return await database_for("journey")


def plain(told: Sequence[JourneySnapshot]) -> list[bytes]:
    """Snapshots without what is drawn; of whose account, by its name."""
    names = {each.subject_id: each.identifiers[0].value for each in told if each.subject_type == "account"}
    return sorted(
        encode(
            [
                names.get(each.account_id or _NOBODY, each.account_id is not None),
                msgspec.structs.replace(each, workspace=SOMEWHERE, subject_id=_NOBODY, version=0, account_id=None),
            ]
        )
        for each in told
    )


def offline(story: Sequence[Touchpoint], until: datetime) -> list[bytes]:
    told = subjects(SOMEWHERE, [read(each) for each in story])
    return plain(list(snapshots(SOMEWHERE, told, SUBSCRIPTION, until)))


async def live(folding: Folding, until: datetime) -> list[bytes]:
    """Every subject's own document as of an instant."""
    told = []
    async with folding.database.transaction([folding.workspace]) as connection:
        for id_, type_ in await portraits.subjects_after(connection, folding.workspace, 1_000, None):
            tell = portraits.account if type_ == "account" else portraits.customer
            told.append(await tell(connection, folding.workspace, id_, until, past=True))
    return plain([each for each in told if each is not None])


async def folded(database: Database, story: Sequence[Touchpoint], seed: int) -> Folding:
    folding = Folding(database)
    for batch in shuffled(story, seed):
        await folding.fold(*batch)
    while await folding.refolder.work():
        pass
    return folding


@pytest.mark.parametrize("name", STORIES)
async def test_a_file_says_what_every_document_says(database: Database, name: str) -> None:
    folding = await folded(database, STORIES[name], 2)
    instants = sorted({each.occurred_at for each in STORIES[name]})[::2]
    for until in [*instants, at(200), at(365)]:
        assert offline(STORIES[name], until) == await live(folding, until), until
    assert offline(STORIES[name], at(365))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    story=stories(),
    seed=st.integers(0, 1_000),
    most_tied=st.sampled_from([MOST_TIED, dict.fromkeys(MOST_TIED, 1), dict.fromkeys(MOST_TIED, 2)]),
)
async def test_a_file_of_any_small_story_says_what_every_document_says(
    database: Database, story: list[Touchpoint], seed: int, most_tied: Mapping[tuple[str, str], int]
) -> None:
    with patch.dict(identity.MOST_TIED, most_tied):
        folding = await folded(database, story, seed)
        for until in (at(0.03), at(0.06), at(30)):
            assert offline(story, until) == await live(folding, until)


def fold(*arguments: str, given: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "services.journey", "fold", *arguments]
    return subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)


def test_the_same_events_in_any_order_of_lines_give_the_same_bytes(tmp_path: Path) -> None:
    events = list({each.message_id: each for each in (*LATE_ALIAS, *SHARED_EMAIL, *LIFE)}.values())
    lines = [encode(each) for each in events]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(lines) + b"\n")
    instants = [at(3).isoformat(), "2026-06-01T00:00:00Z"]
    told = fold("--events", str(file), "--at", *instants)
    assert told.returncode == 0, told.stderr
    out: list[JourneySnapshot] = [decode(line, JourneySnapshot) for line in told.stdout.splitlines()]
    assert [each.as_of.isoformat() for each in out] == sorted(each.as_of.isoformat() for each in out)
    assert len({each.subject_id for each in out}) < len(out)
    wanted = offline(events, at(3))
    assert plain([each for each in out if each.as_of == at(3)]) == wanted
    random.Random(1).shuffle(lines)
    again = fold("--events", "-", "--at", instants[0], "--at", instants[1], given=b"\n".join([*lines, *lines[:9]]))
    assert again.stdout == told.stdout


def test_of_two_payloads_of_one_id_the_first_received_holds() -> None:
    first = touchpoint("m1", 1, user_id="ana", received_at=at(2))
    second = touchpoint("m1", 1, user_id="bia", received_at=at(3))
    for lines in ([first, second], [second, first]):
        told = fold("--events", "-", "--at", at(9).isoformat(), given=b"\n".join(encode(each) for each in lines))
        (line,) = told.stdout.splitlines()
        only: JourneySnapshot = decode(line, JourneySnapshot)
        assert [each.value for each in only.identifiers] == ["ana"]


def test_what_cannot_be_folded_is_said_in_a_line(tmp_path: Path) -> None:
    one, other = touchpoint("m1", 1, user_id="ana"), touchpoint("m2", 1, user_id="ana", workspace=new_id())
    for given_, said in (
        (b'{"type": "track"}', b"line 1: "),
        (encode(one) + b"\nno json", b"line 2: "),
        (encode(one) + b"\n" + encode(other), b"of 2 workspaces"),
    ):
        told = fold("--events", "-", "--at", at(9).isoformat(), given=given_)
        assert (told.returncode, told.stdout) == (1, b"")
        assert said in told.stderr and len(told.stderr.splitlines()) == 1
    assert fold("--events", str(tmp_path / "none"), "--at", at(9).isoformat()).returncode == 1
    assert b"needs a zone" in fold("--events", "-", "--at", "2026-01-01", given=b"").stderr
