"""Who asks: an API token, bound to one workspace and to scopes, or another service on a workspace's behalf."""

from collections.abc import Awaitable, Callable
from hmac import compare_digest
from uuid import UUID

from fastapi import Request, Security
from fastapi.security import HTTPBearer

from jornada.access.grants import Principal
from jornada.access.keyring import Keyring
from jornada.events.ids import WorkspaceId
from jornada.web.problems import Problem

_declared = Security(HTTPBearer(auto_error=False, description="An API token."))


WORKSPACE = "Jornada-Workspace"
"""The header in which another service names the workspace that it asks about."""

SISTER = UUID(int=0)
"""Stands for the token of another service."""


def sister_headers(token: bytes, workspace: WorkspaceId) -> dict[str, str]:
    """What one service sends another with a question about a workspace; `token` is what all of them share."""
    return {"Authorization": f"Bearer {token.decode('ascii')}", WORKSPACE: str(workspace)}


class Gate:
    """Checks API tokens. `needs("read")` is a dependency that gives the Principal or answers 401 or 403.

    `shared` is what the services share: who sends it may read, of any workspace, where a route lets `sisters` in.
    Without it none is let in.
    """

    def __init__(self, keyring: Keyring, shared: bytes | None = None) -> None:
        self._keyring = keyring
        self._shared = shared

    async def admits(self, request: Request) -> bool:
        """Whether the caller's token, let in before, would be let in now: for answers that last. Raises Unavailable."""
        return await self._principal(request) is not None

    def needs(self, scope: str, *, sisters: bool = False) -> Callable[..., Awaitable[Principal]]:
        """A FastAPI dependency: the caller's Principal, which has `scope`."""

        async def allowed(request: Request, _token: object = _declared) -> Principal:
            sister = self._sister(request) if sisters else None
            principal = sister or await self._principal(request)
            if principal is None:
                raise Problem(401, "unauthorized", "Send a valid API token as `Authorization: Bearer …`.")
            if scope not in principal.scopes:
                raise Problem(403, "forbidden", f"The token lacks the scope `{scope}`.")
            return principal

        return allowed

    async def _principal(self, request: Request) -> Principal | None:
        token = _bearer(request)
        return None if token is None else await self._keyring.principal(token)

    def _sister(self, request: Request) -> Principal | None:
        token = _bearer(request)
        if token is None or self._shared is None or not compare_digest(token.encode(), self._shared):
            return None
        try:
            workspace = WorkspaceId(UUID(request.headers.get(WORKSPACE, "")))
        except ValueError:
            raise Problem(400, "invalid_workspace", f"Name the workspace in `{WORKSPACE}`.") from None
        return Principal(workspace, frozenset({"read"}), SISTER)


def _bearer(request: Request) -> str | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None
