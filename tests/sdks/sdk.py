"""The SDKs, each as its users run it: a Python or Node program, or a page in Chromium."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from playwright.async_api import Browser, Page

from tests.sdks.calls import Call, Order, Report
from tests.sdks.proxy import FaultProxy

NODE = Path(__file__).parent / "node"
_AT_A_TIME = 100
_PATIENCE = 60.0


class Sdk(Protocol):
    """One SDK in one way of use."""

    @property
    def name(self) -> str:
        """What a test calls it."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its user sets."""

    @property
    def hold(self) -> float:
        """For how many seconds a request must go unanswered so that it is sent again."""

    async def run(self, order: Order, proxy: FaultProxy) -> list[Report]:
        """Makes the calls, ends as an application ends, and tells what the SDK says of each."""


@dataclass(frozen=True)
class Place:
    """Where an SDK in a page runs: the browser, and the page's address."""

    browser: Browser
    page_url: str


@dataclass(frozen=True)
class Program:
    """An SDK in a program of its own, which takes an order and gives reports."""

    name: str
    command: Sequence[str]
    settings: Mapping[str, Any]
    hold: float = 3.5

    async def run(self, order: Order, proxy: FaultProxy) -> list[Report]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            said, complained = await process.communicate(json.dumps(order).encode())
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, complained.decode()
        reports: list[Report] = json.loads(said)
        return reports


@dataclass(frozen=True)
class Paged:
    """An SDK in a page, which is left at the end; restless users load it again and again."""

    name: str
    settings: Mapping[str, Any]
    hold: float = 0.1
    place: Place | None = None

    async def run(self, order: Order, proxy: FaultProxy) -> list[Report]:
        assert self.place is not None
        context = await self.place.browser.new_context()
        try:
            page = await context.new_page()
            reports = await self._made(page, order, proxy, self.place.page_url)
            await page.goto(self.place.page_url)
            kept = set(await page.evaluate("kept()"))
            return [report | {"outcome": "pending"} if report["id"] in kept else report for report in reports]
        finally:
            await context.close()

    async def _made(self, page: Page, order: Order, proxy: FaultProxy, url: str) -> list[Report]:
        reports: list[Report] = []
        given_up: set[str] = set()
        await self._begin(page, order, url)
        for some in _portions(order["calls"]):
            reports += await page.evaluate("calls => make(calls)", some)
            if order["restless"]:
                given_up.update(await page.evaluate("given_up()"))
                await self._begin(page, order, url)
        given_up |= await self._quiet(page, {report["id"] for report in reports} - given_up, proxy)
        return [report | {"outcome": "dropped"} if report["id"] in given_up else report for report in reports]

    async def _quiet(self, page: Page, ids: set[str], proxy: FaultProxy) -> set[str]:
        """Waits until every id is answered or given up, or until nothing happens any more; what was given up."""
        answered, until = -1, 0.0
        while True:
            given_up = set(await page.evaluate("given_up()"))
            if len(proxy.answered) > answered:
                answered, until = len(proxy.answered), time.monotonic() + _PATIENCE
            if ids <= proxy.answered | given_up or time.monotonic() > until:
                return given_up
            await asyncio.sleep(0.1)

    async def _begin(self, page: Page, order: Order, url: str) -> None:
        await page.goto(url)
        given = [order["write_key"], order["host"], order["settings"]]
        await page.evaluate("([key, host, settings]) => begin(key, host, settings)", given)


def _portions(calls: Sequence[Call]) -> list[Sequence[Call]]:
    return [calls[begin : begin + _AT_A_TIME] for begin in range(0, len(calls), _AT_A_TIME)]


def _python(name: str, module: str, **settings: Any) -> Program:
    own = {"upload_size": 50, "upload_interval": 0.1, "timeout": 2.0}
    return Program(name, (sys.executable, "-m", "tests.sdks.python_driver", module), own | settings)


def _node(name: str, **settings: Any) -> Program:
    own = {"httpRequestTimeout": 3_000, "flushInterval": 200}
    return Program(name, ("node", str(NODE / "drive.mjs")), own | settings)


_BATCHING = {"strategy": "batching", "config": {"size": 20, "timeout": 100}}
SDKS: Sequence[Sdk] = (
    _python("segment-python", "segment"),
    _python("segment-python gzip", "segment", gzip=True),
    _python("segment-python one by one", "segment", sync_mode=True),
    _python("rudder-python", "rudderstack", gzip=True),
    _python("rudder-python plain", "rudderstack", gzip=False),
    _python("rudder-python one by one", "rudderstack", sync_mode=True),
    _node("analytics-node", flushAt=50),
    _node("analytics-node one by one", flushAt=1, httpRequestTimeout=10_000),
    Paged("analytics-next", {}),
    Paged("analytics-next batching", {"deliveryStrategy": _BATCHING}),
)
