"""`python -m services.journey` runs the service; `python -m services.journey fold` folds a file."""

import sys

from jornada.runtime.main import main
from services.journey import offline
from services.journey.app import build
from services.journey.settings import Settings

if sys.argv[1:2] == ["fold"]:
    offline.main(sys.argv[2:])
else:
    main("journey", Settings, build)
