"""What a page with the browser's SDK does besides sending its calls."""

from urllib.parse import urlsplit

from playwright.async_api import Route

from jornada.events import new_id
from tests.live.processes import Running
from tests.sdks.calls import calls
from tests.sdks.sdk import Place


async def test_a_page_talks_to_us_and_to_nobody_else(ingest: Running, place: Place) -> None:
    """The SDK measures itself and tells Segment so after half a minute, unless the settings say not to."""
    elsewhere: list[str] = []

    async def watched(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            await route.continue_()
        else:
            elsewhere.append(route.request.url)
            await route.abort()

    context = await place.browser.new_context()
    await context.route("**/*", watched)
    page = await context.new_page()
    await page.clock.install()
    await page.goto(place.page_url)
    await page.evaluate("([key, host]) => begin(key, host, {})", [ingest.write_key, ingest.urls["ingest"]])
    await page.evaluate("calls => make(calls)", calls(new_id().hex, 7))
    await page.clock.run_for(61_000)
    await context.close()
    assert elsewhere == []
