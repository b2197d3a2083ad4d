"""What the pages show, what they do not let through, and what they show when a sister is away."""

import httpx
import pytest

from tests.console.fakes import FakeSisters, account_of, alert_of, id_of, person, reason, scores_of, stamp, touchpoint

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
PAGES = (
    "/",
    "/?band=all",
    "/?type=account",
    "/board",
    "/customers/user_id%3Abia",
    "/accounts/account%3Aaurora",
    "/search?q=x",
    "/start",
)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "pt-BR"])
async def test_every_page_is_there_in_both_languages(viewer: httpx.AsyncClient, path: str, language: str) -> None:
    answer = await viewer.get(path, headers={"accept-language": f"{language},de;q=0.5"})
    assert answer.status_code == 200
    assert answer.headers["content-language"] == language
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert " style=" not in answer.text
    assert "<script>" not in answer.text


async def test_the_board_says_who_leaves_why_what_they_are_worth_and_what_was_done(viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get("/")).text
    for said in (
        "2 people are about to leave",
        "Beatriz Lima",
        "Padaria Aurora",
        "no activity for 16 days",
        "R$640 a month",
        "red for 3 minutes",
        "Mail sent",
        "Alert told",
        "Mail not sent: no consent",
    ):
        assert said in page


async def test_the_language_can_be_chosen_and_is_kept(viewer: httpx.AsyncClient) -> None:
    chosen = await viewer.get("/?lang=pt-BR")
    assert "2 pessoas estão para sair" in chosen.text
    assert "sem uso há 16 dias" in chosen.text
    assert "2 pessoas estão para sair" in (await viewer.get("/", headers={"accept-language": "en"})).text


async def test_a_customers_page_explains(viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get("/customers/user_id%3Abia")).text
    for said in (
        "Beatriz Lima",
        "at Padaria Aurora",
        "38",
        "of 100",
        "What makes the score",
        "payment failed, not recovered",
        "between 20% and 61%",
        "Report Exported",
        "Silent for longer than usual",
        "Older",
        "milestones.trained",
        "Olá, Beatriz!",
    ):
        assert said in page
    assert 'href="/accounts/account%3Aaurora"' in page


async def test_a_customers_page_says_since_when_what_changed_and_what_to_mend_first(viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get("/customers/user_id%3Abia")).text
    for said in (
        "Red since ",
        "First: resolve the open tickets: up to 8 points back",
        "−41 in 30 days",
        "−12 points (Adoption −7, Support −5).",
        "−2 by what happened",
        "−10 by silence",
    ):
        assert said in page
    assert "by newer rules" not in page
    assert "−10 pelo silêncio" in (await viewer.get("/customers/user_id%3Abia?lang=pt-BR")).text


async def test_a_word_that_is_shown_says_whose_it_is_and_what_was_computed(
    viewer: httpx.AsyncClient, fakes: FakeSisters
) -> None:
    scores = scores_of(90, "green")
    scores["health"] |= {
        "computed": {"score": 31.4, "band": "red"},
        "override": {"author": "Carla <b>", "reason": "On break", "until": "2026-04-15T00:00:00Z"},
    }
    fakes.put("scoring", f"/v1/customers/{id_of('bia')}/scores", scores)
    page = (await viewer.get("/customers/user_id%3Abia")).text
    assert "Shown as Carla &lt;b&gt; says: “On break”" in page
    assert "Until 15 Apr 2026." in page
    assert "Computed: Red, 31." in page


async def test_the_board_says_why_as_it_is_now_and_not_as_it_was_when_it_was_told(
    viewer: httpx.AsyncClient, fakes: FakeSisters
) -> None:
    told = [reason("contact one way only, the latest 32 days ago")]
    fakes.put("notify", "/v1/alerts", {"items": [alert_of("bia", because=told)], "next": None})
    page = (await viewer.get("/")).text
    assert "no activity for 16 days; payment failed, not recovered" in page
    assert "32 days ago" not in page


async def test_yellow_says_when_it_turns_red(viewer: httpx.AsyncClient) -> None:
    assert "Turns red on 24 May 2026 if silent" in (await viewer.get("/customers/user_id%3Apriya")).text


async def test_a_number_that_nobody_should_act_on_is_shown_beside_the_reason(viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get("/customers/user_id%3Apriya")).text
    assert "health is red: not the time to offer more (5% otherwise)" in page


async def test_what_event_data_says_is_never_markup(viewer: httpx.AsyncClient, fakes: FakeSisters) -> None:
    hostile = person("bia", HOSTILE, "aurora", plan=HOSTILE, **{HOSTILE: HOSTILE})
    hostile["identifiers"] = [{"type": "user_id", "value": HOSTILE}]
    hostile["stage"] = {"name": HOSTILE, "entered_at": HOSTILE, "because": HOSTILE}
    fakes.put("journey", "/v1/customers/user_id%3Abia", hostile)
    fakes.put("journey", "/v1/customers", {"items": [hostile], "next": None})
    fakes.put("journey", f"/v1/accounts/{id_of('aurora')}", account_of("aurora", HOSTILE))
    path = [touchpoint(HOSTILE, 1, kind=HOSTILE, source=HOSTILE, properties={HOSTILE: HOSTILE})]
    fakes.put("journey", f"/v1/customers/{id_of('bia')}/touchpoints", {"items": path, "next": HOSTILE})
    fakes.put("notify", "/v1/alerts", {"items": [alert_of("bia", because=[HOSTILE], score=HOSTILE)]})
    fakes.put("notify", f"/v1/customers/{id_of('bia')}/messages", {"items": [{"subject": HOSTILE, "text": HOSTILE}]})
    row = {"subject": {"type": "customer", "id": HOSTILE, "name": HOSTILE}, "because": HOSTILE, **scores_of(1, "red")}
    fakes.put("scoring", "/v1/scores", {"items": [row], "next": None})
    for path_ in ("/customers/user_id%3Abia", "/", "/search?q=" + HOSTILE.replace("#", ""), "/?lang=" + HOSTILE):
        page = (await viewer.get(path_)).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;" in page or path_.startswith("/?lang")


@pytest.mark.parametrize("service", ["journey", "scoring", "notify", "ingest"])
@pytest.mark.parametrize("path", PAGES)
async def test_a_sister_that_is_away_is_a_calm_notice_and_no_error(
    viewer: httpx.AsyncClient, fakes: FakeSisters, service: str, path: str
) -> None:
    fakes.away.add(service)
    answer = await viewer.get(path)
    assert answer.status_code == 200
    needed = {"journey": PAGES[:7], "scoring": PAGES[:6], "notify": PAGES[:2] + PAGES[4:6], "ingest": ()}[service]
    missing = "cannot be read at the moment" in answer.text
    assert missing or path not in needed or (service == "notify" and path == "/board")


@pytest.mark.parametrize(
    "odd", [[], "text", 7, None, {"items": "x"}, {"items": [1, None, {"health": 3, "subject": []}]}]
)
async def test_an_odd_answer_of_a_sister_breaks_no_page(
    viewer: httpx.AsyncClient, fakes: FakeSisters, odd: object
) -> None:
    for service, path in list(fakes.documents):
        fakes.put(service, path, odd)  # type: ignore[arg-type]
    for path in PAGES:
        assert (await viewer.get(path)).status_code in {200, 404}


async def test_an_unknown_customer_is_a_404_that_people_can_read(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/customers/user_id%3Anobody")
    assert answer.status_code == 404
    assert "Nobody is known by this name" in answer.text
    malformed = await viewer.get("/customers/nonsense")
    assert malformed.status_code == 400
    assert "text/html" in malformed.headers["content-type"]


async def test_a_reference_reaches_journey_as_it_came(viewer: httpx.AsyncClient, fakes: FakeSisters) -> None:
    await viewer.get("/customers/user_id%3Aa%2Fb%20c%25")
    assert fakes.asked[-1].url.raw_path == b"/v1/customers/user_id%3Aa%2Fb%20c%25"


async def test_the_start_page_has_the_key_and_the_host_in_every_snippet(viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get("/start")).text
    assert page.count("wk_local") >= 8
    assert page.count("127.0.0.1:8001") >= 6
    assert "waiting for your first event" in page.lower()


async def test_live_events_pass_through_as_they_are(viewer: httpx.AsyncClient, fakes: FakeSisters) -> None:
    stream = b'event: alert\nid: 1\ndata: {"id": "1"}\n\n'
    fakes.put("notify", "/v1/alerts/stream", stream)
    answer = await viewer.get("/live/alerts", headers={"last-event-id": "7"})
    assert answer.content == stream
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert fakes.asked[-1].headers["last-event-id"] == "7"
    away = await viewer.get("/live/verdicts")
    assert b"event: away" in away.content


async def test_static_files_change_their_address_with_their_content(viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get("/")).text
    address = page.split('href="/static/console.css')[1].split('"')[0]
    answer = await viewer.get("/static/console.css" + address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert (await viewer.get("/static/..%2Fapp.py")).status_code == 404


async def test_an_accounts_people_are_shown_by_band_the_most_urgent_first_and_counted(
    viewer: httpx.AsyncClient, fakes: FakeSisters
) -> None:
    rows = [
        {
            "subject": {"type": "customer", "id": str(id_of(key)), "identifiers": [{"type": "user_id", "value": key}]},
            "health": {"score": score, "band": band},
            "reasons": [{"because": f"why {key}"}, {"because": "and more"}],
        }
        for key, score, band in (("ana", 12.0, "unknown"), ("caio", 83.0, "green"), ("bia", 31.0, "red"))
    ]
    known = [person(key, name, "aurora") for key, name in (("caio", "Caio"), ("bia", "Beatriz"), ("eva", "Eva"))]
    counted = {"bands": {"green": 1, "yellow": 0, "red": 1, "unknown": 1}, "champions": 0, "champions_silent": 0}
    fakes.put("scoring", "/v1/scores", {"items": rows, "next": None})
    fakes.put("journey", "/v1/customers", {"items": known, "next": None})
    scores = scores_of(80, "green", people=counted)
    fakes.put("scoring", f"/v1/accounts/{id_of('aurora')}/scores", scores)
    page = (await viewer.get("/accounts/account%3Aaurora")).text
    asked = next(each for each in fakes.asked if each.url.path == "/v1/scores")
    assert asked.url.params["account"] == str(id_of("aurora"))
    assert "1 Red" in page
    assert "1 Green" in page
    assert "0 Yellow" not in page
    places = [page.index(each) for each in ("Beatriz", "why bia", "Caio", "why caio", "why ana", "Eva")]
    assert places == sorted(places)
    assert 'href="/customers/user_id%3Abia"' in page
    assert '<span class="disc red" title="Red">31</span>' in page


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Nothing of feature_used from app since"),
        ("pt-BR", "Nada de feature_used vindo de app desde"),
    ],
)
async def test_the_board_says_which_tracker_broke_and_when_it_is_back(
    viewer: httpx.AsyncClient, fakes: FakeSisters, language: str, said: str
) -> None:
    notice = {
        "notice": "tracker_silent",
        "source": "app",
        "kind": "feature_used",
        "since": stamp(hours=5),
        "until": None,
        "ended_because": None,
        "frozen": ["adoption"],
    }
    fakes.put("scoring", "/v1/notices", {"items": [notice], "next": None})
    accept = {"accept-language": language}
    page = (await viewer.get("/", headers=accept)).text
    assert said in page and "10:30" in page
    back = {**notice, "until": stamp(hours=1), "ended_because": "repaired"}
    fakes.put("scoring", "/v1/notices", {"items": [back], "next": None})
    page = (await viewer.get("/", headers=accept)).text
    assert said not in page and "feature_used" in page
    for ended in ({"until": stamp(days=3)}, {"ended_because": "gone"}):
        fakes.put("scoring", "/v1/notices", {"items": [{**back, **ended}], "next": None})
        assert "feature_used" not in (await viewer.get("/", headers=accept)).text


async def test_the_board_says_that_an_import_runs_and_for_a_day_what_it_brought(
    viewer: httpx.AsyncClient, fakes: FakeSisters
) -> None:
    said = {"en": "the past of 24 customers came in", "pt-BR": "o passado de 24 clientes entrou"}
    notice = {"notice": "import", "since": stamp(hours=5), "until": stamp(hours=4), "text": said}
    for until, shown in ((None, True), (stamp(hours=4), True), (stamp(days=2), False)):
        fakes.put("scoring", "/v1/notices", {"items": [{**notice, "until": until}], "next": None})
        assert ("The past of 24 customers came in." in (await viewer.get("/")).text) == shown
        page = (await viewer.get("/", headers={"accept-language": "pt-BR"})).text
        assert ("O passado de 24 clientes entrou." in page) == shown
