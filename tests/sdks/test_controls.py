"""The negative controls: what a delivery test must never let pass makes the checker speak."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from jornada.events import MessageId, Touchpoint, WorkspaceId
from tests.live.processes import Running
from tests.sdks.calls import Call, Report, calls
from tests.sdks.checker import held
from tests.sdks.proxy import Fault, Plan
from tests.sdks.runs import deliver
from tests.sdks.sdk import Sdk

AT = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("sdk", ["segment-python", "rudder-python", "analytics-node", "analytics-next"], indirect=True)
async def test_a_200_for_what_was_never_stored_is_told_as_lost(ingest: Running, sdk: Sdk) -> None:
    outcome = await deliver(ingest, sdk, Plan(Fault.SWALLOWED), events=70)
    print(f"\n{sdk.name}, {Fault.SWALLOWED}: {outcome}")  # noqa: T201
    assert outcome.finding.lost > 0
    assert not outcome.finding.faithful


@pytest.mark.parametrize(
    "sdk", ["segment-python", "rudder-python plain", "analytics-node", "analytics-next"], indirect=True
)
async def test_an_event_under_two_ids_is_told_as_doubled(ingest: Running, sdk: Sdk) -> None:
    outcome = await deliver(ingest, sdk, Plan(Fault.RENAMED), events=70)
    print(f"\n{sdk.name}, {Fault.RENAMED}: {outcome}")  # noqa: T201
    assert outcome.finding.doubled > 0
    assert not outcome.finding.faithful


@pytest.mark.parametrize(
    "altered",
    [
        {"user_id": "somebody else"},
        {"anonymous_id": None, "previous_id": "run-d1"},
        {"type": "screen"},
        {"occurred_at": AT + timedelta(milliseconds=1)},
        {"clock_shift_ms": 1},
        {"message_id": "m-2"},
        {"body": {"traits": {"n": 1, "rows": 9_007_199_254_740_992}}},
        {"body": {"traits": {"n": 1}}},
        {"body": {}},
    ],
)
def test_whatever_changed_on_the_way_is_told(altered: dict[str, object]) -> None:
    call = calls("run", 2)[1] | {"timestamp": None}
    report = Report(n=1, id="m-1", timestamp=AT.isoformat(), outcome="delivered")
    body = {"traits": call["fields"]}
    assert held("run", [call], [report], [_stored(call, body=body)]).faithful
    wrong = held("run", [call], [report], [_stored(call, **{"body": body} | altered)]).wrong
    assert wrong


def _stored(call: Call, *, body: object, **fields: object) -> Touchpoint:
    own = {
        "workspace": WorkspaceId(UUID(int=1)),
        "source": "app",
        "role": "product",
        "message_id": MessageId("m-1"),
        "type": call["type"],
        "received_at": AT,
        "occurred_at": AT,
        "payload_hash": "",
        "user_id": call["userId"],
        "anonymous_id": call["anonymousId"],
        "body": msgspec.Raw(msgspec.json.encode(body)),
    }
    return Touchpoint(**own | fields)  # type: ignore[arg-type]
