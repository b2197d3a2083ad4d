"""A laptop's first start and every later one."""

import stat
from pathlib import Path

import pytest

from jornada.access import PostgresAccess, Refused
from jornada.access.bootstrap import SOURCE, WORKSPACE, dev_secrets, ensure_default
from jornada.access.grants import SCOPES, Workspace
from jornada.access.secrets import digest, draw_api_token, draw_write_key


async def test_the_default_workspace_lets_both_secrets_in_and_again_changes_nothing(access: PostgresAccess) -> None:
    write_key, api_token = draw_write_key(), draw_api_token()
    first = await ensure_default(access, write_key, api_token)
    keys = await access.keys(first.id)
    assert await ensure_default(access, write_key, api_token) == first
    assert first.name == WORKSPACE
    assert await access.keys(first.id) == keys
    grant = await access.write_grant(digest(write_key))
    principal = await access.principal(digest(api_token))
    assert grant is not None and (grant.workspace, grant.source, grant.role) == (first.id, SOURCE, "product")
    assert principal is not None and (principal.workspace, principal.scopes) == (first.id, frozenset(SCOPES))


async def test_another_workspaces_key_is_refused(access: PostgresAccess, workspace: Workspace) -> None:
    taken = await access.create_key(workspace.id, "app")
    with pytest.raises(Refused):
        await ensure_default(access, taken.secret, draw_api_token())


def test_drawn_secrets_last_and_given_ones_win(tmp_path: Path) -> None:
    first = dev_secrets(tmp_path)
    assert dev_secrets(tmp_path) == first
    assert dev_secrets(tmp_path, "wk_given").write_key == "wk_given"
    assert dev_secrets(tmp_path, "wk_given").api_token == first.api_token
    assert stat.S_IMODE((tmp_path / "dev.json").stat().st_mode) == 0o600
    assert first.write_key not in repr(first)
