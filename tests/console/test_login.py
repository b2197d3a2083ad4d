"""Logging in, and what protects the forms."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from jornada.clock import SetClock
from services.console.api.login import own_path
from services.console.local import redeem
from services.console.sessions import COOKIE, Sessions
from services.console.settings import Settings
from tests.console.conftest import ORIGIN
from tests.console.fakes import NOW, TOKEN, FakeSisters


async def test_a_stranger_is_led_to_the_login_page_and_back(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/customers/user_id%3Abia")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fcustomers%2Fuser_id%253Abia"
    posted = {"token": TOKEN, "next": "/customers/user_id%3Abia"}
    entered = await stranger.post("/login", data=posted, headers={"origin": ORIGIN})
    assert entered.headers["location"] == "/customers/user_id%3Abia"


async def test_a_program_without_a_token_gets_a_problem_and_one_with_a_bearer_the_page(
    stranger: httpx.AsyncClient,
) -> None:
    refused = await stranger.get("/", headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    shown = await stranger.get("/", headers={"authorization": f"Bearer {TOKEN}"})
    assert shown.status_code == 200


async def test_the_cookie_is_sealed_and_no_script_and_no_other_site_gets_it(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/login", data={"token": TOKEN}, headers={"origin": ORIGIN})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie


@pytest.mark.parametrize(
    ("token", "said"), [("jt_bad", "not a valid API token"), ("a b", "not a valid"), ("", "not a valid")]
)
async def test_a_wrong_token_is_refused(stranger: httpx.AsyncClient, token: str, said: str) -> None:
    answer = await stranger.post("/login", data={"token": token}, headers={"origin": ORIGIN})
    assert answer.status_code == 403
    assert said in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_token_that_cannot_be_checked_is_neither_right_nor_wrong(
    stranger: httpx.AsyncClient, fakes: FakeSisters
) -> None:
    fakes.away.add("journey")
    answer = await stranger.post("/login", data={"token": TOKEN}, headers={"origin": ORIGIN})
    assert answer.status_code == 503
    assert "cannot be checked" in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site", "origin": ORIGIN}, {"origin": "null"}, {}],
)
async def test_no_other_site_can_log_a_browser_in(stranger: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await stranger.post("/login", data={"token": TOKEN}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/start/story", "/start/key", "/logout"])
async def test_a_post_needs_our_origin_and_the_sessions_own_token(viewer: httpx.AsyncClient, path: str) -> None:
    foreign = await viewer.post(
        path, data={"csrf": csrf(await viewer.get("/start"))}, headers={"origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    guessed = await viewer.post(path, data={"csrf": "0" * 64}, headers={"origin": ORIGIN})
    assert guessed.status_code == 403
    missing = await viewer.post(path, headers={"origin": ORIGIN})
    assert missing.status_code == 403
    own = await viewer.post(path, data={"csrf": csrf(await viewer.get("/start"))}, headers={"origin": ORIGIN})
    assert own.status_code in {200, 303}


async def test_after_logging_out_the_browser_is_a_stranger(viewer: httpx.AsyncClient) -> None:
    await viewer.post("/logout", data={"csrf": csrf(await viewer.get("/"))}, headers={"origin": ORIGIN})
    assert (await viewer.get("/")).headers["location"].startswith("/login")


async def test_the_login_link_works_once(stranger: httpx.AsyncClient, folder: Path) -> None:
    code = (folder / "console-login").read_text()
    entered = await stranger.get(f"/start?code={code}")
    assert entered.status_code == 200
    assert code not in entered.text
    assert (await stranger.get("/start")).status_code == 200
    stranger.cookies.clear()
    again = await stranger.get(f"/start?code={code}")
    assert again.status_code == 403
    assert "used before" in again.text


def test_only_the_kept_code_is_redeemed(folder: Path) -> None:
    (folder / "console-login").write_text("the-code")
    assert redeem(folder, "") is None
    assert redeem(folder, "the-cod") is None
    assert redeem(folder, "the-code") == TOKEN
    assert redeem(folder, "the-code") is None


def test_a_session_ends_and_is_worth_nothing_under_another_secret() -> None:
    clock = SetClock(NOW)
    sessions = Sessions(b"s" * 32, clock, timedelta(hours=1))
    cookie = sessions.seal(TOKEN)
    opened = sessions.opened(cookie)
    assert opened is not None
    assert opened.api_token == TOKEN
    assert Sessions(b"t" * 32, clock, timedelta(hours=1)).opened(cookie) is None
    assert sessions.opened(cookie[:-4] + "AAAA") is None
    clock.at += timedelta(hours=1, seconds=2)
    assert sessions.opened(cookie) is None


@pytest.mark.parametrize(
    "wish",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\nSet-Cookie: x", "javascript:x"],
)
def test_nobody_is_led_elsewhere(wish: str) -> None:
    assert own_path(wish) == "/"


def test_outside_local_mode_a_secret_is_needed() -> None:
    with pytest.raises(ValidationError, match="JORNADA_SECRET_KEY_FILE"):
        Settings(mode="server")


async def test_a_revoked_token_ends_the_session(viewer: httpx.AsyncClient, fakes: FakeSisters) -> None:
    fakes.revoked = True
    answer = await viewer.get("/")
    assert answer.status_code == 303
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]


def csrf(page: httpx.Response) -> str:
    """The CSRF token that a page carries."""
    return page.text.split('name="csrf" value="')[1].split('"')[0]
