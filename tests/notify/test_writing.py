"""Mails to customers: one per decision, in their language, with the reason why or why not."""

import asyncio
from datetime import timedelta
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import msgspec
import pytest

from jornada import crashpoints
from jornada.bus.publisher import Publisher
from jornada.clock import SystemClock
from jornada.events import Identifier
from services.notify.dispatch.decisions import CLAIMED, SENT, Decisions, From
from services.notify.domain.alerts import alert_of
from services.notify.senders.smtp import MailSender, Sent, SmtpSender
from services.notify.store import decisions, subjects
from services.notify.store.decisions import Due
from tests.notify.conftest import Notify, until
from tests.notify.factories import SHIPPED, crossing, into_red, records, scores, snapshot

NOW = SystemClock().now


class Scripted:
    """A sender that does as told and counts."""

    def __init__(self, *outcomes: Sent | BaseException) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[str] = []

    async def send(self, sender: str, recipient: str, mail: bytes) -> Sent:
        self.sent.append(recipient)
        outcome = self.outcomes.pop(0) if self.outcomes else Sent("sent")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Killed(BaseException):
    """Stands for the end of the process."""


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize(
    ("locale", "subject", "says"),
    [("pt-BR", "Caio, podemos ajudar?", "Uma pessoa lê cada resposta"), ("en", "Caio, can we help?", "A person reads")],
)
async def test_a_customer_gets_one_mail_in_their_language(notify: Notify, locale: str, subject: str, says: str) -> None:
    address = f"caio+{locale.casefold()}@example.com"
    await notify.started()
    traits = {"locale": locale, "firstName": "Caio", "email": address}
    await notify.bus.publish(
        records(
            crossing("caio", workspace=notify.workspace, recorded_at=NOW()),
            snapshot("caio", workspace=notify.workspace, traits=traits),
            scores("caio", workspace=notify.workspace),
        )
    )
    await until(lambda: _mails(notify, address))
    await notify.caught_up()
    (mail,) = notify.mails_to(address)
    assert mail["Subject"] == subject
    assert says in text_of(mail)
    (decision,) = (await notify.ask("/v1/customers/user_id:caio/decisions"))["items"]
    assert (decision["outcome"], decision["state"], decision["reason"]) == ("send", "sent", "eligible")
    assert mail["Message-ID"].startswith(f"<{decision['id']}@")
    (message,) = (await notify.ask("/v1/customers/user_id:caio/messages"))["items"]
    assert (message["subject"], message["language"], message["status"]) == (subject, locale, "sent")
    (touchpoint,) = await notify.touchpoints()
    assert (touchpoint.event, touchpoint.user_id, touchpoint.source) == ("Message Sent", "caio", "jornada")
    assert decision["id"].encode() in bytes(touchpoint.body)


async def test_nothing_is_written_before_the_campaign_is_started(notify: Notify) -> None:
    listed = (await notify.ask("/v1/campaigns"))["items"]
    assert [(each["name"], each["status"]) for each in listed] == [(SHIPPED, "draft")]
    await notify.bus.publish(into_red(["early"], workspace=notify.workspace, recorded_at=NOW()))
    await until(lambda: _count(notify, "alerts", 1))
    await notify.caught_up()
    assert await notify.count("decisions") == 0
    assert notify.mails_to("early@example.com") == []


async def test_a_suppressed_message_is_a_decision_and_a_touchpoint(notify: Notify) -> None:
    await notify.started()
    revoked = snapshot("rui", workspace=notify.workspace, consents={"email/service": "revoked"})
    red = scores("rui", workspace=notify.workspace)
    await notify.bus.publish(records(revoked, red, crossing("rui", workspace=notify.workspace, recorded_at=NOW())))
    await until(lambda: _count(notify, "decisions", 1))
    await notify.caught_up()
    (decision,) = (await notify.ask("/v1/customers/user_id:rui/decisions"))["items"]
    assert (decision["outcome"], decision["reason"]) == ("suppress", "no_consent")
    assert [each.event for each in await notify.touchpoints()] == ["Message Suppressed"]
    assert notify.mails_to("rui@example.com") == []


async def test_a_name_that_would_change_the_mail_is_not_written(notify: Notify) -> None:
    await notify.started()
    hostile = {"firstName": "=?utf-8?q?a=0D=0ABcc:_evil@x.example?=", "email": "mallory@example.com"}
    await notify.bus.publish(
        records(
            snapshot("mallory", workspace=notify.workspace, traits=hostile),
            scores("mallory", workspace=notify.workspace),
            crossing("mallory", workspace=notify.workspace, recorded_at=NOW()),
        )
    )
    await until(lambda: _count(notify, "decisions", 1))
    await notify.caught_up()
    (decision,) = (await notify.ask("/v1/customers/user_id:mallory/decisions"))["items"]
    assert decision["reason"] == "unsafe_data"
    assert notify.mails_to("mallory@example.com") == []


async def test_a_second_crossing_within_a_week_is_capped(notify: Notify) -> None:
    await notify.started()
    await notify.bus.publish(into_red(["twice"], workspace=notify.workspace, recorded_at=NOW()))
    await until(lambda: _mails(notify, "twice@example.com"))
    again = crossing("twice", workspace=notify.workspace, ordinal=2, recorded_at=NOW())
    await notify.bus.publish(records(again))
    await until(lambda: _count(notify, "decisions", 2))
    await notify.caught_up()
    reasons = [each["reason"] for each in (await notify.ask("/v1/customers/user_id:twice/decisions"))["items"]]
    assert sorted(reasons) == ["capped", "eligible"]
    assert len(notify.mails_to("twice@example.com")) == 1


async def test_an_e_mail_names_its_customer_in_any_case_and_nobody_once_several_state_it(notify: Notify) -> None:
    await notify.started()
    mail = Identifier("email", "ana.sousa@example.com")
    known = snapshot("ana", workspace=notify.workspace)
    await notify.bus.publish(
        records(msgspec.structs.replace(known, identifiers=[*known.identifiers, mail], version=20))
    )
    await notify.caught_up()
    assert (await notify.ask("/v1/customers/email:%20Ana.Sousa@Example.com/decisions"))["items"] == []
    await notify.bus.publish(records(msgspec.structs.replace(known, version=21)))
    await notify.caught_up()
    response = await notify.http.get("/v1/customers/email:ana.sousa@example.com/decisions")
    assert response.status_code == 404


async def test_a_customer_who_is_not_known_is_a_404(notify: Notify) -> None:
    assert (await notify.http.get("/v1/customers/user_id:nobody/decisions")).status_code == 404
    assert (await notify.http.get("/v1/customers/nonsense/decisions")).status_code == 400


@pytest.mark.parametrize(("point", "left"), [(CLAIMED, 0), (SENT, 1)])
async def test_a_crash_between_claim_and_record_never_sends_again(
    notify: Notify, monkeypatch: pytest.MonkeyPatch, point: str, left: int
) -> None:
    def kill(reached: str) -> None:
        if reached == point:
            raise Killed

    due = await _prepared(notify, f"crashed-{left}")
    sender = Scripted()
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(crashpoints, "reached", kill)
        await _decisions(notify, sender).take(due)
    assert await _state(notify, due) == "claimed"
    for _ in range(3):
        await _decisions(notify, sender).take(due)
    later = SystemClock().now() + timedelta(minutes=90)
    assert await decisions.give_up(notify.database, later, timedelta(minutes=2)) >= 1
    await _decisions(notify, sender).take(due)
    assert await _state(notify, due) == "unknown"
    assert len(sender.sent) == left


async def test_two_replicas_send_one_mail(notify: Notify) -> None:
    due = await _prepared(notify, "raced")
    sender = Scripted()
    replicas = [_decisions(notify, sender) for _ in range(6)]
    await asyncio.gather(*(each.take(due) for each in replicas))
    assert sender.sent == ["raced@example.com"]


async def test_a_mail_that_was_surely_not_taken_is_tried_again(notify: Notify) -> None:
    due = await _prepared(notify, "refused")
    sender = Scripted(Sent("again", "SMTPConnectError"))
    await _decisions(notify, sender).take(due)
    assert await _state(notify, due) == "waiting"
    async with notify.database.transaction([notify.workspace]) as connection:
        await connection.execute("update decisions set due_at = now() where id = $1", due.id)
    await _decisions(notify, sender).take(due)
    assert await _state(notify, due) == "sent"
    assert len(sender.sent) == 2


async def test_a_bounced_address_is_never_written_to_again(notify: Notify) -> None:
    due = await _prepared(notify, "bounced")
    sender = Scripted(Sent("bounced", "550"))
    await _decisions(notify, sender).take(due)
    assert await _state(notify, due) == "failed"
    second = await _prepared(notify, "bounced", ordinal=2)
    await _decisions(notify, sender).take(second)
    assert await _state(notify, second) == "suppressed"
    assert len(sender.sent) == 1


async def test_a_server_that_cannot_be_reached_surely_took_nothing() -> None:
    sent = await SmtpSender("smtp://127.0.0.1:1").send("a@example.com", "b@example.com", b"Subject: x\r\n\r\nx")
    assert sent.verdict == "again"


async def test_a_server_that_leaves_after_data_leaves_it_unknown() -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                break
            writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sent = await SmtpSender(f"smtp://127.0.0.1:{port}").send("a@example.com", "b@example.com", b"Subject: x\r\n\r\nx")
    server.close()
    assert sent.verdict == "unknown"


async def _prepared(notify: Notify, name: str, ordinal: int = 1) -> Due:
    """A decision that waits, which the running service does not see yet: it is due in an hour, for who asks then."""
    await notify.started()
    now = SystemClock().now() + timedelta(hours=1)
    told = crossing(name, workspace=notify.workspace, ordinal=ordinal, identifiers=[Identifier("user_id", name)])
    alert = alert_of(told, freshness=timedelta(hours=1), now=told.recorded_at)
    async with notify.database.transaction([notify.workspace]) as connection:
        await subjects.keep_journeys(connection, [snapshot(name, workspace=notify.workspace)])
        await subjects.keep_scores(connection, [scores(name, workspace=notify.workspace)])
        await decisions.enrol(connection, notify.workspace, alert, [SHIPPED], now)
    return Due(notify.workspace, decisions.decision_id(notify.workspace, SHIPPED, told.id))


class _Later(SystemClock):
    """An hour and a bit ahead, so that only its owner sees what is due then."""

    def now(self):  # type: ignore[no-untyped-def]
        return super().now() + timedelta(minutes=61)


def _decisions(notify: Notify, sender: MailSender) -> Decisions:
    from_ = From("no-reply@example.com", "Shop", ZoneInfo("America/Sao_Paulo"))
    return Decisions(notify.database, Publisher(notify.database, notify.bus), sender, from_, _Later())


async def _state(notify: Notify, due: Due) -> str:
    async with notify.database.transaction([notify.workspace]) as connection:
        state: str = await connection.fetchval("select state from decisions where id = $1", due.id)
    return state


async def _mails(notify: Notify, address: str) -> bool:
    return bool(notify.mails_to(address))


async def _count(notify: Notify, table: str, number: int) -> bool:
    return await notify.count(table) >= number
