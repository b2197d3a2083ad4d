"""Runs ingest by itself: `python -m services.ingest`."""

from jornada.runtime.main import main
from services.ingest.app import build
from services.ingest.settings import Settings

main("ingest", Settings, build)
