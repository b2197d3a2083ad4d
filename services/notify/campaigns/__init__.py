"""The campaigns that ship, as data: drafts until somebody starts them."""

import json
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def shipped() -> dict[str, bytes]:
    """The documents of the campaigns that ship, by name."""
    return {path.stem: _document(path) for path in sorted(_HERE.glob("*.json"))}


def _document(path: Path) -> bytes:
    """A campaign's JSON, each language's texts taken in from the files beside it."""
    document = json.loads(path.read_text("utf-8"))
    for language, message in document["messages"].items():
        for kind, ending in (("text", "txt"), ("html", "html")):
            message[kind] = (_HERE / f"{path.stem}.{language}.{ending}").read_text("utf-8")
    return json.dumps(document, ensure_ascii=False).encode()
