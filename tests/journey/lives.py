"""Random lives from a seed: people with devices, e-mails, aliases and accounts, and all kinds of touchpoints."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from jornada.events import Touchpoint
from jornada.events.touchpoints import RESERVED_SOURCE
from tests.journey.makes import at, touchpoint

BEGIN = at(-500)
END = at(0)
SOURCES: Mapping[str, str] = {"app": "product", "billing": "billing", "support": "support", "archive": "import"}

_PRODUCT = (
    "Report Exported", "Report Exported", "Dashboard Shared", "Signed In", "Signed Up", "Account Created",
    "Trial Started", "Order Completed", "Order Refunded", "Product Viewed", "Product Added", "Application Opened",
    "Feature Used", "Survey Responded", "Referral Made", "Training Completed", "Training Started",
    "Onboarding Step Completed", "Email Opened", "Consent Updated", "Deep Link Opened", "Live Chat Message Sent",
    "Trial Ended", "Community Post Created", "Idea Submitted",
)  # fmt: skip
_RARE = ("Account Deleted", "Unsubscribed")
_BILLING = (
    "Subscription Started", "Subscription Renewed", "Subscription Upgraded", "Subscription Cancelled",
    "Payment Failed", "Payment Recovered", "Invoice Overdue", "Report Exported",
)  # fmt: skip
_SUPPORT = (
    "Support Ticket Created", "Support Ticket Resolved", "Support Ticket Reopened", "Support Ticket Replied",
    "Contact Logged", "Contact Logged", "Live Chat Message Received", "Feedback Answered",
)  # fmt: skip
_PAUSES = (
    timedelta(0), timedelta(seconds=41), timedelta(minutes=30), timedelta(minutes=30, microseconds=1),
    timedelta(hours=5), timedelta(days=1), timedelta(days=1), timedelta(days=3), timedelta(days=9), timedelta(days=33),
)  # fmt: skip

Names = dict[str, str | None]


class Lives:
    """Draws households one after the other. `ours` mingles in what Jornada would have written itself."""

    def __init__(self, seed: int, *, ours: bool = True) -> None:
        self.story: list[Touchpoint] = []
        self._random = Random(seed)
        self._ours = ours
        self._prefix = f"{seed}-"
        self._households = 0

    def draw(self, count: int) -> list[Touchpoint]:
        """So many touchpoints, household by household, each in the order in which it happened."""
        kinds: Sequence[tuple[Callable[[], None], int]] = (
            (self._alone, 30), (self._nameless, 10), (self._family, 20), (self._renamed, 15), (self._rivals, 8),
            (self._company, 14), (self._kiosk, 1), (self._collector, 2),
        )  # fmt: skip
        for make, _ in kinds:  # each at least once
            self._next(make)
        acts, weights = zip(*kinds, strict=True)
        while len(self.story) < count:
            self._next(self._random.choices(acts, weights)[0])
        return self.story[:count]

    def _next(self, make: Callable[[], None]) -> None:
        self._households += 1
        make()

    def _named(self, what: str) -> str:
        return f"{self._prefix}{self._households}-{what}"

    def _alone(self) -> None:
        """One person on two devices, known from some time on."""
        user, phone, laptop = map(self._named, ("ana", "phone", "laptop"))
        ways: list[Names] = [{"anonymous_id": phone}, {"user_id": user, "anonymous_id": phone}]
        ways += [{"user_id": user}, {"user_id": user, "anonymous_id": laptop}, {"anonymous_id": laptop}]
        self._live(self._random.randint(5, 40), ways)

    def _nameless(self) -> None:
        """Devices that only an e-mail makes one customer."""
        email = f"{self._named('Mail')}@Example.com "
        for device in ("tv", "radio", "watch")[: self._random.randint(1, 3)]:
            named: Names = {"anonymous_id": self._named(device)}
            self._live(self._random.randint(1, 8), [named])
            self._identify(named, email)

    def _family(self) -> None:
        """Several people who share a tablet, each with a phone of their own; whoever is on it may say an e-mail."""
        tablet = self._named("tablet")
        people = [self._named(name) for name in ("ana", "bia", "caio")[: self._random.randint(2, 3)]]
        ways: list[Names] = [{"anonymous_id": tablet}] * 3
        ways += [{"user_id": user, "anonymous_id": tablet} for user in people]
        ways += [{"user_id": user, "anonymous_id": f"{user}-phone"} for user in people]
        self._live(self._random.randint(10, 50), ways)
        if self._random.random() < 0.5:
            self._identify({"anonymous_id": tablet}, f"{self._named('home')}@x.com")
        if self._random.random() < 0.3:
            self._alias(people[0], people[1])

    def _renamed(self) -> None:
        """A person whose earlier ids are said to be theirs, early, late or twice."""
        user, old, cookie = map(self._named, ("new", "old", "cookie"))
        ways: list[Names] = [{"user_id": user}, {"user_id": old}, {"anonymous_id": cookie}]
        self._live(self._random.randint(3, 20), ways)
        for previous in self._random.sample([old, cookie, self._named("never")], self._random.randint(1, 3)):
            self._alias(previous, user)
        self._live(self._random.randint(3, 10), ways)

    def _rivals(self) -> None:
        """Two people who state one e-mail, with devices that state it too; perhaps they turn out to be one."""
        email = f"{self._named('shared')}@x.com"
        for name in ("ana", "bia"):
            user, device = self._named(name), self._named(f"{name}-phone")
            self._live(self._random.randint(2, 10), [{"user_id": user}, {"user_id": user, "anonymous_id": device}])
            self._identify({"user_id": user}, email)
        lone: Names = {"anonymous_id": self._named("lone")}
        self._identify(lone, email)
        self._live(2, [lone])
        if self._random.random() < 0.4:
            self._alias(self._named("ana"), self._named("bia"))

    def _company(self) -> None:
        """People of two accounts, which have contracts of their own."""
        accounts = [self._named(name) for name in ("acme", "globex")]
        for name in ("ana", "bia", "caio", "dora")[: self._random.randint(1, 4)]:
            named: Names = {"user_id": self._named(name), "anonymous_id": self._named(f"{name}-pc")}
            for account in self._random.sample(accounts, self._random.randint(1, 2)):
                self._add(self._some_day(), type="group", group_id=account, traits={"name": account}, **named)
            self._live(self._random.randint(2, 15), [named])
        for account in accounts:
            own: Names = {"group_id": account}
            billed: Names = {"group_id": account, "user_id": self._named("ana")}
            self._live(
                self._random.randint(2, 6), [own, billed], source="billing", names=(*_BILLING[:-1], "Trial Started")
            )

    def _kiosk(self) -> None:
        """A device in a hall that everybody uses."""
        hall, when = self._named("hall"), self._some_day()
        for number in range(54):
            when += timedelta(minutes=7)
            self._add(when, event="Signed In", user_id=self._named(f"guest{number}"), anonymous_id=hall)
            self._add(when, event="Report Exported", anonymous_id=hall)

    def _collector(self) -> None:
        """A person of more e-mails than one has."""
        named: Names = {"user_id": self._named("ana"), "anonymous_id": self._named("phone")}
        for number in range(7):
            self._identify(named, f"{self._named(str(number))}@x.com")
        self._identify({"anonymous_id": self._named("other")}, f"{self._named('6')}@x.com")
        self._live(5, [named])

    def _some_day(self) -> datetime:
        return BEGIN + timedelta(microseconds=self._random.randrange(300 * 86_400_000_000))

    def _identify(self, named: Names, email: str) -> None:
        """As a trait of its own or of its context, with a trait that is stated and one that is taken back."""
        said = {"email": email}
        given: dict[str, Any] = {"traits": said} if self._random.random() < 0.7 else {"context": {"traits": said}}
        given.setdefault("traits", {}).update(name=self._random.choice(["Ana", "Bia", None]), age=len(self.story) % 90)
        if self._random.random() < 0.6:
            types = self._random.choice([["community", "vip"], ["dedicated", "co_creation"], "dedicated", [], None])
            given["traits"].update(relationship_types=types, owner=self._random.choice(["caio@x.com", None]))
        self._add(self._some_day(), type="identify", **given, **named)

    def _alias(self, previous: str, user: str) -> None:
        self._add(self._some_day(), type="alias", previous_id=previous, user_id=user)

    def _live(self, count: int, ways: Sequence[Names], source: str | None = None, names: Sequence[str] = ()) -> None:
        when = self._some_day()
        for _ in range(count):
            when = min(when + self._random.choice(_PAUSES), END - timedelta(days=1))
            came = source or self._random.choices([*SOURCES], [80, 8, 8, 4])[0]
            self._act(when, came, names or self._of(came), self._random.choice(ways))

    def _of(self, source: str) -> Sequence[str]:
        if source in {"billing", "support"}:
            return _BILLING if source == "billing" else _SUPPORT
        return _RARE if self._random.random() < 0.01 else _PRODUCT

    def _act(self, when: datetime, source: str, names: Sequence[str], named: Names) -> None:
        draw = self._random.random()
        if self._ours and draw < 0.03:
            self._add(when, event="Message Sent", **{**named, "source": RESERVED_SOURCE, "role": "messaging"})
        elif draw < 0.15 and source == "app":
            campaign = {"context": {"campaign": {"name": "spring"}}} if draw < 0.08 else {}
            self._add(when, type=self._random.choice(["page", "screen"]), **campaign, **named)
        else:
            event = self._random.choice(names)
            self._add(when, event=event, source=source, properties=self._said(event, when), **named)
        if draw > 0.98 and source == "app":
            # Another source says something at the same instant under the same id.
            twin = self.story[-1].message_id
            self.story.append(_told(twin, when, source="support", event="Contact Logged", **named))

    def _add(self, when: datetime, **given: Any) -> None:
        self.story.append(_told(f"{self._prefix}{len(self.story)}", when, **given))

    def _said(self, event: str, when: datetime) -> dict[str, Any]:
        draw = self._random
        later = (when + timedelta(days=draw.randint(-5, 60))).isoformat()
        match event:
            case "Order Completed":
                return {"revenue": draw.choice(["0.1", 19.9, 7, "12.345"]), "currency": draw.choice(["EUR", "brl"])}
            case "Survey Responded":
                return {"survey_type": draw.choice(["nps", "nps", "csat"]), "score": draw.randint(3, 10)}
            case _ if event.startswith("Support Ticket "):
                return {"ticket_id": draw.randint(1, 4), "severity": draw.randint(1, 4)}
            case "Subscription Started" | "Subscription Renewed":
                return {"renewal_at": later, "auto_renew": draw.random() < 0.4, "plan": "pro", "seats": 3}
            case "Subscription Cancelled" | "Trial Started":
                said = "effective_at" if event == "Subscription Cancelled" else "trial_ends_at"
                return {said: later} if draw.random() < 0.5 else {}
            case "Consent Updated":
                return {"channel": "email", "purpose": "news", "status": draw.choice(["granted", "denied", "revoked"])}
            case "Feature Used":
                return {"feature": draw.choice(["export", "share"])}
            case _:
                types = ["dedicated", "community", "self_service", "vip"]
                about: dict[str, Any] = {"step": draw.randint(1, 3), "course_id": draw.randint(1, 3)}
                about |= {"relationship_type": draw.choice(types)}
                return about | {"direction": draw.choice(["inbound", "outbound", "both"])}


def _told(message_id: str, when: datetime, *, source: str = "app", **given: Any) -> Touchpoint:
    fields = {"role": SOURCES.get(source, ""), **given, "source": source, "occurred_at": when, "received_at": END}
    return touchpoint(message_id, **fields)


def shuffled(story: Sequence[Touchpoint], seed: int, again: float = 0.2) -> list[Touchpoint]:
    """The story in an order of its own, with a share of it told again."""
    chance = Random(seed)
    told = [*story, *chance.sample(list(story), int(len(story) * again))]
    chance.shuffle(told)
    return told
