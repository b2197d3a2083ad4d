"""The snippets that the console shows work as they stand, key and host filled in."""

import asyncio
import sys
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader

from jornada.events import Touchpoint
from tests.live.processes import Running
from tests.sdks.checker import Stream
from tests.sdks.sdk import NODE, Place

_SNIPPETS = Environment(
    loader=FileSystemLoader(Path(__file__).parents[2] / "services" / "console" / "templates" / "snippets")
)


def snippet(ingest: Running, name: str) -> str:
    """A snippet as the console shows it."""
    return _SNIPPETS.get_template(f"{name}.txt").render(key=ingest.write_key, ingest=ingest.urls["ingest"])


async def ran(*command: str) -> None:
    """A program that ends well."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=NODE, stdout=pipe, stderr=pipe)
    _, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()


def assert_ana_exported(found: list[Touchpoint]) -> None:
    """The snippets tell who somebody is, and what they did."""
    identify, track = sorted(found, key=lambda each: each.type)
    assert (identify.type, track.type, track.event) == ("identify", "track", "Report Exported")
    assert identify.user_id == track.user_id == "42"
    assert msgspec.json.decode(identify.body)["traits"] == {"email": "ana@example.com", "name": "Ana Souza"}
    assert msgspec.json.decode(track.body)["properties"] == {"format": "pdf"}


async def test_the_snippet_of_curl_sends_one_event(ingest: Running) -> None:
    async with Stream(ingest.brokers) as stream:
        await ran("sh", "-c", snippet(ingest, "curl"))
        [track] = await stream.touchpoints()
    assert (track.user_id, track.event) == ("42", "Report Exported")


async def test_the_snippet_of_python_works(ingest: Running) -> None:
    async with Stream(ingest.brokers) as stream:
        await ran(sys.executable, "-c", snippet(ingest, "python"))
        assert_ana_exported(await stream.touchpoints())


async def test_the_snippet_of_node_works(ingest: Running, node_modules: None) -> None:
    async with Stream(ingest.brokers) as stream:
        await ran("node", "--input-type=module", "--eval", snippet(ingest, "node"))
        assert_ana_exported(await stream.touchpoints())


async def test_the_snippet_of_the_browser_works(ingest: Running, place: Place) -> None:
    """Its import is the only line that a page without a bundler cannot have."""
    imported = "import { AnalyticsBrowser } from '@segment/analytics-next'"
    said = snippet(ingest, "browser")
    assert imported in said
    async with Stream(ingest.brokers) as stream:
        page = await place.browser.new_page()
        await page.goto(place.page_url)
        async with asyncio.timeout(30):
            await page.evaluate(
                f"async () => {{ {said.replace(imported, 'const { AnalyticsBrowser } = window.AnalyticsNext')}"
                "; await analytics.track('Told') }"
            )
        await page.close()
        assert_ana_exported([each for each in await stream.touchpoints() if each.event != "Told"])
