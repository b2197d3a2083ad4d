"""The keyring: few questions, quick revocation, and no closed door while Postgres is away."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from jornada.access import Keyring, Principal, WriteGrant
from jornada.access.keyring import FRESH, STALE, UNKNOWN
from jornada.access.secrets import digest
from jornada.db import Unavailable
from jornada.events.ids import WorkspaceId, new_id

_GRANT = WriteGrant(WorkspaceId(new_id()), "app", "product", new_id())


@dataclass
class Lookups:
    """An access store in memory that can go away or hang."""

    grants: dict[bytes, WriteGrant] = field(default_factory=lambda: {digest("wk_good"): _GRANT})
    away: bool = False
    asked: int = 0
    pause: float = 0.0

    async def write_grant(self, sha256: bytes) -> WriteGrant | None:
        self.asked += 1
        await asyncio.sleep(self.pause)
        if self.away:
            raise Unavailable("gone")
        return self.grants.get(sha256)

    async def principal(self, sha256: bytes) -> Principal | None:
        self.asked += 1
        if self.away:
            raise Unavailable("gone")
        return None


@dataclass
class Seconds:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lookups() -> Lookups:
    return Lookups()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def keyring(lookups: Lookups, seconds: Seconds) -> Keyring:
    return Keyring(lookups, seconds)


async def test_a_known_key_is_asked_about_once_while_fresh(
    keyring: Keyring, lookups: Lookups, seconds: Seconds
) -> None:
    for _ in range(3):
        assert await keyring.write_grant("wk_good") == _GRANT
        seconds.now += FRESH / 4
    assert lookups.asked == 1


async def test_a_revoked_key_is_refused_when_it_is_no_longer_fresh(
    keyring: Keyring, lookups: Lookups, seconds: Seconds
) -> None:
    await keyring.write_grant("wk_good")
    lookups.grants.clear()
    seconds.now += FRESH
    assert await keyring.write_grant("wk_good") is None
    lookups.away = True
    seconds.now += UNKNOWN
    with pytest.raises(Unavailable):
        await keyring.write_grant("wk_good")


async def test_an_unknown_key_is_remembered_shortly(keyring: Keyring, lookups: Lookups, seconds: Seconds) -> None:
    assert await keyring.write_grant("wk_new") is None
    assert await keyring.write_grant("wk_new") is None
    assert lookups.asked == 1
    lookups.grants[digest("wk_new")] = _GRANT
    seconds.now += UNKNOWN
    assert await keyring.write_grant("wk_new") == _GRANT


async def test_a_known_key_passes_while_postgres_is_away_for_up_to_an_hour(
    keyring: Keyring, lookups: Lookups, seconds: Seconds
) -> None:
    await keyring.write_grant("wk_good")
    lookups.away = True
    seconds.now += STALE - 1
    assert await keyring.write_grant("wk_good") == _GRANT
    seconds.now += 1
    with pytest.raises(Unavailable):
        await keyring.write_grant("wk_good")


async def test_a_known_key_waits_once_for_a_postgres_that_hangs_and_then_no_more(
    keyring: Keyring, lookups: Lookups, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jornada.access.keyring._ANSWER", 0.1)
    await keyring.write_grant("wk_good")
    lookups.pause = 60
    waited: list[float] = []
    for _ in range(5):
        seconds.now += FRESH if not waited else 3
        began = time.monotonic()
        assert await keyring.write_grant("wk_good") == _GRANT
        waited.append(time.monotonic() - began)
        await asyncio.sleep(0.15)
    assert waited[0] >= 0.1
    assert max(waited[1:]) < 0.1
    assert lookups.asked == 6
    lookups.pause = 0
    lookups.grants.clear()
    seconds.now += 3
    await keyring.write_grant("wk_good")
    await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert await keyring.write_grant("wk_good") is None


async def test_a_key_revoked_after_an_outage_does_not_pass_once_more(
    keyring: Keyring, lookups: Lookups, seconds: Seconds
) -> None:
    await keyring.write_grant("wk_good")
    lookups.away = True
    seconds.now += FRESH
    assert await keyring.write_grant("wk_good") == _GRANT
    lookups.away = False
    lookups.grants.clear()
    seconds.now += FRESH
    assert await keyring.write_grant("wk_good") is None


async def test_an_unknown_key_while_postgres_is_away_is_unavailable_not_refused(
    keyring: Keyring, lookups: Lookups
) -> None:
    lookups.away = True
    with pytest.raises(Unavailable):
        await keyring.write_grant("wk_other")
    with pytest.raises(Unavailable):
        await keyring.principal("jt_other")


async def test_an_absent_postgres_is_asked_once_a_second(keyring: Keyring, lookups: Lookups, seconds: Seconds) -> None:
    lookups.away = True
    for number in range(20):
        with pytest.raises(Unavailable):
            await keyring.write_grant(f"wk_{number}")
    assert lookups.asked == 1
    lookups.away = False
    seconds.now += 1.0
    assert await keyring.write_grant("wk_good") == _GRANT


async def test_callers_of_one_key_share_one_question_and_one_may_leave(keyring: Keyring, lookups: Lookups) -> None:
    lookups.pause = 0.05
    callers = [asyncio.create_task(keyring.write_grant("wk_good")) for _ in range(10)]
    await asyncio.sleep(0)
    callers[0].cancel()
    answers = await asyncio.gather(*callers[1:])
    assert set(answers) == {_GRANT}
    assert lookups.asked == 1


async def test_a_flood_of_unknown_keys_asks_two_at_a_time(keyring: Keyring, lookups: Lookups) -> None:
    lookups.pause = 0.01
    flood = [asyncio.create_task(keyring.write_grant(f"wk_{number}")) for number in range(50)]
    await asyncio.sleep(0.001)
    assert lookups.asked == 2
    assert set(await asyncio.gather(*flood)) == {None}
