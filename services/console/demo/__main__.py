"""`python -m services.console.demo`: the story to `default`, CDNOW to `cdnow`, and where to look."""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from jornada.access.store import Refused
from jornada.clock import SystemClock
from jornada.db import Unavailable
from jornada.observe import logs
from jornada.runtime import CommonSettings
from jornada.runtime.settings import AddressSettings
from services.console.demo import cdnow, place
from services.console.demo.importing import Collector, NotTaken, caught_up
from services.console.domain.board import stage_counts
from services.console.local import new_login
from services.console.sisters import NAMES, LoggedOut, Silent, Sisters, Told
from services.console.story.telling import Telling

_PATIENCE = 1_800
_screen = Console()
_clock = SystemClock()


class GivenUp(Exception):
    """The demonstration cannot go on; the message says what to do."""


def main() -> None:
    """Runs the demonstration; exits 1 with one line where it cannot."""
    settings = CommonSettings()
    logs.set_up(level="ERROR")
    try:
        asyncio.run(_run(settings.data_dir))
    except (GivenUp, NotTaken, Refused, Unavailable, cdnow.Damaged, OSError) as error:
        sys.exit(f"demo: {error}")
    except ExceptionGroup as group:
        sys.exit(f"demo: {group.exceptions[0]}")


async def _run(folder: Path) -> None:
    addresses = AddressSettings()
    sisters = Sisters({name: addresses.of(name) for name in NAMES})
    await sisters.start()
    try:
        await _story(sisters, folder)
        await _purchases(sisters, addresses, folder)
    finally:
        await sisters.stop()


async def _story(sisters: Sisters, folder: Path) -> None:
    kept = folder / "dev.json"
    if not kept.exists():
        raise GivenUp(f"no keys in {folder}: start Jornada first (make run)")
    telling = Telling(sisters, _clock)
    with _screen.status("Telling the story…"):
        try:
            steps = await telling.tell(json.loads(kept.read_text())["api_token"])
        finally:
            await telling.stop()
    failed = [step for step in steps if step.state == "failed"]
    said = ", ".join(f"{step.name} did not work {step.detail}".rstrip() for step in failed) or "told"
    _screen.print(f"[bold]The story[/] (workspace default): {said}")


async def _purchases(sisters: Sisters, addresses: AddressSettings, folder: Path) -> None:
    began = _clock.monotonic()
    today = _clock.now().date()
    bought = cdnow.purchases(folder / "cdnow")
    shop = await place.ensured(folder, today)
    ruled = await _ruled(sisters, shop.api_token)
    if isinstance(ruled, Silent):
        raise GivenUp(f"journey did not take the shop's rules: {ruled.message or ruled.kind}")
    moved = cdnow.days_to(shop.first_sent_on, bought)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        collector = Collector(client, addresses.of("ingest"), shop.write_key)
        with _progress() as progress:
            sending = progress.add_task("Purchases sent", total=len(bought))
            verdicts = await collector.send(
                cdnow.batches(bought, moved), lambda events: progress.advance(sending, events)
            )
            following = progress.add_task("Worked on", total=len(bought))
            urls = [addresses.of(name) for name in ("journey", "scoring", "notify")]
            done = await caught_up(
                client,
                urls,
                lambda left: progress.update(following, completed=max(len(bought) - left, 0)),
                patience_seconds=_PATIENCE,
            )
    if not done:
        raise GivenUp("the services did not catch up; look at /v1/lag of journey and scoring")
    await _summary(sisters, shop, verdicts, _clock.monotonic() - began)
    _where(addresses, folder, shop)


async def _ruled(sisters: Sisters, token: str) -> Told | Silent:
    """The shop's rules, before the first purchase; a token just made may be unknown for some seconds."""
    for _ in range(20):
        try:
            return await sisters.put("journey", "/v1/stages", token, {"rules": "shop"})
        except LoggedOut:
            await asyncio.sleep(0.5)
    raise GivenUp("journey does not know the workspace's token")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:>15}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=_screen
    )


async def _summary(sisters: Sisters, shop: place.Place, verdicts: Counter[str], seconds: float) -> None:
    bands = await _document(sisters, "scoring", "/v1/scores/distribution?type=customer", shop.api_token)
    stages = await _document(sisters, "journey", "/v1/stages/counts", shop.api_token)
    taken = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(verdicts.items()))
    counted: dict[str, int] = bands.get("bands", {})
    _screen.print(f"[bold]CDNOW[/] (workspace cdnow): {verdicts.total():,} purchases in ({taken})")
    _screen.print(f"  {sum(counted.values()):,} customers out in {seconds:.0f} s")
    _screen.print("  bands   " + ", ".join(f"{number:,} {band}" for band, number in counted.items()))
    _screen.print("  stages  " + ", ".join(f"{number:,} {name}" for name, number in stage_counts(stages, "customer")))


async def _document(sisters: Sisters, service: Any, path: str, token: str) -> dict[str, Any]:
    answer = await sisters.get(service, path, token)
    if isinstance(answer, Silent) or not isinstance(answer.document, dict):
        raise GivenUp(f"{service} does not answer {path}")
    return answer.document


def _where(addresses: AddressSettings, folder: Path, shop: place.Place) -> None:
    code = new_login(folder, "cdnow-login")
    _screen.print(f"  look    {addresses.of('console')}/start?code={code}  (works once)", soft_wrap=True)
    _screen.print(f"  token   {shop.api_token}", soft_wrap=True)


if __name__ == "__main__":
    main()
