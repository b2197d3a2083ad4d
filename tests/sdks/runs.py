"""One run: an SDK sends calls through the faults of a plan, and what is stored is held against what it says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from jornada.events import new_id
from tests.live.processes import Running
from tests.sdks.calls import Order, calls
from tests.sdks.checker import Finding, Stream, held
from tests.sdks.proxy import FaultProxy, Plan
from tests.sdks.sdk import Sdk

EVENTS = int(os.environ.get("JORNADA_SDK_EVENTS", "140"))


@dataclass(frozen=True)
class Outcome:
    """What was found, and what the proxy did and saw meanwhile."""

    finding: Finding
    requests: int
    struck: int
    verdicts: dict[str, int]

    def __str__(self) -> str:
        found = self.finding
        counts = (
            f"{found.sent} sent, {found.acked} acked, {found.dropped} dropped and {found.pending} pending by the SDK, "
            f"{found.stored} stored, {found.copies} copies in the log, "
            f"lost {found.lost}, doubled {found.doubled}, wrong {len(found.wrong)}"
        )
        return f"{counts}; {self.requests} requests, {self.struck} struck; verdicts {self.verdicts}"


async def deliver(
    ingest: Running,
    sdk: Sdk,
    plan: Plan,
    *,
    events: int = EVENTS,
    restless: bool = False,
    settings: Mapping[str, object] | None = None,
) -> Outcome:
    """Runs an SDK, with `settings` beside its own."""
    run = new_id().hex
    made = calls(run, events)
    proxy = FaultProxy(ingest.urls["ingest"], replace(plan, hold=sdk.hold))
    async with Stream(ingest.brokers) as stream:
        async with proxy.serving() as host:
            order = Order(
                host=host,
                write_key=ingest.write_key,
                calls=made,
                settings={**sdk.settings, **(settings or {})},
                restless=restless,
            )
            reports = await sdk.run(order, proxy)
        finding = held(run, made, reports, await stream.touchpoints())
    return Outcome(finding, proxy.requests, proxy.struck, dict(proxy.verdicts))
