"""Words, numbers and dates in the viewer's language."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent

_FOLDER = Path(__file__).parent / "languages"
LANGUAGES = ("en", "pt-BR")
DEFAULT = "en"


class Untranslated(KeyError):
    """The catalogue has no such text."""


@dataclass(frozen=True)
class Language:
    """One language: `texts` by key; a key with plural forms is kept as `key.one`, `key.other`."""

    name: str
    locale: Locale
    texts: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """The text of a key with its values filled in; raises Untranslated."""
        try:
            return self.texts[key].format(**values)
        except KeyError as error:
            raise Untranslated(f"{self.name}: {key} ({error})") from error

    def count(self, key: str, number: int, **values: object) -> str:
        """The text of a key for a number of things (`{n}` in the text)."""
        form = f"{key}.{self.locale.plural_form(number)}"
        return self.say(form if form in self.texts else f"{key}.other", n=self.number(number), **values)

    def term(self, family: str, word: str) -> str:
        """A word of the domain (`stage`, `kind`, …); itself, with spaces, where the catalogue has none."""
        return self.texts.get(f"{family}.{word}", word.replace("_", " "))

    def reason(self, because: object) -> str:
        """The text of a reason: made by the service that gave it; its code where it has no text of ours."""
        if isinstance(because, str):
            return because
        if not isinstance(because, Mapping):
            return ""
        text = because.get("text")
        if isinstance(text, Mapping) and text:
            return str(text.get(self.name) or text.get(DEFAULT) or next(iter(text.values())))
        return (
            str(text)
            if isinstance(text, str)
            else self.term("reason", str(because.get("code") or because.get("rule") or ""))
        )

    def number(self, number: float | Decimal, digits: int = 0) -> str:
        """A number with at most that many digits after the point."""
        return str(format_decimal(number, format="#,##0." + "#" * digits if digits else "#,##0", locale=self.locale))

    def signed(self, number: float) -> str:
        """A whole number with its sign: `+12`, `−3`; a plain 0."""
        whole = round(number)
        return f"{'+' if whole > 0 else '−' if whole < 0 else ''}{self.number(abs(whole))}"

    def percent(self, share: float) -> str:
        """A share of 1, in whole per cent, or in tenths below one per cent."""
        return str(format_percent(share, format="#,##0.#%" if 0 < share < 0.01 else "#,##0%", locale=self.locale))

    def money(self, money: object) -> str:
        """`{amount, currency}` as people write it, cents left out where there are none."""
        if not isinstance(money, Mapping):
            return ""
        try:
            amount, currency = Decimal(str(money["amount"])), str(money["currency"])
        except (KeyError, InvalidOperation):
            return ""
        whole = amount == amount.to_integral_value()
        pattern = self.locale.currency_formats["standard"].pattern.replace(".00", "") if whole else None
        return str(format_currency(amount, currency, format=pattern, locale=self.locale, currency_digits=not whole))

    def moneys(self, moneys: Iterable[object]) -> str:
        """Amounts in several currencies as a sum that nobody can reckon: `R$640 + $1,350`."""
        return " + ".join(self.money(each) for each in moneys)

    def reasons(self, because: object) -> str:
        """The texts of one reason or of several."""
        each = because if isinstance(because, list | tuple) else [because]
        return "; ".join(text for text in map(self.reason, each) if text)

    def day(self, at: datetime) -> str:
        """A date with its year, as the reasons write it."""
        return str(format_date(at.date(), format=self.say("time.day"), locale=self.locale))

    def moment(self, at: datetime) -> str:
        """A date and a time of day, in UTC."""
        return f"{self.day(at)}, {format_time(at, format='short', locale=self.locale)} UTC"

    def ago(self, at: datetime, now: datetime) -> str:
        """How long ago, or how soon: `3 days ago`, `in 3 days`."""
        apart = at - now
        if abs(apart) < timedelta(seconds=45):
            return self.say("time.now")
        return str(format_timedelta(apart, add_direction=True, locale=self.locale))

    def lasting(self, seconds: float) -> str:
        """A span of time: `3 days`."""
        return str(format_timedelta(timedelta(seconds=seconds), locale=self.locale))


def _loaded(name: str) -> Language:
    texts = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    return Language(name, Locale.parse(name, sep="-"), texts)


CATALOGUE: Mapping[str, Language] = {name: _loaded(name) for name in LANGUAGES}


def chosen(asked: str | None, kept: str | None, accept_language: str) -> Language:
    """The language asked for in the address, else the one kept in the cookie, else the first accepted."""
    for wish in (asked, kept, *_accepted(accept_language)):
        found = _matching(wish or "")
        if found is not None:
            return CATALOGUE[found]
    return CATALOGUE[DEFAULT]


def _matching(wish: str) -> str | None:
    first = wish.strip().lower().split("-")[0]
    return next((name for name in LANGUAGES if first and name.lower().split("-")[0] == first), None)


def _accepted(header: str) -> list[str]:
    wishes: list[tuple[float, str]] = []
    for part in header[:1_000].split(","):
        tag, _, quality = part.partition(";q=")
        try:
            wishes.append((float(quality or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for quality, tag in sorted(wishes, key=lambda wish: -wish[0]) if quality > 0]
