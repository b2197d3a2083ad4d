"""What notify keeps in Postgres: functions over a transaction's connection."""
