"""A request that is answered without the framework, where its cost is all that counts."""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

Headers = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """An answer as it goes out; its length is not among the headers."""

    status: int
    headers: Headers
    body: bytes


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


Begin = Callable[[bytes, bytes, Headers], Exchange | Answer | None]
"""What an application has as `begin`: given method, target and headers, the exchange that begins, an answer to what is
not to be begun, or None for what goes the way of the framework."""
