"""The story, act by act: what each of its three accounts is told to be, why, and what changed, in both languages."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from jornada.clock import SystemClock
from services.console.story.cast import GROWING, HEALTHY, LEAVING, RED
from services.console.story.tale import ROLES, Line, story
from tests.flows.system import System

LANGUAGES = ("en", "pt-BR")
ACTS = ("past", "today", "silence")
SUBJECTS = {
    "leaving": ("accounts", f"account:story-{LEAVING}"),
    "healthy": ("accounts", f"account:story-{HEALTHY}"),
    "growing": ("accounts", f"account:story-{GROWING}"),
    "beatriz": ("customers", f"user_id:story-{RED}"),
}

Told = Mapping[tuple[str, str, str], Any]
"""Scores by act, by whose they are, and by language."""


@pytest.fixture(scope="module")
async def told(system: System) -> Told:
    """What scoring says of everybody after each act."""
    now = SystemClock().now()
    lines, keys = story(now), await keys_of(system)
    found: dict[tuple[str, str, str], Any] = {}
    await send(system, keys, [line for line in lines if not line.live])
    await look(system, found, "past")
    await send(system, keys, [line for line in lines if line.live])
    await look(system, found, "today")
    await look(system, found, "silence", as_of=(SystemClock().now() + timedelta(days=30)).isoformat())
    return found


async def keys_of(system: System) -> dict[str, str]:
    keys = {}
    for source, role in ROLES.items():
        await system.act("POST", "ingest", "/v1/sources", {"name": source, "role": role})
        keys[source] = (await system.act("POST", "ingest", "/v1/keys", {"source": source}))["write_key"]
    return keys


async def send(system: System, keys: Mapping[str, str], lines: list[Line]) -> None:
    for source in keys:
        events = [line.event for line in lines if line.source == source]
        for start in range(0, len(events), 400):
            batch = {"batch": events[start : start + 400]}
            answer = await system.http.post(f"{system.urls['ingest']}/v1/batch", json=batch, auth=(keys[source], ""))
            assert answer.status_code == 200, answer.text
    await system.settled()


async def look(system: System, found: dict[tuple[str, str, str], Any], act: str, **params: str) -> None:
    for whose, (kind, ref) in SUBJECTS.items():
        for language in LANGUAGES:
            path = f"/v1/{kind}/{ref}/scores"
            found[act, whose, language] = await system.ask("scoring", path, lang=language, **params)


def band(told: Told, act: str, whose: str) -> str:
    return str(told[act, whose, "en"]["health"]["band"])


def texts(scores: Any) -> list[str]:
    """Every text by which one subject's scores are explained."""
    health, risk, upsell = scores["health"], scores["churn_risk"], scores["upsell_propensity"]
    named = [*health["vetoes"], *health["components"], *risk["factors"], *upsell["factors"]]
    more = [health["fix"]["because"] if health["fix"] else None, health["unknown_because"], upsell["gated_because"]]
    return [each["because"] for each in named] + [each for each in more if each]


async def test_every_point_is_explained_in_every_act(told: Told) -> None:
    for scores in told.values():
        health = scores["health"]
        points = sum(each["points"] for each in health["components"])
        taken = sum(each["reason"]["values"]["points"] for each in health["vetoes"])
        assert points + taken == pytest.approx(health["score"], abs=1e-6)
        since = scores["since_last"]
        if since is not None:
            causes = sum(since[cause] for cause in ("event", "time", "config", "model"))
            assert causes == pytest.approx(since["change"], abs=1e-6)
            assert since["score"] + since["change"] == pytest.approx(health["score"], abs=1e-6)


async def test_the_two_languages_say_the_same_numbers_in_words_of_their_own(told: Told) -> None:
    for act in ACTS:
        for whose in SUBJECTS:
            english, portuguese = (told[act, whose, language] for language in LANGUAGES)
            assert english["health"]["score"] == pytest.approx(portuguese["health"]["score"], abs=0.01)
            pairs = list(zip(texts(english), texts(portuguese), strict=True))
            assert all(one and other and "{" not in one + other for one, other in pairs)
            assert [pair for pair in pairs if pair[0] == pair[1] and not pair[0].startswith("NPS")] == []


async def test_the_one_who_leaves_is_fading_at_first_and_red_once_things_break_today(told: Told) -> None:
    for whose in ("leaving", "beatriz"):
        assert [band(told, act, whose) for act in ACTS] == ["yellow", "red", "red"]
        before, after = (told[act, whose, "en"] for act in ("past", "today"))
        assert before["health"]["crosses"]["band"] == "red"
        codes = {each["reason"]["code"] for each in after["health"]["components"]}
        assert {"open_tickets", "payment_failed"} <= codes
        since = after["since_last"]
        assert since["event"] < -4 and abs(since["time"]) < 0.1
        assert after["health"]["fix"]["reason"]["code"] in {"fix_support", "fix_commercial"}
        assert after["red_since"] is not None
        assert after["churn_risk"]["probability"] > before["churn_risk"]["probability"]
        assert after["upsell_propensity"]["gated_reason"]["code"] == "health_too_low"


async def test_what_today_did_and_what_silence_will_do_are_told_apart(told: Told) -> None:
    for whose in ("leaving", "beatriz"):
        since = told["silence", whose, "en"]["since_last"]
        assert since["event"] < -4 and since["time"] < -4


async def test_the_healthy_one_stays_green_until_silence_would_take_it(told: Told) -> None:
    assert [band(told, act, "healthy") for act in ACTS] == ["green", "green", "red"]
    after = told["today", "healthy", "en"]
    assert after["health"]["crosses"]["band"] == "yellow"
    assert after["health"]["crosses"]["at"] > told["past", "healthy", "en"]["health"]["crosses"]["at"]


async def test_the_growing_one_is_ready_for_more_as_long_as_it_is_well(told: Told) -> None:
    upsell = told["today", "growing", "en"]["upsell_propensity"]
    assert upsell["probability"] > 0.5 and upsell["gated_because"] is None
    pushes = [each["name"] for each in upsell["factors"]]
    assert {"seats", "growth", "breadth", "promoter"} <= set(pushes)
    others = [told["today", whose, "en"]["upsell_propensity"]["probability"] for whose in ("leaving", "healthy")]
    assert upsell["probability"] > max(others)
    assert told["silence", "growing", "en"]["upsell_propensity"]["gated_reason"] is not None


async def test_nobody_is_compared_with_the_half_of_an_import(told: Told) -> None:
    for whose in ("healthy", "growing"):
        moved = told["today", whose, "en"]["since_last"]["components"]
        assert [each for each in moved if abs(each["event"]) > 20] == []


async def test_an_imported_past_is_no_news(told: Told) -> None:
    for whose in ("leaving", "beatriz"):  # The others were active yesterday, which is news.
        since = told["past", whose, "en"]["since_last"]
        assert since["event"] == 0 and abs(since["time"]) < 0.1
