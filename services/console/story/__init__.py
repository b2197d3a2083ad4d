"""A story for whoever tries the system: a few accounts with a past, and what happens to them today."""
