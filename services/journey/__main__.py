"""`python -m services.journey`."""

from jornada.runtime.main import main
from services.journey.app import build
from services.journey.settings import Settings

main("journey", Settings, build)
