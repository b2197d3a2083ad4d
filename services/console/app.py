"""Wires the console: its pages, the clients of the other services, sessions, and the story."""

from datetime import timedelta

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from jornada.bus.carrier import Bus
from jornada.clock import Clock
from jornada.db import Database
from jornada.runtime import Service
from jornada.runtime.service import Health
from jornada.runtime.settings import AddressSettings
from jornada.web import Problem, application
from services.console.api import board, live, login, start, subjects
from services.console.api.pages import Pages
from services.console.api.shield import Shield
from services.console.api.viewers import NotLoggedIn
from services.console.domain.reading import segment
from services.console.local import new_login, secret_of
from services.console.sessions import COOKIE, Sessions
from services.console.settings import Settings
from services.console.sisters import NAMES, LoggedOut, Sisters
from services.console.story.telling import Telling

_DESCRIPTION = "Shows customers, accounts and their risk to people."
_FORM_MAX = 65_536


def build(settings: Settings, _bus: Bus, _database: Database, clock: Clock) -> Service:
    """The console. It reads the other services over HTTP, with the viewer's token; bus and database stay untouched."""
    addresses = AddressSettings()
    sisters = Sisters({name: addresses.of(name) for name in NAMES})
    return wired(settings, clock, sisters, settings.console_ingest_public_url or addresses.of("ingest"))


def wired(settings: Settings, clock: Clock, sisters: Sisters, ingest_url: str) -> Service:
    """The console on given clients."""
    local = settings.mode == "local"
    health = Health()
    sessions = Sessions(_secret(settings), clock, timedelta(hours=settings.console_session_hours))
    pages = Pages(clock, secure_cookies=not local)
    telling = Telling(sisters, clock)
    app = application("console", _DESCRIPTION, checks={"process": health.check}, body_limit=_FORM_MAX)
    app.add_middleware(Shield)
    _errors(app, pages)
    pages.serve_static(app)
    login.serve(app, pages, sessions, sisters)
    start.serve(
        app, pages, sessions, sisters, telling, start.Connecting(ingest_url, settings.data_dir if local else None)
    )
    board.serve(app, pages, sessions, sisters)
    subjects.serve(app, pages, sessions, sisters)
    live.serve(app, live.Relay(sisters, health), sessions)
    if local:
        new_login(settings.data_dir)
    return Service("console", settings.console_port, app, resources=[sisters, telling], health=health)


def _secret(settings: Settings) -> bytes:
    if settings.secret_key_file is not None:
        return settings.secret_key_file.read_bytes()
    return secret_of(settings.data_dir)


def _errors(app: FastAPI, pages: Pages) -> None:
    """People get pages where programs get problem documents."""

    @app.exception_handler(NotLoggedIn)
    async def not_logged_in(request: Request, _error: NotLoggedIn) -> Response:
        path = login.own_path(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
        if not _for_people(request):
            return Problem(401, "unauthorized", "Log in, or send an API token as `Authorization: Bearer …`.").response()
        if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
            # A link on another site brings no strict cookie; the same address asked for by a page of ours does.
            return pages.render(request, "onward.html", None, to=path)
        return RedirectResponse(f"/login?next={segment(path)}", 303)

    @app.exception_handler(LoggedOut)
    async def logged_out(request: Request, error: LoggedOut) -> Response:
        response = await not_logged_in(request, NotLoggedIn())
        response.delete_cookie(COOKIE, path="/")
        return response

    @app.exception_handler(Problem)
    async def refused(request: Request, problem: Problem) -> Response:
        if not _for_people(request):
            return problem.response()
        return pages.render(request, "problem.html", None, problem.status, code=problem.code, message=problem.message)


def _for_people(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
