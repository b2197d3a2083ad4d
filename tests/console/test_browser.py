"""The pages in a real browser, at a desk's and at a telephone's width."""

import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright

from jornada.clock import SetClock
from jornada.runtime.running import serving
from services.console.app import wired
from services.console.settings import Settings
from tests.console.fakes import NOW, FakeSisters

CHROMIUM = shutil.which("chromium")
SIZES = [(1280, 900), (390, 844)]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM, THE PAGES WERE NOT SEEN IN A BROWSER")


@pytest.fixture
async def address(fakes: FakeSisters, folder: Path) -> AsyncIterator[str]:
    """A console that listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    settings = Settings(mode="local", data_dir=folder, console_port=port)
    service = wired(settings, SetClock(NOW), fakes.client(), "http://127.0.0.1:8001")
    async with serving([service], host="127.0.0.1"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        await chromium.close()


async def entered(context: BrowserContext, address: str, folder: Path, wrong: list[str]) -> Page:
    """A page that came in by the login link; what its scripts and its policy complain about goes to `wrong`."""
    page = await context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    await page.goto(f"{address}/start?code={(folder / 'console-login').read_text()}")
    await page.wait_for_url("**/start")
    return page


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_no_page_is_wider_than_the_window_and_no_script_or_style_is_refused(
    browser: Browser, address: str, folder: Path, width: int, height: int
) -> None:
    wrong: list[str] = []
    context = await browser.new_context(viewport={"width": width, "height": height})
    page = await entered(context, address, folder, wrong)
    for path in (
        "/",
        "/?band=all",
        "/?type=account",
        "/customers/user_id%3Abia",
        "/accounts/account%3Aaurora",
        "/start",
        "/search?q=b",
    ):
        await page.goto(address + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert wrong == []
    await context.close()


async def test_the_board_shows_a_new_alert_without_a_hand(
    browser: Browser, address: str, folder: Path, fakes: FakeSisters
) -> None:
    context = await browser.new_context()
    page = await entered(context, address, folder, [])
    await page.goto(address + "/")
    assert "2 people are about to leave" in await page.inner_text("h1")
    fakes.put("scoring", "/v1/scores/distribution", {"bands": {"red": 3, "yellow": 0, "green": 1, "unknown": 1}})
    fakes.put("notify", "/v1/alerts/stream", b"retry: 200\nevent: alert\nid: 9\ndata: {}\n\n")
    await page.reload()
    fakes.put("scoring", "/v1/scores/distribution", {"bands": {"red": 4, "yellow": 0, "green": 0, "unknown": 1}})
    await page.wait_for_selector("h1:has-text('4 people')", timeout=10_000)
    await context.close()


async def test_verdicts_appear_as_text_and_lead_to_the_customer(
    browser: Browser, address: str, folder: Path, fakes: FakeSisters
) -> None:
    first = '{"status": "accepted", "source": "app", "event": "<img src=x>", "user_id": "bia"}'
    second = '{"status": "rejected", "source": "app", "code": "id_illegal", "message": "no id"}'
    ours = '{"status": "accepted", "source": "story", "event": "Told", "user_id": "x"}'
    stream = "".join(f"event: verdict\ndata: {each}\n\n" for each in (first, second, ours))
    fakes.put("ingest", "/v1/live", stream.encode())
    context = await browser.new_context()
    page = await entered(context, address, folder, [])
    await page.wait_for_selector("#verdicts li:nth-child(2)")
    assert "<img src=x>" in await page.inner_text("#verdicts")
    assert "id_illegal: no id" in await page.inner_text("#verdicts")
    assert "Told" not in await page.inner_text("#verdicts")
    await page.click("#verdicts a")
    await page.wait_for_url("**/customers/user_id%3Abia")
    assert await page.inner_text("h1") == "Beatriz Lima"
    await context.close()


async def test_a_link_on_another_site_leads_in_without_a_second_login(
    browser: Browser, address: str, folder: Path
) -> None:
    context = await browser.new_context()
    page = await entered(context, address, folder, [])
    target = f"{address}/customers/user_id%3Abia"
    await context.route(
        "http://elsewhere.test/",
        lambda route: route.fulfill(body=f'<a href="{target}">look</a>', content_type="text/html"),
    )
    await page.goto("http://elsewhere.test/")
    await page.click("a")
    await page.wait_for_url("**/customers/user_id%3Abia")
    await page.wait_for_selector("h1:has-text('Beatriz Lima')")
    await context.close()


async def test_scripts_of_data_do_not_run(browser: Browser, address: str, folder: Path, fakes: FakeSisters) -> None:
    hostile = {"items": [{"event": "<script>document.title='owned'</script>", "properties": {}}], "next": None}
    for _, path in list(fakes.documents):
        if path.endswith("/touchpoints"):
            fakes.put("journey", path, hostile)
    context = await browser.new_context()
    page = await entered(context, address, folder, [])
    await page.goto(f"{address}/customers/user_id%3Abia")
    assert "owned" not in await page.title()
    with pytest.raises(Error):
        await page.add_script_tag(content="document.title = 'owned'")
    await context.close()
