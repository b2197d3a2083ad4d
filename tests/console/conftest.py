"""A console on fake sisters, and a browser-like client for it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from jornada.clock import SetClock
from jornada.runtime import Service
from services.console.app import wired
from services.console.settings import Settings
from tests.console.fakes import NOW, TOKEN, FakeSisters, peopled

ORIGIN = "http://console.test"


@pytest.fixture
def fakes() -> FakeSisters:
    return peopled()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A local data folder with the keys of `default`."""
    keys = {"workspace": "w", "write_key": "wk_local", "api_token": TOKEN}
    (tmp_path / "dev.json").write_text(json.dumps(keys))
    return tmp_path


@pytest.fixture
async def console(fakes: FakeSisters, folder: Path) -> AsyncIterator[Service]:
    """A local console, its resources open."""
    service = wired(Settings(mode="local", data_dir=folder), SetClock(NOW), fakes.client(), "http://127.0.0.1:8001")
    for resource in service.resources:
        await resource.start()
    yield service
    for resource in reversed(service.resources):
        await resource.stop()


@pytest.fixture
async def stranger(console: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is not logged in."""
    headers = {"accept": "text/html", "accept-language": "en"}
    transport = httpx.ASGITransport(console.app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as client:
        yield client


@pytest.fixture
async def viewer(stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    """A browser that is logged in."""
    answer = await stranger.post("/login", data={"token": TOKEN}, headers={"origin": ORIGIN})
    assert answer.status_code == 303
    return stranger
