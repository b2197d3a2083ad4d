"""Which rule set each workspace chose."""

from jornada.db import Connection
from jornada.events import WorkspaceId
from services.journey.domain.rules import DEFAULT, RULE_SETS, RuleSet


async def held(connection: Connection, workspace: WorkspaceId) -> RuleSet:
    """The rule set in force, which nobody changes before this transaction ends."""
    query = "select rules from workspaces where workspace = $1 for share"
    name = await connection.fetchval(query, workspace)
    if name is None:
        await connection.execute(
            "insert into workspaces (workspace, rules) values ($1, $2) on conflict do nothing", workspace, DEFAULT.name
        )
        name = await connection.fetchval(query, workspace)
    return RULE_SETS[name]


async def read(connection: Connection, workspace: WorkspaceId) -> RuleSet:
    """The rule set in force."""
    name = await connection.fetchval("select rules from workspaces where workspace = $1", workspace)
    return RULE_SETS[name] if name is not None else DEFAULT


async def choose(connection: Connection, workspace: WorkspaceId, rules: RuleSet) -> None:
    """Puts a rule set in force and asks for every subject to be told by it; waits for batches under the old one."""
    await connection.execute(
        """insert into workspaces (workspace, rules) values ($1, $2)
           on conflict (workspace) do update set rules = excluded.rules""",
        workspace,
        rules.name,
    )
    await connection.execute(
        """insert into refolds (workspace, subject)
           select workspace, id from subjects where workspace = $1 and merged_into is null""",
        workspace,
    )
