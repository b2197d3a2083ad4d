"""HTTP the way every service speaks it: problems, health, limits, references, pages, access."""

from jornada.web.app import Check, application
from jornada.web.auth import Gate
from jornada.web.exchange import Answer, Begin, Exchange, Fields, Head, Headers
from jornada.web.pages import Limit, Page, cursor_of, id_after, number_after, position_of
from jornada.web.problems import Problem
from jornada.web.references import Reference, parse_reference

__all__ = [
    "Answer",
    "Begin",
    "Check",
    "Exchange",
    "Fields",
    "Gate",
    "Head",
    "Headers",
    "Limit",
    "Page",
    "Problem",
    "Reference",
    "application",
    "cursor_of",
    "id_after",
    "number_after",
    "parse_reference",
    "position_of",
]
