"""`python -m services.notify`."""

from jornada.runtime.main import main
from services.notify.app import build
from services.notify.settings import Settings

main("notify", Settings, build)
