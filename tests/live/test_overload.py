"""At ten times what it can do, ingest still does most of it, refuses the rest in order, and stays within its memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jornada.events import new_id
from tests.live.flood import EVENTS, Answers, Flood, p99
from tests.live.processes import services_on
from tests.live.trial import resident

BURST, CALM, STORM = 3.0, 4.0, 10.0 if "JORNADA_FAULT_ROUNDS" not in os.environ else 60.0
"""Seconds: of the burst that a key has at first, of what is then the peak, and of ten times that."""
TIMES = 10
LIMITS = {
    "limited as it comes": ({}, 0.5),
    "by nothing but the machine": (
        {"JORNADA_INGEST_EVENTS_PER_SECOND": "9000000", "JORNADA_INGEST_KEY_EVENTS_PER_SECOND": "9000000"},
        0.2,
    ),
}
"""Environments, and what of the peak is to be left. A refusal is a read and a write, whatever is refused."""
LINES = 1_000


@contextmanager
def _cores_apart(pid: int) -> Iterator[None]:
    """The process on one core, we on the others, so that what is offered does not depend on what is served."""
    ours = os.sched_getaffinity(0)
    first, *rest = sorted(ours)
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {first})
    os.sched_setaffinity(0, rest or {first})
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("limits", LIMITS)
async def test_ten_times_too_much_is_refused_in_order_and_the_rest_is_done(
    postgres_url: str, kafka_brokers: str, tmp_path: Path, limits: str
) -> None:
    environment, least = LIMITS[limits]
    async with services_on(postgres_url, kafka_brokers, tmp_path, ["ingest"], extra={"ingest": environment}) as system:
        ingest = system.services["ingest"]
        url, key, run = system.urls["ingest"], system.write_key, new_id().hex[-8:]
        with _cores_apart(ingest.pid):
            async with Flood(url, key, f"{run}c", 128) as calm:
                await calm.saturate(BURST)
                calm.answers = Answers()
                await calm.saturate(CALM)
            peak = len(calm.answers.admitted) / CALM
            before = resident(ingest.pid)
            async with Flood(url, key, f"{run}s", LINES) as storm:
                await storm.offer(TIMES * peak, STORM)
                most = resident(ingest.pid)
                await storm.drained(30)
        answers = storm.answers
        goodput = len(answers.admitted) / STORM
        offered = (answers.statuses.total() + answers.cut) / STORM
        print(  # noqa: T201
            f"\n{limits}: peak {peak * EVENTS:.0f} events/s, p99 {p99(calm.answers.admitted):.3f} s;"
            f" offered {offered / peak:.1f} times that ({storm.held_back} held back by {LINES} connections):"
            f" goodput {goodput / peak:.0%},"
            f" admitted p99 {p99(answers.admitted):.3f} s, refused p99 {p99(answers.refused):.3f} s,"
            f" answers {dict(answers.statuses)}, cut {answers.cut}; memory {before} MiB, then {most}"
        )
        assert answers.statuses.keys() <= {200, 429, 503}
        assert answers.rude == 0
        assert answers.cut == 0
        assert goodput > least * peak
        assert most - before < 200
        assert ingest.deaths.total() == 0
