"""Named places at which a test may kill the process, to prove that a crash there loses and doubles nothing.

`JORNADA_CRASHPOINTS=worker.folded=0.02,worker.committed=0.02` kills with those probabilities; unset, nothing happens.
Each kill first writes its point's name to the file in `JORNADA_CRASHPOINTS_LOG`.
"""

import os
import random
import signal
from collections.abc import Mapping

FOLDED = "worker.folded"
COMMITTED = "worker.committed"
PUBLISHED = "worker.published"
CRASHPOINTS = (FOLDED, COMMITTED, PUBLISHED)


def _armed(environment: Mapping[str, str]) -> dict[str, float]:
    pairs = (pair.split("=") for pair in environment.get("JORNADA_CRASHPOINTS", "").split(",") if pair)
    return {name: float(share) for name, share in pairs}


_shares = _armed(os.environ)


def reached(point: str) -> None:
    """Kills this process with signal 9 if a test armed `point` and the draw falls so."""
    if not _shares or random.random() >= _shares.get(point, 0.0):
        return
    with open(os.environ["JORNADA_CRASHPOINTS_LOG"], "a", encoding="ascii") as log:
        log.write(f"{point}\n")
    os.kill(os.getpid(), signal.SIGKILL)
