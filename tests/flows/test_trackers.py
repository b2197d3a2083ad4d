"""The whole system: scoring reads in the services' own name what journey counted of each source."""

from datetime import timedelta

from jornada.clock import SystemClock
from services.scoring.sisters import JourneyVolumes
from tests.flows.people import identify, track
from tests.flows.system import System


async def test_scoring_reads_what_journey_counts_and_no_notice_comes_of_it(system: System) -> None:
    await system.send(identify("tessa"), track("tessa", "Feature Used"))
    await system.settled()
    volumes = JourneyVolumes(system.urls["journey"], (system.folder / "internal.token").read_bytes())
    sent = await volumes.since(system.workspace, SystemClock().now() - timedelta(days=34))
    await volumes.stop()
    (used,) = [each for each in sent if each.kind == "feature_used"]
    assert (used.customers, "use" in used.measures) == (1, True)
    assert (await system.ask("scoring", "/v1/notices"))["items"] == []
