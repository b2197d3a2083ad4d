"""What a laptop starts with: the workspace `default`, its source `app`, a write key and an API token."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from jornada.access.grants import SCOPES, Workspace
from jornada.access.secrets import digest, draw_api_token, draw_write_key
from jornada.access.store import PostgresAccess, Refused

WORKSPACE = "default"
SOURCE = "app"
_TOKEN_NAME = "local"  # noqa: S105


@dataclass(frozen=True, slots=True)
class DevSecrets:
    """The local write key and API token."""

    write_key: str = field(repr=False)
    api_token: str = field(repr=False)


def dev_secrets(folder: Path, write_key: str | None = None, api_token: str | None = None) -> DevSecrets:
    """The given ones, else those drawn once; kept in `folder`/dev.json (0600), where the console finds them."""
    file = folder / "dev.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    wanted = {
        "workspace": WORKSPACE,
        "write_key": write_key or kept.get("write_key") or draw_write_key(),
        "api_token": api_token or kept.get("api_token") or draw_api_token(),
    }
    if kept != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            json.dump(wanted, opened)
        draft.replace(file)
    return DevSecrets(wanted["write_key"], wanted["api_token"])


async def ensure_default(access: PostgresAccess, write_key: str, api_token: str) -> Workspace:
    """Makes what of the workspace `default` is missing, so that both secrets let in; again changes nothing.

    Raises Refused where a secret was revoked or belongs to another workspace, and Unavailable.
    """
    workspace = await _ensure_workspace(access)
    if SOURCE not in {source.name for source in await access.sources(workspace.id)}:
        await access.create_source(workspace.id, SOURCE, "product")
    grant = await access.write_grant(digest(write_key))
    if grant is None:
        await access.create_key(workspace.id, SOURCE, write_key)
    principal = await access.principal(digest(api_token))
    if principal is None:
        await access.create_token(workspace.id, _TOKEN_NAME, SCOPES, api_token)
    if any(found is not None and found.workspace != workspace.id for found in (grant, principal)):
        raise Refused("secret_taken", "the local write key or API token belongs to another workspace")
    return workspace


async def _ensure_workspace(access: PostgresAccess) -> Workspace:
    try:
        return await access.workspace(WORKSPACE)
    except Refused:
        return await access.create_workspace(WORKSPACE)
