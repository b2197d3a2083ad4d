"""A tracker that breaks alerts nobody about customers: not while it is broken, and not when it is mended."""

import os
from datetime import timedelta

import pytest

from jornada.db import Database
from jornada.observe import logs
from tests.scoring.journeys import AT
from tests.scoring.tracked import HOUR, Plan, Told, lived

_log = logs.get(__name__)

CUSTOMERS = int(os.environ.get("TRACKED_CUSTOMERS", "360"))
BREAKS, MENDED, END = 8.3, 8.3 + 6 * 24, 9 * 24
pytestmark = pytest.mark.timeout(120 + CUSTOMERS)

BROKEN = Plan(CUSTOMERS, END, (BREAKS, MENDED))


@pytest.fixture(scope="module")
async def whole(database: Database) -> Told:
    """What is told where nothing breaks."""
    return await lived(database, Plan(CUSTOMERS, END))


async def test_a_tracker_that_breaks_alerts_nobody_and_mended_only_whom_it_would_have(
    database: Database, whole: Told
) -> None:
    told = await lived(database, BROKEN)
    assert whole.frozen == []
    ((began, ended),) = told.frozen
    broke, mended, end = AT + BREAKS * HOUR, AT + MENDED * HOUR, AT + END * HOUR
    assert broke - HOUR <= began <= broke + 3 * HOUR
    assert ended is not None and mended < ended <= mended + 3 * HOUR
    assert told.worse(AT, broke) == whole.worse(AT, broke)
    during, after = told.worse(broke, ended), told.worse(ended, end + HOUR)
    due = whole.worse(broke, end + HOUR)
    _log.info("told", customers=CUSTOMERS, while_broken=len(during), after=len(after), due_without_it=len(due))
    assert told.worse(broke + 4 * HOUR, ended) == []
    # Until it is noticed only who was due then anyway.
    assert set(during) <= set(whole.worse(broke, broke + 4 * HOUR))
    assert set(after) <= set(due)
    lost = ended - began + timedelta(hours=1)
    assert set(whole.worse(broke, end - lost)) <= set(after)


async def test_without_anybody_watching_it_alerts_about_next_to_everybody(database: Database) -> None:
    told = await lived(database, BROKEN._replace(hours=int(MENDED)), watched=False)
    during = told.worse(AT + BREAKS * HOUR, AT + MENDED * HOUR)
    _log.info("told", customers=CUSTOMERS, while_broken=len(during), of=len(set(during)))
    assert len(set(during)) > 0.9 * CUSTOMERS
