"""Ingest beside the sum of its floors, bare producers, and the application that one would write in an afternoon."""
