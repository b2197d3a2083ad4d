"""Who looks: a viewer with an API token and a language, out of the cookie or the bearer header."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from jornada.web import Problem
from services.console.sessions import COOKIE, Session, Sessions, plausible, same
from services.console.words import Language, chosen

LANGUAGE_COOKIE = "jornada_language"


class NotLoggedIn(Exception):
    """The page needs a viewer."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page. `csrf` is empty for a bearer, whose requests no other site can make."""

    api_token: str = field(repr=False)
    language: Language
    csrf: str = field(default="", repr=False)


def language_of(request: Request) -> Language:
    """The language asked for, kept, or accepted."""
    asked = request.query_params.get("lang")
    return chosen(asked, request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def seen_by(sessions: Sessions) -> Callable[[Request], Awaitable[Viewer]]:
    """A dependency: the viewer of the request; raises NotLoggedIn."""

    async def viewer(request: Request) -> Viewer:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and plausible(token.strip()):
            return Viewer(token.strip(), language_of(request))
        session: Session | None = sessions.opened(request.cookies.get(COOKIE))
        if session is None:
            raise NotLoggedIn
        return Viewer(session.api_token, language_of(request), session.csrf)

    return viewer


def demand_own_origin(request: Request) -> None:
    """Refuses a POST that another site made the browser send."""
    fetched_from = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetched_from is not None and fetched_from != "same-origin":
        raise _foreign()
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise _foreign()
    if fetched_from is None and origin is None and "authorization" not in request.headers:
        raise _foreign()


async def demand_own_form(request: Request, viewer: Viewer) -> None:
    """Refuses a POST that does not come from a page of this very session."""
    demand_own_origin(request)
    if viewer.csrf and not same((await form_of(request)).get("csrf", ""), viewer.csrf):
        raise _foreign()


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form as browsers send it by default, the first of each name; none of any other body."""
    try:
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _foreign() -> Problem:
    return Problem(
        403, "foreign_form", "This form was not sent from a page of this console. Reload the page and try again."
    )
