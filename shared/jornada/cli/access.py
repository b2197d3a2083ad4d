"""Commands over workspaces, sources, write keys and API tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar, cast
from uuid import UUID

import typer

from jornada.access.grants import SCOPES, IssuedKey, Scope, SourceRole
from jornada.access.store import PostgresAccess
from jornada.cli.listing import show
from jornada.cli.place import opened

T = TypeVar("T")
WorkspaceName = Annotated[str, typer.Option("--workspace", "-w", help="The workspace's name.")]

workspaces = typer.Typer(no_args_is_help=True, help="Workspaces: what keeps one company's customers from another's.")
sources = typer.Typer(no_args_is_help=True, help="Sources: where a workspace's events come from.")
keys = typer.Typer(no_args_is_help=True, help="Write keys: what lets a source send events.")
tokens = typer.Typer(no_args_is_help=True, help="API tokens: what lets a program read and administer.")


def _with(act: Callable[[PostgresAccess], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened() as access:
            return await act(access)

    return asyncio.run(run())


def _issued(said: str, secret: str) -> None:
    typer.echo(f"{said}; its secret is shown this once:")
    typer.echo(secret)


@workspaces.command("create")
def create_workspace(name: Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9, _ and -.")]) -> None:
    """Makes a workspace and prints its id."""
    typer.echo(_with(lambda access: access.create_workspace(name)).id)


@workspaces.command("list")
def list_workspaces() -> None:
    """Lists every workspace."""
    found = _with(lambda access: access.workspaces())
    show(["id", "name", "created_at"], [(each.id, each.name, each.created_at) for each in found])


@sources.command("create")
def create_source(
    name: Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9, _ and -.")],
    role: Annotated[SourceRole, typer.Option(help="What the source knows about.")] = "product",
    workspace: WorkspaceName = "default",
) -> None:
    """Makes a source; a write key for it comes from `keys create`."""

    async def act(access: PostgresAccess) -> None:
        await access.create_source((await access.workspace(workspace)).id, name, role)

    _with(act)
    typer.echo(f"source {name} of workspace {workspace}, role {role}")


@sources.command("list")
def list_sources(workspace: WorkspaceName = "default") -> None:
    """Lists a workspace's sources."""

    async def act(access: PostgresAccess) -> list[tuple[object, ...]]:
        found = await access.sources((await access.workspace(workspace)).id)
        return [(each.name, each.role, each.created_at) for each in found]

    show(["name", "role", "created_at"], _with(act))


@keys.command("create")
def create_key(
    source: Annotated[str, typer.Option("--source", "-s", help="The source's name.")],
    workspace: WorkspaceName = "default",
) -> None:
    """Makes a write key; the last line is its secret."""

    async def act(access: PostgresAccess) -> IssuedKey:
        return await access.create_key((await access.workspace(workspace)).id, source)

    issued = _with(act)
    _issued(f"write key {issued.key.id} for source {source} of workspace {workspace}", issued.secret)


@keys.command("list")
def list_keys(
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source's.")] = None,
    workspace: WorkspaceName = "default",
) -> None:
    """Lists write keys, the revoked ones too."""

    async def act(access: PostgresAccess) -> list[tuple[object, ...]]:
        found = await access.keys((await access.workspace(workspace)).id, source)
        return [(each.id, each.source, each.hint + "…", each.created_at, each.revoked_at) for each in found]

    show(["id", "source", "begins", "created_at", "revoked_at"], _with(act))


@keys.command("revoke")
def revoke_key(key: Annotated[UUID, typer.Argument(help="Its id.")], workspace: WorkspaceName = "default") -> None:
    """Refuses a write key for good, everywhere within 30 s."""

    async def act(access: PostgresAccess) -> None:
        await access.revoke_key((await access.workspace(workspace)).id, key)

    _with(act)
    typer.echo(f"write key {key} is revoked")


@keys.command("rotate")
def rotate_key(key: Annotated[UUID, typer.Argument(help="Its id.")], workspace: WorkspaceName = "default") -> None:
    """Makes a second key for the same source; both are valid until the old one is revoked."""

    async def act(access: PostgresAccess) -> IssuedKey:
        return await access.rotate_key((await access.workspace(workspace)).id, key)

    issued = _with(act)
    _issued(f"write key {issued.key.id} beside {key}, which stays valid until revoked", issued.secret)


@tokens.command("create")
def create_token(
    scope: Annotated[list[str], typer.Option("--scope", help=f"{', '.join(SCOPES)}; may be repeated.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "token",
    workspace: WorkspaceName = "default",
) -> None:
    """Makes an API token; the last line is its secret."""

    async def act(access: PostgresAccess) -> tuple[UUID, str]:
        issued = await access.create_token((await access.workspace(workspace)).id, name, cast(list[Scope], scope))
        return issued.token.id, issued.secret

    token, secret = _with(act)
    _issued(f"API token {token} of workspace {workspace}", secret)


@tokens.command("list")
def list_tokens(workspace: WorkspaceName = "default") -> None:
    """Lists API tokens, the revoked ones too."""

    async def act(access: PostgresAccess) -> list[tuple[object, ...]]:
        found = await access.tokens((await access.workspace(workspace)).id)
        return [(each.id, each.name, each.scopes, each.hint + "…", each.created_at, each.revoked_at) for each in found]

    show(["id", "name", "scopes", "begins", "created_at", "revoked_at"], _with(act))


@tokens.command("revoke")
def revoke_token(token: Annotated[UUID, typer.Argument(help="Its id.")], workspace: WorkspaceName = "default") -> None:
    """Refuses an API token for good, everywhere within 30 s."""

    async def act(access: PostgresAccess) -> None:
        await access.revoke_token((await access.workspace(workspace)).id, token)

    _with(act)
    typer.echo(f"API token {token} is revoked")
