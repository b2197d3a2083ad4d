"""The HTTP faces of ingest."""
