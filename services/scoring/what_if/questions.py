"""What the process is told first, and how its lines are read."""

from collections.abc import Iterable, Iterator

import msgspec

from jornada.events import JourneySnapshot, decode
from services.scoring.domain.freezing import Freeze
from services.scoring.domain.hindsight.tally import Asked, Tally, add
from services.scoring.domain.scores import Configuration
from services.scoring.domain.stating import decoded, encoded

END = b"{}\n"
"""The line after the last one: without it the last subject's may not all have come, and it is left out."""


class _Configured(msgspec.Struct, frozen=True):
    connected: list[str]
    own: list[msgspec.Raw]
    freezes: list[Freeze]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Two configurations, and what is asked of them."""

    today: _Configured
    changed: _Configured
    asked: Asked


def written(today: Configuration, changed: Configuration, asked: Asked) -> bytes:
    """The question as one line."""
    question = Question(today=_configured(today), changed=_configured(changed), asked=asked)
    return msgspec.json.encode(question) + b"\n"


def answered(lines: Iterator[bytes]) -> Tally:
    """The answer to the question on the first line, from the journeys on the lines after it, subject by subject."""
    question = msgspec.json.decode(next(lines), type=Question)
    today, changed, tally = _read(question.today), _read(question.changed), Tally()
    for series in _series(lines):
        add(tally, series, today, changed, question.asked)
    return tally


def _series(lines: Iterable[bytes]) -> Iterator[list[JourneySnapshot]]:
    series: list[JourneySnapshot] = []
    for line in lines:
        if line == END:
            break
        if not line.endswith(b"\n"):
            return
        journey: JourneySnapshot = decode(line, JourneySnapshot)
        if series and series[0].subject_id != journey.subject_id:
            yield series
            series = []
        series.append(journey)
    else:
        return
    if series:
        yield series


def _configured(configuration: Configuration) -> _Configured:
    own = [msgspec.Raw(encoded(each)) for each in configuration.own]
    return _Configured(sorted(configuration.connected), own, list(configuration.freezes))


def _read(configured: _Configured) -> Configuration:
    own = tuple(decoded(bytes(each)) for each in configured.own)
    return Configuration(frozenset(configured.connected), own, freezes=tuple(configured.freezes))
