"""`make bench`: runs the comparisons and prints each goal with its ratio and interval."""

import argparse
import asyncio
import sys

from bench.accounts import comparison as accounts
from bench.ingest import comparison as ingest
from bench.journey import comparison as journey
from bench.replay import comparison as replay
from bench.scoring import comparison as scoring
from bench.scoring import cost
from bench.timers import comparison as timers

_SUBJECTS = {
    "ingest": ingest.run,
    "journey": journey.run,
    "growth": journey.grow,
    "replay": replay.run,
    "accounts": accounts.run,
    "scoring": scoring.run,
    "timers": timers.run,
    "scoring-cost": cost.run,
}


def main() -> None:
    """Runs all, or the subjects named."""
    asked = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    asked.add_argument("subjects", nargs="*", metavar="subject", help=f"of {', '.join(_SUBJECTS)}; all without any")
    asked.add_argument("--rounds", type=int, default=7, help="rounds of each side, interleaved")
    asked.add_argument("--seconds", type=float, default=2.0, help="how long each side works in a round")
    given = asked.parse_args()
    unknown = set(given.subjects) - _SUBJECTS.keys()
    if unknown:
        sys.exit(f"no such subject: {', '.join(sorted(unknown))}; there are {', '.join(_SUBJECTS)}")
    for subject in given.subjects or _SUBJECTS:
        asyncio.run(_SUBJECTS[subject](given.rounds, given.seconds))


if __name__ == "__main__":
    main()
