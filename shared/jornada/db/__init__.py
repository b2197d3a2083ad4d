"""Postgres: connections, transactions, errors, migrations, timers, and a local server where none is given."""

from jornada.db.database import Connection, Database
from jornada.db.errors import Conflict, TimedOut, Unavailable

__all__ = ["Conflict", "Connection", "Database", "TimedOut", "Unavailable"]
