"""A gate that was given nothing to share lets no service in, whatever it shows."""

from typing import cast

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.responses import PlainTextResponse, Response

from jornada.access.grants import Principal
from jornada.access.keyring import Keyring
from jornada.events import WorkspaceId, new_id
from jornada.web import Gate
from jornada.web.auth import sister_headers
from jornada.web.problems import install

SHARED = b"s" * 40


class Nobody:
    """A keyring that knows no token."""

    async def principal(self, _token: str) -> Principal | None:
        return None


async def status(shared: bytes | None, shown: bytes) -> int:
    """What a service that shows this is answered."""
    app = FastAPI()
    install(app)
    gate = Gate(cast(Keyring, Nobody()), shared)

    @app.get("/")
    async def read(principal: Principal = Depends(gate.needs("read", sisters=True))) -> Response:
        return PlainTextResponse(str(principal.workspace))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sister") as client:
        return (await client.get("/", headers=sister_headers(shown, WorkspaceId(new_id())))).status_code


@pytest.mark.parametrize("shown", [b"", b"None", SHARED])
async def test_without_anything_shared_nobody_is_let_in(shown: bytes) -> None:
    assert await status(None, shown) == 401


async def test_only_who_shows_what_is_shared_is_let_in() -> None:
    assert [await status(SHARED, shown) for shown in (SHARED, SHARED[:-1], b"")] == [200, 401, 401]
