"""The Start page: load the story, connect an app, and see the first events arrive."""

from pathlib import Path

from fastapi import Depends, FastAPI, Request
from starlette.responses import RedirectResponse, Response

from services.console.api import login
from services.console.api.pages import Pages
from services.console.api.viewers import NotLoggedIn, Viewer, demand_own_form, seen_by
from services.console.local import kept_keys, redeem
from services.console.sessions import Sessions
from services.console.sisters import Silent, Sisters
from services.console.story.telling import Telling, issue_key

SOURCE = "app"
_KEY_SHOWN_AS = "YOUR_WRITE_KEY"


class Connecting:
    """What an app needs to connect: ingest's public address, and locally the write key of the viewer's workspace."""

    def __init__(self, ingest_url: str, folder: Path | None) -> None:
        self.ingest_url = ingest_url.rstrip("/")
        self.folder = folder

    def write_key(self, viewer: Viewer) -> str | None:
        """The kept key of the workspace whose API token the viewer has; None outside local mode."""
        kept = kept_keys(self.folder) if self.folder else []
        return next((each["write_key"] for each in kept if each["api_token"] == viewer.api_token), None)

    def redeem(self, code: str) -> str | None:
        """The API token for an unused login code; None outside local mode."""
        return redeem(self.folder, code) if self.folder else None


def serve(
    app: FastAPI, pages: Pages, sessions: Sessions, sisters: Sisters, telling: Telling, connecting: Connecting
) -> None:
    """Adds the Start page and what its buttons do."""
    viewer_of = seen_by(sessions)

    def page(request: Request, viewer: Viewer, key: str | None, wrong: Silent | None = None) -> Response:
        return pages.render(
            request,
            "start.html",
            viewer,
            key=key or _KEY_SHOWN_AS,
            has_key=key is not None,
            ingest=connecting.ingest_url,
            steps=telling.progress(viewer.api_token),
            wrong=wrong,
        )

    @app.get("/start", tags=["pages"])
    async def start(request: Request, code: str = "") -> Response:
        """The Start page; `code` is the local login link's."""
        if code:
            entered = login.enter(request, pages, sessions, connecting.redeem, code)
            if entered is not None:
                return entered
        try:
            viewer = await viewer_of(request)
        except NotLoggedIn:
            if not code:
                raise
            return pages.render(request, "login.html", None, 403, next="/start", wrong="used")
        return page(request, viewer, connecting.write_key(viewer))

    @app.post("/start/story", tags=["pages"])
    async def load(request: Request, viewer: Viewer = Depends(viewer_of)) -> Response:
        """Begins to load the story; loading it again changes nothing."""
        await demand_own_form(request, viewer)
        telling.begin(viewer.api_token)
        return RedirectResponse("/start#story", 303)

    @app.get("/start/story", tags=["pages"])
    async def progress(request: Request, viewer: Viewer = Depends(viewer_of)) -> Response:
        """How far the loading is, as a part of the page."""
        return pages.render(request, "story_progress.html", viewer, steps=telling.progress(viewer.api_token))

    @app.post("/start/key", tags=["pages"])
    async def make_key(request: Request, viewer: Viewer = Depends(viewer_of)) -> Response:
        """Makes a write key of the source `app` and shows it this once."""
        await demand_own_form(request, viewer)
        made = await issue_key(sisters, viewer.api_token, SOURCE, "product")
        if isinstance(made, Silent):
            return page(request, viewer, None, made)
        return page(request, viewer, made)
