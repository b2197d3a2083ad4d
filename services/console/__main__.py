"""The console alone: `python -m services.console`."""

from jornada.runtime.main import main
from services.console.app import build
from services.console.settings import Settings

main("console", Settings, build)
