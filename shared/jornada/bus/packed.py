"""Records of one call that were written beforehand, so that a carrier need not look at each of them."""

from collections.abc import Sequence
from typing import Any, overload

from jornada.bus.carrier import Record

Headers = tuple[tuple[str, bytes], ...]


class Packed(Sequence[Record]):
    """Records of one topic with the same headers, each far below MAX_RECORD. Held natively (`express/`) by `written`.

    Who knows nothing of that reads them as any others.
    """

    __slots__ = ("headers", "topic", "written")

    def __init__(self, topic: str, headers: Headers, written: Any) -> None:
        self.topic = topic
        self.headers = headers
        self.written = written

    def __len__(self) -> int:
        return len(self.written)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        key, value = self.written[index if index >= 0 else index + len(self)]
        return Record(self.topic, key, value, self.headers)
