"""Logging in: by an API token, or locally by a link that works once."""

from collections.abc import Callable

from fastapi import Depends, FastAPI, Request
from starlette.responses import RedirectResponse, Response

from services.console.api.pages import Pages
from services.console.api.viewers import Viewer, demand_own_form, demand_own_origin, form_of, seen_by
from services.console.sessions import COOKIE, Sessions, plausible
from services.console.sisters import LoggedOut, Silent, Sisters

Redeem = Callable[[str], str | None]
"""Gives the API token for an unused login code."""


def serve(app: FastAPI, pages: Pages, sessions: Sessions, sisters: Sisters) -> None:
    """Adds the login page, what it posts to, and logging out."""

    @app.get("/login", tags=["pages"])
    async def login(request: Request, next: str = "/") -> Response:
        """The login page."""
        return pages.render(request, "login.html", None, next=own_path(next), wrong="")

    @app.post("/login", tags=["pages"])
    async def log_in(request: Request) -> Response:
        """Logs in with an API token that journey accepts for reading."""
        demand_own_origin(request)
        form = await form_of(request)
        token, onward = form.get("token", "").strip(), own_path(form.get("next", "/"))
        wrong = await refusal(sisters, token)
        if wrong:
            return pages.render(request, "login.html", None, 503 if wrong == "away" else 403, next=onward, wrong=wrong)
        response = RedirectResponse(onward, 303)
        pages.set_cookie(response, COOKIE, sessions.seal(token), sessions.seconds)
        return response

    @app.post("/logout", tags=["pages"])
    async def log_out(request: Request, viewer: Viewer = Depends(seen_by(sessions))) -> Response:
        """Forgets the session."""
        await demand_own_form(request, viewer)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/")
        return response


def enter(request: Request, pages: Pages, sessions: Sessions, redeem: Redeem, code: str) -> Response | None:
    """Lets the bearer of an unused login code in, by a page that moves on; None for any other code.

    The page is no redirect: a browser that comes from another site would follow one without the new cookie.
    """
    token = redeem(code)
    if token is None:
        return None
    response = pages.render(request, "onward.html", None, to=own_path(request.url.path))
    pages.set_cookie(response, COOKIE, sessions.seal(token), sessions.seconds)
    return response


async def refusal(sisters: Sisters, token: str) -> str:
    """Why an API token does not let in: `wrong`, `scope` or `away`; empty if it does."""
    if not plausible(token):
        return "wrong"
    try:
        answer = await sisters.get("journey", "/v1/stages/counts", token)
    except LoggedOut:
        return "wrong"
    if isinstance(answer, Silent):
        return "away" if answer.kind == "away" else "scope"
    return ""


def own_path(wish: str) -> str:
    """The path if it is one of this console, else the board: nobody is led elsewhere after logging in."""
    plain = wish.startswith("/") and wish[1:2] not in {"/", "\\"} and wish.isprintable() and len(wish) < 1_000
    return wish if plain else "/"
