"""Four SDKs, unchanged, send calls of every kind through faults: what they take for delivered is stored once."""

import pytest

from tests.live.processes import Running
from tests.sdks.proxy import Fault, Plan
from tests.sdks.runs import EVENTS, deliver
from tests.sdks.sdk import SDKS, Sdk

FAULTS = [Fault.UNAVAILABLE, Fault.LIMITED, Fault.SILENT, Fault.CUT]
FOUR = ["segment-python", "rudder-python", "analytics-node", "analytics-next"]

pytestmark = pytest.mark.timeout(300 + EVENTS)


@pytest.mark.parametrize("sdk", [each.name for each in SDKS], indirect=True)
async def test_every_call_is_stored_once_as_it_was_made(ingest: Running, sdk: Sdk) -> None:
    outcome = await deliver(ingest, sdk, Plan(Fault.NONE))
    print(f"\n{sdk.name}, no fault: {outcome}")  # noqa: T201
    assert outcome.finding.faithful, "\n".join(outcome.finding.wrong[:20])
    assert outcome.finding.acked == outcome.finding.stored == EVENTS


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("sdk", [*FOUR, "analytics-next batching"], indirect=True)
async def test_whatever_befalls_its_requests_all_is_stored_once(ingest: Running, sdk: Sdk, fault: Fault) -> None:
    outcome = await deliver(ingest, sdk, Plan(fault))
    print(f"\n{sdk.name}, {fault}: {outcome}")  # noqa: T201
    assert outcome.struck > 0
    assert outcome.finding.faithful, "\n".join(outcome.finding.wrong[:20])
    assert outcome.finding.acked == outcome.finding.stored == EVENTS
    assert "payload_differs" not in outcome.verdicts


@pytest.mark.parametrize("sdk", FOUR, indirect=True)
async def test_flushes_on_flushes_double_nothing(ingest: Running, sdk: Sdk) -> None:
    outcome = await deliver(ingest, sdk, Plan(Fault.CUT, share=0.3), restless=True)
    print(f"\n{sdk.name}, flushed again and again, {Fault.CUT}: {outcome}")  # noqa: T201
    assert outcome.finding.faithful, "\n".join(outcome.finding.wrong[:20])
    # A page that is left before it reads an answer keeps what was in the request, to send it again; left ten times with
    # the same event, it gives that up.
    finding = outcome.finding
    assert finding.acked + finding.pending + finding.dropped == finding.stored == EVENTS
    assert finding.dropped <= EVENTS // 500
    assert "payload_differs" not in outcome.verdicts


@pytest.mark.parametrize(
    ("sdk", "settings"),
    [
        ("segment-python", {"max_retries": 1, "upload_size": 10}),
        ("rudder-python", {"max_retries": 1, "upload_size": 10}),
        ("analytics-node", {"maxRetries": 1, "flushAt": 10}),
    ],
    indirect=["sdk"],
)
async def test_what_an_sdk_gives_up_is_counted_and_what_it_delivered_is_stored(
    ingest: Running, sdk: Sdk, settings: dict[str, int]
) -> None:
    outcome = await deliver(ingest, sdk, Plan(Fault.CUT, share=0.5, most=1_000), settings=settings)
    print(f"\n{sdk.name}, one re-send, {Fault.CUT}: {outcome}")  # noqa: T201
    assert outcome.finding.faithful, "\n".join(outcome.finding.wrong[:20])
    finding = outcome.finding
    assert 0 < finding.dropped < EVENTS
    assert finding.acked + finding.dropped + finding.pending == EVENTS
    assert finding.stored >= finding.acked
