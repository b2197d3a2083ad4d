"""`python -m services.journey fold`: from a file of accepted events to snapshots, with no database and no stream."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import BinaryIO

from jornada.events import Touchpoint, Undecodable, decode, encode
from services.journey.domain.reading import Reading, read
from services.journey.domain.rules import DEFAULT, RULE_SETS
from services.journey.domain.whole import snapshots, subjects


def main(arguments: Sequence[str]) -> None:
    """Writes the snapshots of every subject as of each instant to stdout, one a line, by instant and id."""
    asked = argparse.ArgumentParser(prog="python -m services.journey fold", description=main.__doc__)
    asked.add_argument("--events", required=True, help="accepted events of one workspace, one a line; - is stdin")
    asked.add_argument("--at", required=True, nargs="+", action="extend", type=_instant, help="instants of event time")
    asked.add_argument("--rules", default=DEFAULT.name, choices=sorted(RULE_SETS), help="the rule set of the stages")
    given = asked.parse_args(arguments)
    try:
        with nullcontext(sys.stdin.buffer) if given.events == "-" else open(given.events, "rb") as file:
            readings = _first(_readings(file))
    except (OSError, Undecodable) as error:
        sys.exit(f"fold: {error}")
    for line in _lines(readings, given.at, given.rules):
        sys.stdout.buffer.write(line + b"\n")


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("an instant needs a zone, as in 2026-01-31T00:00:00Z")
    return at.astimezone(UTC)


def _readings(file: BinaryIO) -> Iterator[Reading]:
    for number, line in enumerate(file, 1):
        try:
            yield read(decode(line, Touchpoint))
        except (Undecodable, ValueError) as error:
            raise Undecodable(f"line {number}: {error}") from error


def _first(readings: Iterable[Reading]) -> list[Reading]:
    """Each event once: of those under one id the one received first."""
    first: dict[tuple[str, str], Reading] = {}
    for reading in readings:
        name = (reading.touchpoint.source, reading.touchpoint.message_id)
        if name not in first or _received(reading) < _received(first[name]):
            first[name] = reading
    return list(first.values())


def _received(reading: Reading) -> tuple[datetime, str]:
    return reading.touchpoint.received_at, reading.touchpoint.payload_hash


def _lines(readings: Sequence[Reading], instants: Sequence[datetime], rules: str) -> Iterator[bytes]:
    workspaces = {reading.touchpoint.workspace for reading in readings}
    if len(workspaces) > 1:
        sys.exit(f"fold: the events are of {len(workspaces)} workspaces; each is told alone")
    for workspace in workspaces:
        told = subjects(workspace, readings)
        for at in instants:
            for snapshot in snapshots(workspace, told, RULE_SETS[rules], at):
                yield encode(snapshot)
