"""Keys and tokens let in from their creation to their revocation, and only their hashes are kept."""

import asyncio

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jornada.access import PostgresAccess, Refused
from jornada.access.grants import RESERVED_SOURCE, Principal, Workspace, WriteGrant
from jornada.access.secrets import digest, draw_api_token, draw_write_key, hint
from jornada.events.ids import new_id

_TABLES = ("workspaces", "sources", "write_keys", "api_tokens")


async def test_a_write_key_is_its_sources_grant(access: PostgresAccess, workspace: Workspace) -> None:
    issued = await access.create_key(workspace.id, "app")
    grant = await access.write_grant(digest(issued.secret))
    assert grant == WriteGrant(workspace.id, "app", "product", issued.key.id)


async def test_a_token_is_its_workspaces_principal(access: PostgresAccess, workspace: Workspace) -> None:
    issued = await access.create_token(workspace.id, "ci", ["read", "write", "read"])
    principal = await access.principal(digest(issued.secret))
    assert principal == Principal(workspace.id, frozenset({"read", "write"}), issued.token.id)


async def test_no_secret_is_stored_anywhere(access: PostgresAccess, workspace: Workspace, postgres_url: str) -> None:
    key = await access.create_key(workspace.id, "app")
    token = await access.create_token(workspace.id, "ci", ["read"])
    connection = await asyncpg.connect(postgres_url)
    stored = "".join([str(await connection.fetch(f"select * from access.{table}")) for table in _TABLES])
    await connection.close()
    assert str(key.key.id) in stored
    assert key.secret not in stored
    assert token.secret not in stored
    assert key.secret not in repr(key)
    assert token.secret not in repr(token)


async def test_a_revoked_key_or_token_is_refused_and_stays_so(access: PostgresAccess, workspace: Workspace) -> None:
    key = await access.create_key(workspace.id, "app")
    token = await access.create_token(workspace.id, "ci", ["read"])
    first = await access.revoke_key(workspace.id, key.key.id)
    assert await access.revoke_key(workspace.id, key.key.id) == first
    await access.revoke_token(workspace.id, token.token.id)
    assert await access.write_grant(digest(key.secret)) is None
    assert await access.principal(digest(token.secret)) is None


async def test_rotation_leaves_both_keys_valid_until_the_old_one_is_revoked(
    access: PostgresAccess, workspace: Workspace
) -> None:
    old = await access.create_key(workspace.id, "app")
    new = await access.rotate_key(workspace.id, old.key.id)
    assert await access.write_grant(digest(old.secret)) is not None
    assert await access.write_grant(digest(new.secret)) is not None
    await access.revoke_key(workspace.id, old.key.id)
    assert await access.write_grant(digest(old.secret)) is None
    assert await access.write_grant(digest(new.secret)) is not None
    with pytest.raises(Refused, match="no valid write key"):
        await access.rotate_key(workspace.id, old.key.id)


async def test_a_removed_sources_keys_are_refused_also_after_its_name_is_used_again(
    access: PostgresAccess, workspace: Workspace
) -> None:
    key = await access.create_key(workspace.id, "app")
    await access.remove_source(workspace.id, "app")
    assert await access.write_grant(digest(key.secret)) is None
    assert await access.sources(workspace.id) == []
    with pytest.raises(Refused):
        await access.create_key(workspace.id, "app")
    again = await access.create_source(workspace.id, "app", "billing")
    assert again.role == "billing"
    assert await access.write_grant(digest(key.secret)) is None


async def test_a_key_made_while_its_source_is_removed_does_not_live_on(
    access: PostgresAccess, workspace: Workspace
) -> None:
    made, _ = await asyncio.gather(
        access.create_key(workspace.id, "app"), access.remove_source(workspace.id, "app"), return_exceptions=True
    )
    await access.create_source(workspace.id, "app", "product")
    if not isinstance(made, BaseException):
        assert await access.write_grant(digest(made.secret)) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (RESERVED_SOURCE, "source_reserved"),
        ("app", "source_taken"),
        ("Not A Name", "invalid_name"),
        ("", "invalid_name"),
    ],
)
async def test_a_sources_name_is_refused_with_a_code(
    access: PostgresAccess, workspace: Workspace, name: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        await access.create_source(workspace.id, name, "product")
    assert refused.value.code == code


async def test_what_is_unknown_or_taken_is_refused_with_a_code(access: PostgresAccess, workspace: Workspace) -> None:
    key = await access.create_key(workspace.id, "app")
    asked = {
        "workspace_taken": access.create_workspace(workspace.name),
        "workspace_unknown": access.workspace("nowhere"),
        "source_unknown": access.create_key(workspace.id, "nothing"),
        "secret_taken": access.create_key(workspace.id, "app", key.secret),
        "key_unknown": access.revoke_key(workspace.id, new_id()),
        "token_unknown": access.revoke_token(workspace.id, new_id()),
        "invalid_scope": access.create_token(workspace.id, "none", []),
    }
    for code, asking in asked.items():
        with pytest.raises(Refused) as refused:
            await asking
        assert refused.value.code == code


def test_secrets_have_at_least_128_bits_and_never_repeat() -> None:
    for draw in (draw_write_key, draw_api_token):
        drawn = {draw() for _ in range(200)}
        assert len(drawn) == 200
        assert all(len(secret) - 3 >= 128 / 6 for secret in drawn)


@given(st.text(max_size=60))
def test_a_hint_shows_at_most_four_characters_or_a_quarter(rest: str) -> None:
    for kind in ("wk_", "jt_", ""):
        shown = hint(kind + rest).removeprefix(kind)
        assert len(shown) <= min(4, len(rest) // 4)
