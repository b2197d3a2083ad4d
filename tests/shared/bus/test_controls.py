"""The laws must go red where the mechanism behind them is broken on purpose."""

import pytest

from jornada.bus import kafka_producer
from jornada.bus.backlog import Call, Calls
from tests.shared.bus.carriers import TOPIC, Carrier, after, fresh, record, starting_at
from tests.shared.bus.test_contract import (
    test_a_carrier_that_is_down_is_told_within_the_deadline_and_works_again_after as down_is_told,
)


async def _handled(carrier: Carrier, *, commit_first: bool) -> int:
    """How many of 30 records a worker handles that dies once in the middle of its second batch."""
    run = fresh()
    ends = await carrier.bus.ends([TOPIC])
    await carrier.bus.publish([record(f"{run}-{n}") for n in range(30)])
    handled: set[bytes] = set()
    for life in range(2):
        consumer = carrier.bus.consumer(run, [TOPIC], starting_at(ends))
        await consumer.start()
        for turn in range(60):
            batch = await consumer.poll(10, 0.3)
            if commit_first:
                await consumer.commit(after(list(batch)))
            if life == 0 and turn and batch and handled:
                break
            handled |= {r.key for r in batch}
            await consumer.commit(after(list(batch)))
            if len(handled) == 30 or (life == 1 and turn > 8 and not batch):
                break
        await consumer.stop()
    return len(handled)


async def test_a_worker_that_commits_after_its_work_loses_nothing(carrier: Carrier) -> None:
    assert await _handled(carrier, commit_first=False) == 30


async def test_control_a_worker_that_commits_before_its_work_loses_records(carrier: Carrier) -> None:
    assert await _handled(carrier, commit_first=True) < 30


async def test_control_publishing_before_the_ack_breaks_the_law(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(self: Calls, call: Call) -> None:
        return None

    monkeypatch.setattr(Calls, "settled", at_once)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        await down_is_told(carrier)


@pytest.mark.parametrize("carrier", ["kafka"], indirect=True)
async def test_control_no_acks_break_the_law(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_producer, "ACKS", 0)
    await carrier.stop()
    await carrier.start()
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        await down_is_told(carrier)
    monkeypatch.undo()
    await carrier.stop()
    await carrier.start()
