"""Of somebody erased notify keeps a version: no alert, delivery, decision, message or address, and none comes after."""

import pytest

from jornada.bus.carrier import Record
from jornada.clock import SystemClock
from jornada.events import ERASURES, ErasedSubject, ErasureAsked, encode, new_id, topic_key
from services.notify.store import decisions, erased
from tests.holding import holding
from tests.notify.conftest import Notify, until
from tests.notify.factories import crossing, into_red, records, snapshot, subject_of

NOW = SystemClock().now
WORDS = ("erika-7", "Erika-7")


def asked(notify: Notify, name: str, version: int = 99) -> Record:
    event = ErasureAsked(
        workspace=notify.workspace,
        erasure=new_id(),
        subjects=[ErasedSubject(subject_of(name), version)],
        names=[],
        erased_at=NOW(),
    )
    return Record(ERASURES.name, topic_key(notify.workspace, event.erasure), encode(event))


async def written_to(notify: Notify, *names: str) -> None:
    """Alerts, deliveries, decisions and messages of these customers, and an address that bounced."""
    await notify.started()
    hook = {"name": "hook", "when": {}, "to": {"type": "webhook", "url": "http://127.0.0.1:9/"}}
    await notify.act("POST", "/v1/alert-subscriptions", hook)
    await notify.bus.publish(into_red(names, workspace=notify.workspace, recorded_at=NOW()))

    async def written() -> bool:
        return await notify.count("messages") == len(names)

    await until(written, 20)
    async with notify.database.transaction([notify.workspace]) as connection:
        for name in names:
            address = f"{name}@example.com"
            await decisions.suppress_address(connection, notify.workspace, "email", address, "bounced", NOW())
    await notify.caught_up()


async def test_all_of_it_goes_and_whatever_comes_late_stays_away(notify: Notify, own_database: str) -> None:
    await written_to(notify, "erika-7", "bia")
    found = await holding(own_database, WORDS, ["notify"], notify.workspace)
    tables = {table.partition(".")[2] for table, _ in found}
    assert tables >= {"journeys", "identifiers", "alerts", "deliveries", "messages", "suppressions"}
    await notify.bus.publish([asked(notify, "erika-7")])
    await notify.caught_up()
    late = crossing("erika-7", workspace=notify.workspace, ordinal=2, recorded_at=NOW())
    await notify.bus.publish(records(snapshot("erika-7", workspace=notify.workspace, version=50), late))
    await notify.bus.publish(into_red(["erika-7"], workspace=notify.workspace, recorded_at=NOW()))
    await notify.caught_up()
    assert await holding(own_database, WORDS, ["notify"], notify.workspace) == set()
    for table in ("alerts", "deliveries", "decisions", "messages", "suppressions"):
        assert await notify.count(table) == 1, f"bia's stays in {table}"
    for ref in ("user_id:erika-7", str(subject_of("erika-7"))):
        assert (await notify.http.get(f"/v1/customers/{ref}/decisions")).status_code == 404


@pytest.mark.parametrize("left", range(len(erased._DELETED)))
async def test_control_what_is_left_out_is_seen(notify: Notify, left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await written_to(notify, "erika-7")
    statements = [each for number, each in enumerate(erased._DELETED) if number != left]
    monkeypatch.setattr(erased, "_DELETED", statements)
    await notify.bus.publish([asked(notify, "erika-7")])
    await notify.caught_up()
    remain = {table: await notify.count(table) for table in ("alerts", "deliveries", "decisions", "messages")}
    assert any(remain.values()), remain
