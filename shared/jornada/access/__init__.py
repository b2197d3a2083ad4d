"""Who may do what: workspaces, their sources, write keys and API tokens (the one schema that two services read)."""

from jornada.access.grants import Principal, Scope, SourceRole, WriteGrant
from jornada.access.keyring import Keyring
from jornada.access.store import PostgresAccess, Refused

__all__ = ["Keyring", "PostgresAccess", "Principal", "Refused", "Scope", "SourceRole", "WriteGrant"]
