"""What a key or a token allows, and what there is to administer."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from jornada.events.ids import WorkspaceId

SourceRole = Literal["product", "billing", "support", "messaging", "import"]
Scope = Literal["read", "write", "admin", "payloads"]
ROLES: tuple[SourceRole, ...] = get_args(SourceRole)
SCOPES: tuple[Scope, ...] = get_args(Scope)
RESERVED_SOURCE = "jornada"
"""The source of what the system itself sends; nobody else gets a key for it."""


@dataclass(frozen=True, slots=True)
class WriteGrant:
    """A valid write key: events come in as this source of this workspace."""

    workspace: WorkspaceId
    source: str
    role: SourceRole
    key_id: UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """The bearer of a valid API token, bound to one workspace."""

    workspace: WorkspaceId
    scopes: frozenset[Scope]
    token_id: UUID


@dataclass(frozen=True, slots=True)
class Workspace:
    id: WorkspaceId
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Source:
    workspace: WorkspaceId
    name: str
    role: SourceRole
    created_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class WriteKey:
    """A write key as it is listed: its secret is nowhere."""

    id: UUID
    workspace: WorkspaceId
    source: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API token as it is listed: its secret is nowhere."""

    id: UUID
    workspace: WorkspaceId
    name: str
    hint: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new write key with its secret, shown this once."""

    key: WriteKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new API token with its secret, shown this once."""

    token: ApiToken
    secret: str = field(repr=False)
