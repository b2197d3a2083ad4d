"""Who asks: an API token, bound to one workspace and to scopes."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Security
from fastapi.security import HTTPBearer

from jornada.access.grants import Principal
from jornada.access.keyring import Keyring
from jornada.web.problems import Problem

_declared = Security(HTTPBearer(auto_error=False, description="An API token."))


class Gate:
    """Checks API tokens. `needs("read")` is a dependency that gives the Principal or answers 401 or 403."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def admits(self, request: Request) -> bool:
        """Whether the caller's token, let in before, would be let in now: for answers that last. Raises Unavailable."""
        return await self._principal(request) is not None

    def needs(self, scope: str) -> Callable[..., Awaitable[Principal]]:
        """A FastAPI dependency: the caller's Principal, which has `scope`."""

        async def allowed(request: Request, _token: object = _declared) -> Principal:
            principal = await self._principal(request)
            if principal is None:
                raise Problem(401, "unauthorized", "Send a valid API token as `Authorization: Bearer …`.")
            if scope not in principal.scopes:
                raise Problem(403, "forbidden", f"The token lacks the scope `{scope}`.")
            return principal

        return allowed

    async def _principal(self, request: Request) -> Principal | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return await self._keyring.principal(token.strip()) if kind.lower() == "bearer" else None
