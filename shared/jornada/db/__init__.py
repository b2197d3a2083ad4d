"""Postgres: connections, transactions, errors, migrations, timers, and a local server where none is given."""

from jornada.db.database import Connection, Database
from jornada.db.errors import Conflict, Unavailable

__all__ = ["Conflict", "Connection", "Database", "Unavailable"]
