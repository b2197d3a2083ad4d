"""Journey as scoring asks it for the past: snapshots over HTTP, from touchpoints that are folded anew for each."""

from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from jornada.events import JourneySnapshot, Touchpoint, encode
from jornada.web import cursor_of, id_after
from services.journey.domain.reading import read
from services.journey.domain.rules import SUBSCRIPTION, RuleSet
from services.journey.domain.whole import snapshots, subjects
from services.scoring.sisters import Journeys


class Told:
    """The touchpoints of one workspace, and what was asked of them; `away`: journey does not answer."""

    def __init__(self) -> None:
        self.touchpoints: list[Touchpoint] = []
        self.rules: RuleSet = SUBSCRIPTION
        self.away = False
        self.asked: list[httpx.Request] = []

    def journeys(self) -> Journeys:
        """The client of it."""
        return Journeys("http://journey", httpx.MockTransport(self._answer))

    def at(self, *instants: datetime) -> Sequence[JourneySnapshot]:
        """The snapshots of everybody, subject by subject, each at every instant by which anything counts."""
        if not self.touchpoints:
            return []
        workspace = self.touchpoints[0].workspace
        told = subjects(workspace, [read(each) for each in self.touchpoints])
        found = [each for at in instants for each in snapshots(workspace, told, self.rules, at)]
        return sorted(found, key=lambda each: each.subject_id)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.away:
            raise httpx.ConnectError("away")
        asked = request.url.params
        instants = [datetime.fromisoformat(each).astimezone(UTC) for each in asked.get_list("at")]
        found = self.at(*instants)
        if "subject" in asked:
            found = [each for each in found if str(each.subject_id) == asked["subject"]]
        after, limit = id_after(asked.get("cursor")), int(asked.get("limit", "1000"))
        ids = sorted({each.subject_id for each in found if after is None or each.subject_id > after})
        headers = {"Next-Cursor": cursor_of(str(ids[limit - 1]))} if len(ids) > limit else {}
        lines = b"".join(encode(each) + b"\n" for each in found if each.subject_id in ids[:limit])
        return httpx.Response(200, content=lines, headers=headers)
