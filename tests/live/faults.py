"""What can befall the brokers, each with whose records it keeps from being stored, and how it heals."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.live.cluster import FIRST_HALF, SECOND_HALF, Cluster

Act = Callable[[Cluster], Awaitable[None]]
NOWHERE: frozenset[int] = frozenset()
LIMIT = 3_000


@dataclass(frozen=True)
class Fault:
    """Lasts `seconds`. No ack comes of `partitions` meanwhile, or of `large` events; `bridged` is short enough that no
    sender hears of it. The first ack comes within `heals_within` seconds of the heal: at once, save that a connection
    whose answer is gone for good is given up only when its request's time, 8 s, is over."""

    name: str
    seconds: float
    begin: Act
    heal: Act
    partitions: frozenset[int] = field(default=NOWHERE)
    large: bool = False
    heals_within: float = 5
    bridged: bool = False


async def _freeze_first(cluster: Cluster) -> None:
    cluster.first.freeze()


async def _thaw_first(cluster: Cluster) -> None:
    cluster.first.thaw()


async def _freeze_second(cluster: Cluster) -> None:
    cluster.second.freeze()


async def _thaw_second(cluster: Cluster) -> None:
    cluster.second.thaw()


async def _kill_first(cluster: Cluster) -> None:
    cluster.first.kill()


async def _start_first(cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.first.start)


async def _kill_second(cluster: Cluster) -> None:
    cluster.second.kill()


async def _start_second(cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.second.start)


async def _refuse(cluster: Cluster) -> None:
    await cluster.limit(LIMIT)


async def _take(cluster: Cluster) -> None:
    await cluster.limit(None)


async def _cut(cluster: Cluster) -> None:
    cluster.relay.mode = "cut"


async def _swallow(cluster: Cluster) -> None:
    cluster.relay.mode = "swallow"


async def _relay(cluster: Cluster) -> None:
    cluster.relay.mode = "open"


BLIP = Fault("frozen for a moment", 5, _freeze_first, _thaw_first, FIRST_HALF, bridged=True)
FROZEN = Fault("frozen", 12, _freeze_first, _thaw_first, FIRST_HALF)
KILLED = Fault("killed", 10, _kill_first, _start_first, FIRST_HALF)
LEADERLESS = Fault("leaderless", 12, _kill_second, _start_second, SECOND_HALF)
FENCED = Fault("frozen and fenced", 4, _freeze_second, _thaw_second, SECOND_HALF, bridged=True)
REFUSED = Fault("refusing a record", 4, _refuse, _take, large=True)
CUT = Fault("cut before the answer", 3, _cut, _relay, SECOND_HALF, bridged=True)
SWALLOWED = Fault("answers swallowed", 11, _swallow, _relay, SECOND_HALF, heals_within=9)
FAULTS = (BLIP, FROZEN, KILLED, LEADERLESS, FENCED, REFUSED, CUT, SWALLOWED)
