"""A request that is answered without the framework, where its cost is all that counts."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

import msgspec

Headers = tuple[tuple[bytes, bytes], ...]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An answer as it goes out: with headers that many have, and others of its own; its length is not among them."""

    status: int
    headers: Headers
    body: bytes
    own: Headers = ()


class Head(Protocol):
    """What a request says before its body. `jornada_express.Whole` is one too."""

    @property
    def fields(self) -> Sequence[tuple[bytes, bytes]]:
        """Names, in lower case, and values, in their order."""

    @property
    def length(self) -> int | None:
        """The bytes of the body, where they are stated."""

    def get(self, name: bytes) -> bytes | None:
        """The value of the last field of a name."""


class Fields:
    """A head of which all fields were read."""

    __slots__ = ("_named", "fields")

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self.fields = [*fields]
        self._named = dict(self.fields)

    @property
    def length(self) -> int | None:
        """As `Head` has it."""
        stated = self._named.get(b"content-length", b"")
        return int(stated[:20]) if stated.isdigit() else None

    def get(self, name: bytes) -> bytes | None:
        """As `Head` has it."""
        return self._named.get(name)


class Exchange(Protocol):
    """One request that was begun. Its body is taken as it comes; once it is whole there is an answer."""

    def take(self, part: bytes) -> Answer | None:
        """Takes a part of the body; an answer says that no more is wanted."""

    def answer(self, then: Callable[[Answer], None]) -> Coroutine[Any, Any, None] | None:
        """Tells `then` the answer to the whole body, now or later; what is returned, if anything, is awaited for that.

        Neither raises anything but being cancelled.
        """

    def end(self) -> None:
        """It was answered, or its sender has gone."""


Begin = Callable[[bytes, bytes, Head], Exchange | Answer | None]
"""What an application has as `begin`: given method, target and head, the exchange that begins, an answer to what is not
to be begun, or None for what goes the way of the framework."""
