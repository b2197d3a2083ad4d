"""Liquid with limits: what a campaign says, rendered with what is known of the customer."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from liquid import Environment, StrictUndefined, Undefined
from liquid.exceptions import LiquidError

from jornada.events import Reason
from services.notify.domain.campaigns import Text
from services.notify.domain.customers import Customer, text

_FILTERS = frozenset(
    [
        "abs",
        "append",
        "at_least",
        "at_most",
        "capitalize",
        "ceil",
        "date",
        "default",
        "divided_by",
        "downcase",
        "escape",
        "first",
        "floor",
        "last",
        "minus",
        "modulo",
        "plus",
        "prepend",
        "round",
        "size",
        "strip",
        "truncate",
        "truncatewords",
        "upcase",
        "url_encode",
    ]
)
"""Those whose answer is about as long as what they are given, and that never undo the escaping."""
_TAGS = frozenset(
    [
        "#",
        "assign",
        "break",
        "capture",
        "case",
        "comment",
        "content",
        "continue",
        "cycle",
        "echo",
        "for",
        "if",
        "illegal",
        "liquid",
        "output",
        "unless",
    ]
)


class TemplateFailed(Exception):
    """The template is wrong, asks for too much, or names what is not there; the message says where."""


class Rendered(NamedTuple):
    """A message as it is sent."""

    subject: str
    text: str
    html: str | None


class _Limited(Environment):
    output_stream_limit = 200_000
    loop_iteration_limit = 1_000
    local_namespace_limit = 200_000

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.filters = {name: act for name, act in self.filters.items() if name in _FILTERS}
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}


def _environment(*, html: bool, strict: bool) -> Environment:
    return _Limited(autoescape=html, undefined=StrictUndefined if strict else Undefined, strict_filters=True)


_ENVIRONMENTS = {
    (html, strict): _environment(html=html, strict=strict) for html in (False, True) for strict in (False, True)
}


def render(template: Text, data: Mapping[str, Any], *, strict: bool) -> Rendered:
    """The message; raises TemplateFailed. `strict` refuses unknown variables, else they are empty.

    Values are escaped in `html`. A subject is one line: white space in it is folded to single spaces.
    """
    return Rendered(
        subject=" ".join(_rendered(template.subject, data, html=False, strict=strict).split(" ")).strip(),
        text=_rendered(template.text, data, html=False, strict=strict),
        html=None if template.html is None else _rendered(template.html, data, html=True, strict=strict),
    )


def check(template: Text) -> None:
    """Refuses a template that cannot be read; raises TemplateFailed."""
    for source, html in ((template.subject, False), (template.text, False), (template.html or "", True)):
        try:
            _ENVIRONMENTS[html, False].from_string(source)
        except (LiquidError, RecursionError) as error:
            raise TemplateFailed(str(error)) from error


def data_of(customer: Customer, because: Sequence[Reason], language: str) -> dict[str, Any]:
    """What a template may name: `customer` (first_name, name, stage, traits) and `because` (texts in the language)."""
    name = text(customer.traits, "name")
    first = text(customer.traits, "firstName") or text(customer.traits, "first_name")
    known = {
        "first_name": first or (name.split()[0] if name else None),
        "name": name or first,
        "stage": customer.stage,
        "traits": customer.traits,
    }
    reasons = [each.text.get(language) or each.text.get("en") for each in because]
    return {"customer": known, "because": [reason for reason in reasons if reason], "language": language}


def sample() -> dict[str, Any]:
    """Data to preview a template with."""
    customer = {"first_name": "Ana", "name": "Ana Souza", "stage": "at_risk", "traits": {"firstName": "Ana"}}
    return {"customer": customer, "because": ["no use for 24 days"], "language": "en"}


def _rendered(source: str, data: Mapping[str, Any], *, html: bool, strict: bool) -> str:
    try:
        return _ENVIRONMENTS[html, strict].from_string(source).render(**data)
    except (LiquidError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise TemplateFailed(str(error)) from error
