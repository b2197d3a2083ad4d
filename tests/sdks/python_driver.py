"""Drives one of the Python SDKs as an application would: an order on stdin, its reports on stdout.

Run as `python -m tests.sdks.python_driver segment|rudderstack`: the two have the same calls.
"""

import json
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Any

from tests.sdks.calls import Call, Order, Report


def main(sdk: str) -> None:
    order: Order = json.load(sys.stdin)
    module = import_module(f"{sdk}.analytics.client")
    dropped: set[str] = set()
    client = module.Client(
        order["write_key"],
        host=order["host"],
        on_error=lambda _error, items: dropped.update(item["messageId"] for item in items),
        **order["settings"],
    )
    messages = _sent(client, order, dropped)
    pending = set() if client.sync_mode else {item["messageId"] for item in client.queue.queue}
    reports = [_report(n, message, dropped, pending) for n, message in messages.items()]
    json.dump(reports, sys.stdout)


def _sent(client: Any, order: Order, dropped: set[str]) -> dict[int, dict[str, Any]]:
    """Makes every call; in the end flushes and shuts down. The SDK's own message of each."""
    if client.sync_mode:
        return {call["n"]: _called(client, call)[1] for call in order["calls"]}
    over = threading.Event()
    flushing = [threading.Thread(target=_flush, args=(client, over)) for _ in range(4 if order["restless"] else 0)]
    for thread in flushing:
        thread.start()
    messages = {}
    for call in order["calls"]:
        queued, messages[call["n"]] = _called(client, call)
        if not queued:
            dropped.add(messages[call["n"]]["messageId"])
    over.set()
    ending = [threading.Thread(target=client.shutdown) for _ in range(2 if order["restless"] else 1)]
    for thread in ending:
        thread.start()
    for thread in [*ending, *flushing]:
        thread.join()
    return messages


def _flush(client: Any, over: threading.Event) -> None:
    while not over.wait(0.01):
        client.flush()


def _called(client: Any, call: Call) -> tuple[bool, dict[str, Any]]:
    given: dict[str, Any] = {"user_id": call["userId"]}
    if call["timestamp"]:
        given["timestamp"] = datetime.fromisoformat(call["timestamp"])
    if call["type"] == "alias":
        given["previous_id"] = call["previousId"]
    else:
        given["anonymous_id"] = call["anonymousId"]
    given |= _OWN.get(call["type"], _named)(call)
    result: tuple[bool, dict[str, Any]] = getattr(client, call["type"])(**given)
    return result


def _named(call: Call) -> dict[str, Any]:
    return {"category": call["category"], "name": call["name"], "properties": dict(call["fields"])}


_OWN: dict[str, Callable[[Call], dict[str, Any]]] = {
    "identify": lambda call: {"traits": dict(call["fields"])},
    "track": lambda call: {"event": call["event"], "properties": dict(call["fields"])},
    "group": lambda call: {"group_id": call["groupId"], "traits": dict(call["fields"])},
    "alias": lambda _: {},
}


def _report(n: int, message: dict[str, Any], dropped: set[str], pending: set[str]) -> Report:
    id_ = message["messageId"]
    return Report(
        n=n,
        id=id_,
        timestamp=message["timestamp"],
        outcome="dropped" if id_ in dropped else "pending" if id_ in pending else "delivered",
    )


if __name__ == "__main__":
    main(sys.argv[1])
