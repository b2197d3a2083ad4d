"""The document for senders explains every code with which ingest refuses, and none that it does not have."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from services.ingest.api.collect import READERS
from services.ingest.domain.codes import Refusal, Unread

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "ingest.md").read_text()
SOURCES = sorted((ROOT / "services" / "ingest").rglob("*.py"))


def table(head: str) -> set[str]:
    """The codes in the first column of the table that begins with a head."""
    rows = DOCUMENT.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {code for row in rows for code in re.findall(r"`([a-z0-9_]+)`", row.split("|")[1])}


def said_by_the_face() -> Iterator[str]:
    """Every code of a Problem of the hot routes or the connection; one that is no literal is a code unknown."""
    modules = ("services/ingest/api/collect.py", "shared/jornada/runtime/connections.py")
    for node in (node for module in modules for node in ast.walk(ast.parse((ROOT / module).read_text()))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
            code = node.args[1]
            if ast.unparse(code) != "error.code":
                yield code.value if isinstance(code, ast.Constant) and isinstance(code.value, str) else "unknown"


def test_every_code_of_an_event_is_explained_and_no_other() -> None:
    assert table("code of an event") == set(get_args(Refusal))


def test_every_code_of_a_request_is_explained_and_no_other() -> None:
    assert table("code of a request") == set(get_args(Unread)) | set(said_by_the_face())
    assert "invalid_write_key" in set(said_by_the_face())


def test_no_code_is_kept_that_nothing_gives() -> None:
    source = "".join(path.read_text() for path in SOURCES if path.name != "codes.py")
    assert [code for code in (*get_args(Refusal), *get_args(Unread)) if f'"{code}"' not in source] == []


def test_every_path_is_named() -> None:
    named = set(re.findall(r"/v1/[a-z]+", DOCUMENT))
    for prefix, names in re.findall(r"(/v1/)\{([a-z,]+)\}", DOCUMENT):
        named |= {prefix + name for name in names.split(",")}
    assert READERS.keys() <= named
