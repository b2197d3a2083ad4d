"""One request as bytes on a socket, and what must become of it."""

import base64
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from services.ingest.api.collect import PATHS

ACCEPTED = "accepted"
_SINGLE = [path + slash for path, call in PATHS.items() if call for slash in ("", "/")]
_BATCH = [path + slash for path, call in PATHS.items() if not call for slash in ("", "/")]

Event = Callable[[str], bytes]
"""An event's text, given the name of its case, which is its messageId."""


@dataclass(frozen=True)
class Expected:
    """What the rules decide.

    `statuses` are the answers that are right; `code` is a refusal's. `results` has, for each event, `accepted` or the
    code of its rejection; `kept` the JSON text that must be read back of each accepted one, by its place.
    A `silent` request may also be cut off without an answer: it never was a whole one.
    """

    statuses: frozenset[int] = frozenset()
    code: str | None = None
    results: tuple[str, ...] | None = None
    kept: dict[int, bytes] = field(default_factory=dict)
    silent: bool = False


LAWFUL = Expected()
"""Nothing but the law: some answer that is right, in time."""


@dataclass(frozen=True)
class Case:
    """Bytes to write, with pauses in seconds between them; `answers` come back on the one connection."""

    name: str
    pieces: tuple[bytes | float, ...]
    expected: Expected
    answers: int = 1


def refused(status: int, code: str | None = None) -> Expected:
    """The whole request is refused."""
    return Expected(frozenset({status}), code)


def judged(*each: str | bytes) -> Expected:
    """A 200: for each event the code of its rejection, or the text that must be kept."""
    results = tuple(ACCEPTED if isinstance(one, bytes) else one for one in each)
    return Expected(frozenset({200}), None, results, {i: one for i, one in enumerate(each) if isinstance(one, bytes)})


def single_path(name: str) -> str:
    """One of the paths of single calls, another for another name."""
    return _SINGLE[zlib.crc32(name.encode()) % len(_SINGLE)]


def batch_path(name: str) -> str:
    """One of the paths of batches, another for another name."""
    return _BATCH[zlib.crc32(name.encode()) % len(_BATCH)]


def basic(key: str) -> bytes:
    """The key as an SDK sends it."""
    return b"authorization: Basic " + base64.b64encode(f"{key}:".encode())


def request(path: str, body: bytes, *lines: bytes, method: str = "POST") -> bytes:
    """A whole HTTP/1.1 request."""
    head = [f"{method} {path} HTTP/1.1".encode(), b"host: ingest", b"connection: close", *lines]
    return b"\r\n".join([*head, b"content-length: %d" % len(body), b"", body])


def track(name: str, members: bytes = b"") -> bytes:
    """A good event with more members, as they are written."""
    known = b'{"type":"track","event":"A","userId":"u-%b","messageId":"%b"' % (name.encode(), name.encode())
    return known + (b"," + members if members else b"") + b"}"


def holding(value: bytes) -> Event:
    """A good event whose properties hold a value, as it is written."""
    return lambda name: track(name, b'"properties":{"p":%b}' % value)


def alone(key: str, name: str, event: Event, expected: str) -> Case:
    """The event as a single call; `expected` is `accepted` or a code."""
    text = event(name)
    outcome = judged(text.strip() if expected == ACCEPTED else expected)
    return Case(name, (request(single_path(name), text, basic(key)),), outcome)


def among(key: str, name: str, event: Event, expected: str) -> Case:
    """The event in a batch, between two good ones, which it must not harm."""
    text = event(name)
    before, after = track(f"{name}-before"), track(f"{name}-after")
    outcome = judged(before, text.strip() if expected == ACCEPTED else expected, after)
    return Case(
        name, (request(batch_path(name), b'{"batch":[%b, %b,%b]}' % (before, text, after), basic(key)),), outcome
    )


def both(key: str, name: str, event: Event, expected: str) -> Iterator[Case]:
    """The event alone and among others."""
    yield alone(key, f"{name}-alone", event, expected)
    yield among(key, f"{name}-among", event, expected)


def whole(key: str, name: str, body: bytes, expected: Expected, *, batch: bool = True) -> Case:
    """A body as it stands, on a path of batches or of single calls."""
    path = batch_path(name) if batch else single_path(name)
    return Case(name, (request(path, body, basic(key)),), expected)
