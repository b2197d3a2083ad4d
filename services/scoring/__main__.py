"""Runs scoring by itself: python -m services.scoring."""

from jornada.runtime.main import main
from services.scoring.app import build
from services.scoring.settings import Settings

main("scoring", Settings, build)
