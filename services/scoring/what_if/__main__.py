"""The process: a question and journeys in, a tally out. `python -m services.scoring.what_if < lines > tally`."""

import os
import sys
from traceback import extract_tb

import msgspec

from services.scoring.what_if.questions import answered


def main() -> None:
    """Answers one question, after whatever else the machine has to do; on an error says where, and of what kind."""
    os.nice(10)
    try:
        tally = answered(iter(sys.stdin.buffer.readline, b""))
        sys.stdout.buffer.write(msgspec.json.encode(tally))
    except Exception as error:
        at = extract_tb(error.__traceback__)[-1]
        sys.exit(f"{type(error).__name__} at {at.name}:{at.lineno}")


main()
