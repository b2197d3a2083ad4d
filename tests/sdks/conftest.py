"""Ingest as a process on a real Kafka, Node's packages, and a page in a browser, for the SDKs."""

import os
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.async_api import async_playwright

from tests.live.processes import Running, services_on
from tests.sdks.sdk import NODE, SDKS, Paged, Place, Sdk

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="package")
async def ingest(
    postgres_url: str, kafka_brokers: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """One ingest for all; each test knows its own events by their devices."""
    folder = tmp_path_factory.mktemp("sdks")
    async with services_on(postgres_url, kafka_brokers, folder, ["ingest"]) as running:
        yield running


@pytest.fixture(scope="session")
def node_modules() -> None:
    """Node's packages, installed as the lock says where they are not."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        _missing("no node and npm")
    if not (NODE / "node_modules").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        installed = subprocess.run(command, cwd=NODE, capture_output=True, text=True, check=False)
        if installed.returncode != 0:
            _missing(f"npm ci failed: {installed.stderr}")


@pytest.fixture(scope="session")
def page_url(node_modules: None) -> Iterator[str]:
    """Where the application in a page is served from."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(NODE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/page.html"
    server.shutdown()


@pytest.fixture(scope="package")
async def place(page_url: str) -> AsyncIterator[Place]:
    """Chromium, and where the application's page is."""
    if CHROMIUM is None:
        _missing("no chromium")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield Place(chromium, page_url)
        await chromium.close()


@pytest.fixture
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """The SDK that the test names, with what it needs of this machine."""
    [named] = [each for each in SDKS if each.name == request.param]
    if isinstance(named, Paged):
        return replace(named, place=request.getfixturevalue("place"))
    if named.name.startswith("analytics-node"):
        request.getfixturevalue("node_modules")
    return named


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def _missing(why: str) -> None:
    if os.environ.get("JORNADA_CI") == "1":
        pytest.fail(f"not every SDK can be run: {why}")
    pytest.skip(f"NOT EVERY SDK WAS RUN: {why}")
