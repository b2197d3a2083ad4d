"""Renders templates: the language, the viewer and the address of static files are at hand in each."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from jornada.clock import Clock
from jornada.web import Problem
from services.console.api.viewers import LANGUAGE_COOKIE, Viewer, language_of
from services.console.domain.reading import segment
from services.console.words import LANGUAGES

_HERE = Path(__file__).parent.parent
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_YEAR = 31_536_000


class Pages:
    """The templates, and the static files with the hash of what is in them."""

    def __init__(self, clock: Clock, *, secure_cookies: bool) -> None:
        self._clock = clock
        self._secure = secure_cookies
        self._static = {file.name: file.read_bytes() for file in (_HERE / "static").iterdir() if file.suffix in _MEDIA}
        self._hashes = {name: sha256(content).hexdigest()[:12] for name, content in self._static.items()}
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True,
            auto_reload=False, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._environment.globals.update(static=self._address, segment=segment, languages=LANGUAGES)

    def render(
        self, request: Request, template: str, viewer: Viewer | None, status: int = 200, **values: Any
    ) -> Response:
        """A page. Templates find `t` (the language), `now`, `viewer`, `here` (the path) and what is given."""
        language = viewer.language if viewer is not None else language_of(request)
        html = self._environment.get_template(template).render(
            t=language, now=self._clock.now(), viewer=viewer, here=_Here(request), **values
        )
        response = HTMLResponse(
            html, status, headers={"Content-Language": language.name, "Vary": "Cookie, Accept-Language"}
        )
        if request.query_params.get("lang") in LANGUAGES:
            self.set_cookie(response, LANGUAGE_COOKIE, language.name, _YEAR)
        return response

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Sets a cookie that scripts do not see and other sites do not send."""
        response.set_cookie(
            name, value, max_age=seconds, httponly=True, samesite="strict", secure=self._secure, path="/"
        )

    def now(self) -> datetime:
        """The instant at which a page is made."""
        return self._clock.now()

    def serve_static(self, app: FastAPI) -> None:
        """Adds the static files; their address changes with their content, so browsers keep them."""

        @app.get("/static/{name}", include_in_schema=False)
        async def static(name: str) -> Response:
            """One of our own scripts, styles or images."""
            content = self._static.get(name)
            if content is None:
                raise Problem(404, "not_found", "There is no such file.")
            headers = {"Cache-Control": f"public, max-age={_YEAR}, immutable"}
            return Response(content, headers=headers, media_type=_MEDIA[Path(name).suffix])

    def _address(self, name: str) -> str:
        return f"/static/{name}?v={self._hashes[name]}"


class _Here:
    """The address of the page that is shown, and the same with other query values."""

    def __init__(self, request: Request) -> None:
        self.path = request.url.path
        self._query: Mapping[str, str] = dict(request.query_params)

    def but(self, **changes: str | None) -> str:
        """This page with some query values changed; None takes one away."""
        query = {name: value for name, value in {**self._query, **changes}.items() if value is not None}
        query.pop("code", None)
        return self.path + (f"?{urlencode(query)}" if query else "")
