"""Workspaces, sources, keys and tokens in Postgres; secrets only as hashes."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from jornada.access.grants import (
    RESERVED_SOURCE,
    ROLES,
    SCOPES,
    ApiToken,
    IssuedKey,
    IssuedToken,
    Principal,
    Scope,
    Source,
    SourceRole,
    Workspace,
    WriteGrant,
    WriteKey,
)
from jornada.access.policies import READER, WRITER
from jornada.access.secrets import digest, draw_api_token, draw_write_key, hint
from jornada.db import Connection, Database
from jornada.events.ids import WorkspaceId, new_id

_KEY = "id, workspace, source, hint, created_at, revoked_at"
_TOKEN = "id, workspace, name, hint, scopes, created_at, revoked_at"  # noqa: S105


class Refused(Exception):
    """What was asked cannot be: `code` (snake_case, stable) for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PostgresAccess:
    """Reads and writes access, each write within one workspace. Every method may raise Unavailable or Conflict.

    The database's login must be a member of `jornada_access_reader`, and for writes of `jornada_access`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_workspace(self, name: str) -> Workspace:
        """Raises Refused: workspace_taken, invalid_name."""
        workspace = WorkspaceId(new_id())
        async with self._writing(
            workspace, taken=f"a workspace {name!r} exists already", code="workspace_taken"
        ) as sql:
            row = await sql.fetchrow(
                "insert into access.workspaces (id, name) values ($1, $2) returning id, name, created_at",
                workspace,
                name,
            )
        return _workspace(_found(row))

    async def workspaces(self) -> list[Workspace]:
        """Every workspace, by name."""
        async with self._database.transaction(role=READER) as sql:
            rows = await sql.fetch("select id, name, created_at from access.workspaces order by name")
        return [_workspace(row) for row in rows]

    async def workspace(self, name: str) -> Workspace:
        """The workspace of that name; raises Refused: workspace_unknown."""
        async with self._database.transaction(role=READER) as sql:
            row = await sql.fetchrow("select id, name, created_at from access.workspaces where name = $1", name)
        if row is None:
            raise Refused("workspace_unknown", f"there is no workspace {name!r}")
        return _workspace(row)

    async def create_source(self, workspace: WorkspaceId, name: str, role: SourceRole) -> Source:
        """A new source, or one removed before (its keys stay revoked).

        Raises Refused: source_taken, source_reserved, invalid_name, invalid_role, workspace_unknown.
        """
        if name == RESERVED_SOURCE:
            raise Refused("source_reserved", f"the source {name!r} is reserved")
        if role not in ROLES:
            raise Refused("invalid_role", f"a source's role is one of {', '.join(ROLES)}")
        async with self._writing(workspace) as sql:
            row = await sql.fetchrow(
                """insert into access.sources as ours (workspace, name, role) values ($1, $2, $3)
                on conflict (workspace, name) do update
                set role = excluded.role, created_at = clock_timestamp(), removed_at = null
                where ours.removed_at is not null
                returning workspace, name, role, created_at, removed_at""",
                workspace,
                name,
                role,
            )
        if row is None:
            raise Refused("source_taken", f"a source {name!r} exists already")
        return _source(row)

    async def sources(
        self, workspace: WorkspaceId, *, removed: bool = False, after: str = "", limit: int | None = None
    ) -> list[Source]:
        """The workspace's sources by name, the removed ones too if asked; all, or `limit` of those after a name."""
        async with self._writing(workspace) as sql:
            rows = await sql.fetch(
                """select workspace, name, role, created_at, removed_at from access.sources
                where workspace = $1 and (removed_at is null or $2) and name > $3 order by name limit $4""",
                workspace,
                removed,
                after,
                limit,
            )
        return [_source(row) for row in rows]

    async def remove_source(self, workspace: WorkspaceId, name: str) -> Source:
        """Marks a source as removed and revokes its keys; again is the same. Raises Refused: source_unknown."""
        async with self._writing(workspace) as sql:
            row = await sql.fetchrow(
                """update access.sources set removed_at = coalesce(removed_at, clock_timestamp())
                where workspace = $1 and name = $2 returning workspace, name, role, created_at, removed_at""",
                workspace,
                name,
            )
            await sql.execute(
                """update access.write_keys set revoked_at = clock_timestamp()
                where workspace = $1 and source = $2 and revoked_at is null""",
                workspace,
                name,
            )
        if row is None:
            raise Refused("source_unknown", f"there is no source {name!r}")
        return _source(row)

    async def create_key(self, workspace: WorkspaceId, source: str, secret: str | None = None) -> IssuedKey:
        """A write key with a drawn secret, or the given one. Raises Refused: source_unknown, secret_taken."""
        async with self._writing(workspace, taken="this write key is or was in use", code="secret_taken") as sql:
            return await _insert_key(sql, workspace, source, secret or draw_write_key())

    async def keys(
        self, workspace: WorkspaceId, source: str | None = None, *, after: UUID | None = None, limit: int | None = None
    ) -> list[WriteKey]:
        """The workspace's write keys, or one source's, oldest first, the revoked ones too; all, or `limit` of those
        after an id."""
        async with self._writing(workspace) as sql:
            rows = await sql.fetch(
                f"""select {_KEY} from access.write_keys
                where workspace = $1 and ($2::text is null or source = $2) and ($3::uuid is null or id > $3)
                order by id limit $4""",  # noqa: S608
                workspace,
                source,
                after,
                limit,
            )
        return [_key(row) for row in rows]

    async def revoke_key(self, workspace: WorkspaceId, key_id: UUID) -> WriteKey:
        """Refuses the key from now on (a Keyring: within 30 s); again is the same. Raises Refused: key_unknown."""
        async with self._writing(workspace) as sql:
            row = await sql.fetchrow(
                f"""update access.write_keys set revoked_at = coalesce(revoked_at, clock_timestamp())
                where workspace = $1 and id = $2 returning {_KEY}""",  # noqa: S608
                workspace,
                key_id,
            )
        if row is None:
            raise Refused("key_unknown", f"there is no write key {key_id}")
        return _key(row)

    async def rotate_key(self, workspace: WorkspaceId, key_id: UUID) -> IssuedKey:
        """A second key for the same source; the old one stays valid until it is revoked.

        Raises Refused: key_unknown (also for a revoked one), source_unknown.
        """
        async with self._writing(workspace) as sql:
            source = await sql.fetchval(
                "select source from access.write_keys where workspace = $1 and id = $2 and revoked_at is null",
                workspace,
                key_id,
            )
            if source is None:
                raise Refused("key_unknown", f"there is no valid write key {key_id}")
            return await _insert_key(sql, workspace, source, draw_write_key())

    async def create_token(
        self, workspace: WorkspaceId, name: str, scopes: Iterable[Scope], secret: str | None = None
    ) -> IssuedToken:
        """An API token. Raises Refused: invalid_scope, secret_taken, workspace_unknown."""
        wanted = sorted(set(scopes))
        if not wanted or not set(wanted) <= set(SCOPES):
            raise Refused("invalid_scope", f"a token's scopes are one or more of {', '.join(SCOPES)}")
        drawn = secret or draw_api_token()
        async with self._writing(workspace, taken="this API token is or was in use", code="secret_taken") as sql:
            row = await sql.fetchrow(
                f"""insert into access.api_tokens (id, workspace, name, sha256, hint, scopes)
                values ($1, $2, $3, $4, $5, $6) returning {_TOKEN}""",  # noqa: S608
                new_id(),
                workspace,
                name,
                digest(drawn),
                hint(drawn),
                wanted,
            )
        return IssuedToken(_token(_found(row)), drawn)

    async def tokens(self, workspace: WorkspaceId) -> list[ApiToken]:
        """The workspace's API tokens, oldest first, the revoked ones too."""
        async with self._writing(workspace) as sql:
            rows = await sql.fetch(
                f"select {_TOKEN} from access.api_tokens where workspace = $1 order by id",  # noqa: S608
                workspace,
            )
        return [_token(row) for row in rows]

    async def revoke_token(self, workspace: WorkspaceId, token_id: UUID) -> ApiToken:
        """Refuses the token from now on (a Keyring: within 30 s); again is the same. Raises Refused: token_unknown."""
        async with self._writing(workspace) as sql:
            row = await sql.fetchrow(
                f"""update access.api_tokens set revoked_at = coalesce(revoked_at, clock_timestamp())
                where workspace = $1 and id = $2 returning {_TOKEN}""",  # noqa: S608
                workspace,
                token_id,
            )
        if row is None:
            raise Refused("token_unknown", f"there is no API token {token_id}")
        return _token(row)

    async def write_grant(self, sha256: bytes) -> WriteGrant | None:
        """What the write key of this digest allows; None if there is none, it is revoked or its source removed."""
        async with self._database.transaction(role=READER) as sql:
            row = await sql.fetchrow(
                """select key.workspace, key.source, source.role, key.id from access.write_keys key
                join access.sources source on source.workspace = key.workspace and source.name = key.source
                where key.sha256 = $1 and key.revoked_at is null and source.removed_at is null""",
                sha256,
            )
        return None if row is None else WriteGrant(row["workspace"], row["source"], row["role"], row["id"])

    async def principal(self, sha256: bytes) -> Principal | None:
        """Who bears the API token of this digest; None if there is none or it is revoked."""
        async with self._database.transaction(role=READER) as sql:
            row = await sql.fetchrow(
                "select workspace, scopes, id from access.api_tokens where sha256 = $1 and revoked_at is null", sha256
            )
        return None if row is None else Principal(row["workspace"], frozenset(row["scopes"]), row["id"])

    @asynccontextmanager
    async def _writing(
        self, workspace: WorkspaceId, *, taken: str = "it exists already", code: str = "taken"
    ) -> AsyncIterator[Connection]:
        """A transaction in one workspace; what the schema's constraints refuse is Refused."""
        try:
            async with self._database.transaction([workspace], role=WRITER) as sql:
                yield sql
        except asyncpg.UniqueViolationError as error:
            raise Refused(code, taken) from error
        except asyncpg.ForeignKeyViolationError as error:
            raise Refused("workspace_unknown", f"there is no workspace {workspace}") from error
        except asyncpg.CheckViolationError as error:
            rule = "a name is 1 to 63 of a-z, 0-9, _ and -, the first a letter or digit"
            raise Refused("invalid_name", rule) from error


async def _insert_key(sql: Connection, workspace: WorkspaceId, source: str, secret: str) -> IssuedKey:
    """The source's row is locked against a removal that would miss the new key."""
    lives = await sql.fetchval(
        "select 1 from access.sources where workspace = $1 and name = $2 and removed_at is null for share",
        workspace,
        source,
    )
    if lives is None:
        raise Refused("source_unknown", f"there is no source {source!r}")
    row = await sql.fetchrow(
        f"""insert into access.write_keys (id, workspace, source, sha256, hint)
        values ($1, $2, $3, $4, $5) returning {_KEY}""",  # noqa: S608
        new_id(),
        workspace,
        source,
        digest(secret),
        hint(secret),
    )
    return IssuedKey(_key(_found(row)), secret)


def _found(row: asyncpg.Record | None) -> asyncpg.Record:
    """The row that an insert returned; a policy refuses aloud, so there always is one."""
    if row is None:
        raise AssertionError("an insert returned no row")
    return row


def _workspace(row: asyncpg.Record) -> Workspace:
    return Workspace(**row)


def _source(row: asyncpg.Record) -> Source:
    return Source(**row)


def _key(row: asyncpg.Record) -> WriteKey:
    return WriteKey(**row)


def _token(row: asyncpg.Record) -> ApiToken:
    return ApiToken(**{**dict(row), "scopes": frozenset(row["scopes"])})
