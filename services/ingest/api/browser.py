"""What browser SDKs load before they send: settings, in the forms of Segment and of RudderStack."""

import re

from fastapi import FastAPI, Request
from starlette.responses import Response

from jornada.access.grants import WriteGrant
from jornada.access.keyring import Keyring
from jornada.web import Fields, Problem
from jornada.web.app import answer
from services.ingest.api.credentials import header_key, plausible

_HOST = re.compile(r"[A-Za-z0-9.\-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")


def serve_settings(app: FastAPI, keyring: Keyring) -> None:
    """Adds the routes."""

    @app.get("/v1/projects/{write_key}/settings", tags=["events"])
    @app.get("/v1/projects/{write_key}/settings/", include_in_schema=False)
    async def settings(write_key: str, request: Request) -> Response:
        """What Segment's browser SDK loads: the only integration is this host."""
        if await _granted(keyring, write_key) is None:
            raise Problem(404, "not_found", "No such write key.")
        own: dict[str, object] = {"apiKey": write_key, "unbundledIntegrations": [], "addBundledMetadata": True}
        host = request.headers.get("host", "")
        if _HOST.fullmatch(host):
            secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
            own |= {"apiHost": f"{host}/v1", "protocol": "https" if secure else "http"}
        plan = {"track": {"__default": {"enabled": True, "integrations": {}}}}
        # Without a rate the SDK measures itself in each visitor's browser and tells Segment's own servers.
        metrics = {"sampleRate": 0}
        return answer({"integrations": {"Segment.io": own}, "plan": plan, "edgeFunction": {}, "metrics": metrics})

    @app.get("/sourceConfig/", tags=["events"])
    @app.get("/sourceConfig", include_in_schema=False)
    async def source_config(request: Request) -> Response:
        """What RudderStack's SDKs load: a source without destinations of its own."""
        key = header_key(Fields(request.scope["headers"])) or request.query_params.get("writeKey", "")
        grant = await _granted(keyring, key)
        if grant is None:
            raise Problem(401, "invalid_write_key", "Send a valid write key as the user name of Basic.")
        source = {
            "id": grant.source,
            "name": grant.source,
            "writeKey": key,
            "enabled": True,
            "workspaceId": grant.workspace,
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "connections": [],
            "destinations": [],
        }
        return answer({"source": source})


async def _granted(keyring: Keyring, key: str) -> WriteGrant | None:
    return await keyring.write_grant(key) if plausible(key) else None
