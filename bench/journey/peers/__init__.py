"""Peers doing the same job, each a script of its own in an environment of its own (`requirements.txt`)."""
