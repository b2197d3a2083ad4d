"""Bytes to events and back. Encoding is deterministic, so equal events are equal bytes."""

from typing import Any, TypeVar
from uuid import UUID

import msgspec

from jornada.events.ids import WorkspaceId

_T = TypeVar("_T")
_encoder = msgspec.json.Encoder(order="deterministic")
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


class Undecodable(Exception):
    """The bytes are no event of the type asked for; repeating the attempt cannot help."""


def encode(event: object) -> bytes:
    """Renders an event as JSON, keys of mappings sorted."""
    return _encoder.encode(event)


def decode(value: bytes | None, type_: type[_T] | Any) -> _T:
    """Reads an event; raises Undecodable, also for a tombstone, which is none."""
    if value is None:
        raise Undecodable("a tombstone is no event")
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.json.Decoder(type_)
    try:
        return decoder.decode(value)  # type: ignore[no-any-return]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error


def topic_key(workspace: WorkspaceId | str, rest: object) -> bytes:
    """The key of every record of every topic: the workspace (36 characters), a slash, and whom it is about."""
    return f"{workspace}/{rest}".encode()


def workspace_of(key: bytes | None) -> WorkspaceId:
    """The workspace that a record's key names; raises Undecodable."""
    try:
        return WorkspaceId(UUID((key or b"")[:36].decode("ascii")))
    except ValueError as error:
        raise Undecodable("the key names no workspace") from error
