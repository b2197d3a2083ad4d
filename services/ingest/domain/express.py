"""A request on one of two lanes: ordinary events are taken natively, where that is built; all others are judged here.

The law: what the express lane takes, `judge` would have accepted with the very same verdict. It may decline anything.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal, Protocol

import msgspec

from jornada.events import WorkspaceId, topic_key
from jornada.events.touchpoints import CallType, Role
from jornada.instants import MICROSECOND
from services.ingest.domain.reading import Request, event_of, keyless, only, read_batch, read_events, read_single
from services.ingest.domain.time import history_limit
from services.ingest.domain.validation import Arrival, judge, judge_some
from services.ingest.domain.verdicts import Accept, Verdict

try:
    import jornada_express
except ImportError:
    jornada_express = None

Headers = tuple[tuple[str, bytes], ...]
"""Of records on the stream."""
Form = Literal["batch", "single", "events"]
"""How a body's events stand in it: in its `batch`, as the body itself, or as that or an array."""
IS_OPEN = jornada_express is not None
"""Whether the native lane was built; all is the same without it, and slower."""
RECENT = jornada_express.Recent if IS_OPEN else None
"""What remembers ids natively, given for how many of them there is room between two turns."""
_NOTHING = Request([], None, None, frozenset())


class Sent(Protocol):
    """A request that was read and is to be judged once it is known who sent it."""

    @property
    def count(self) -> int:
        """How many events there are."""

    @property
    def write_key(self) -> str | None:
        """The key that the body names. Raises Unreadable where it names several."""

    def verdicts(self, arrival: Arrival) -> list[Verdict]:
        """One for each event, in order."""

    def packed(self, arrival: Arrival, headers: Headers) -> Any:
        """The records of all events, held natively, where every one was taken; else None."""


class Judged:
    """All of it is judged by the rules."""

    __slots__ = ("_request", "count")

    def __init__(self, request: Request) -> None:
        self._request = request
        self.count = len(request.events)

    @property
    def write_key(self) -> str | None:
        return self._request.write_key

    def verdicts(self, arrival: Arrival) -> list[Verdict]:
        return judge(self._request, arrival)

    def packed(self, _arrival: Arrival, _headers: Headers) -> Any:
        return None


class Express:
    """Ordinary events are taken, the others judged; all are judged where a clock runs ahead, by which all are moved."""

    __slots__ = ("_places", "_reading", "_rest", "_slowly", "count")

    def __init__(self, reading: Any, slowly: Callable[[], Request]) -> None:
        self._reading, self._slowly = reading, slowly
        self.count = len(reading)
        self._places, self._rest = [], _NOTHING
        if not reading.is_whole:
            self._places = [place for place, _ in reading.declined]
            self._rest = keyless([event_of(raw) for _, raw in reading.declined], None, reading.sent_at)

    @property
    def write_key(self) -> str | None:
        return only(self._reading.write_keys | self._rest.write_keys)

    def verdicts(self, arrival: Arrival) -> list[Verdict]:
        verdicts = self.taken(arrival)
        if verdicts is not None and self._places:
            others, ahead = judge_some(self._rest, self._places, arrival)
            for place, verdict in zip(self._places, others, strict=True):
                verdicts[place] = verdict
            verdicts = None if ahead else verdicts
        return judge(self._slowly(), arrival) if verdicts is None else verdicts

    def taken(self, arrival: Arrival) -> list[Verdict] | None:
        verdicts: list[Verdict] | None = self._reading.accepted(Accept, *_about(arrival))
        return verdicts

    def packed(self, arrival: Arrival, headers: Headers) -> Any:
        return None if self._places else self._reading.packed(*_about(arrival), headers)


def sent(body: bytes, form: Form, type_: CallType | None = None) -> Sent:
    """The events of a body; `type_` is that of a single one which does not name it. Raises Unreadable."""
    reading = jornada_express.read(body, form, type_) if IS_OPEN else None
    slowly = partial(_SLOWLY[form], body, type_)
    return Judged(slowly()) if reading is None else Express(reading, slowly)


_SLOWLY: dict[Form, Callable[[bytes, Any], Request]] = {
    "batch": lambda body, _type: read_batch(body),
    "single": read_single,
    "events": lambda body, _type: read_events(body),
}


def _about(arrival: Arrival) -> tuple[bytes, bytes, int, int, Arrival]:
    record, about, history = _begins(arrival.workspace, arrival.source, arrival.role)
    return record, about, history, arrival.at, arrival


@lru_cache(1_000)
def _begins(workspace: WorkspaceId, source: str, role: Role) -> tuple[bytes, bytes, int]:
    """How the records of one source begin, and their keys; and from what age on, in microseconds, they are history."""
    record = msgspec.json.encode({"workspace": workspace, "source": source, "role": role})[:-1]
    return record, topic_key(workspace, ""), history_limit(role) // MICROSECOND
