"""The command line as a person meets it: a process, its last line, its exit code."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jornada.access.store import Refused
from jornada.cli import replaying
from jornada.events.ids import new_id


@pytest.fixture
def name() -> str:
    return f"c-{new_id().hex}"


def _jornada(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JORNADA_")}
    command = [sys.executable, "-m", "jornada.cli.main", *arguments]
    return subprocess.run(command, env=kept | settings, capture_output=True, text=True, timeout=60, check=False)


def _lines(ran: "subprocess.CompletedProcess[str]") -> list[str]:
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_a_key_is_made_listed_rotated_and_revoked(postgres_url: str, name: str) -> None:
    def jornada(*arguments: str) -> list[str]:
        return _lines(_jornada(*arguments, JORNADA_DATABASE_URL=postgres_url))

    jornada("workspaces", "create", name)
    assert any(name in line for line in jornada("workspaces", "list"))
    jornada("sources", "create", "app", "--role", "billing", "--workspace", name)
    assert jornada("sources", "list", "--workspace", name)[0].startswith("app\tbilling\t")
    secret = jornada("keys", "create", "--source", "app", "--workspace", name)[-1]
    assert secret.startswith("wk_")
    listed = jornada("keys", "list", "--workspace", name)
    assert secret not in "".join(listed)
    key = listed[0].split("\t")[0]
    second = jornada("keys", "rotate", key, "--workspace", name)[-1]
    assert second.startswith("wk_") and second != secret
    jornada("keys", "revoke", key, "--workspace", name)
    old, new = (line.split("\t") for line in jornada("keys", "list", "--workspace", name))
    assert old[-1] != "" and new[-1] == ""


def test_a_token_is_made_listed_and_revoked(postgres_url: str, name: str) -> None:
    def jornada(*arguments: str) -> list[str]:
        return _lines(_jornada(*arguments, "--workspace", name, JORNADA_DATABASE_URL=postgres_url))

    _lines(_jornada("workspaces", "create", name, JORNADA_DATABASE_URL=postgres_url))
    secret = jornada("tokens", "create", "--scope", "read", "--scope", "admin")[-1]
    assert secret.startswith("jt_")
    (listed,) = jornada("tokens", "list")
    assert "admin,read" in listed
    jornada("tokens", "revoke", listed.split("\t")[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sources", "list", "--workspace", "nowhere"], "there is no workspace 'nowhere'"),
        (["workspaces", "create", "Not A Name"], "a name is"),
    ],
)
def test_a_refusal_is_one_line(postgres_url: str, arguments: list[str], said: str) -> None:
    ran = _jornada(*arguments, JORNADA_DATABASE_URL=postgres_url)
    assert ran.returncode == 1
    assert ran.stderr.startswith("jornada: ") and said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_without_a_database_it_says_so_in_one_line(tmp_path: Path) -> None:
    ran = _jornada("workspaces", "list", JORNADA_DATA_DIR=str(tmp_path / "none"))
    assert ran.returncode == 1
    assert ran.stderr.startswith("jornada: JORNADA_DATABASE_URL is not set")
    assert len(ran.stderr.splitlines()) == 1


def test_a_database_without_schemas_is_told_to_migrate(postgres_url: str) -> None:
    bare = urlsplit(postgres_url)._replace(path="/postgres").geturl()
    ran = _jornada("workspaces", "list", JORNADA_DATABASE_URL=bare)
    assert ran.returncode == 1
    assert "run `jornada migrate`" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_migrate_can_be_repeated(postgres_url: str) -> None:
    assert "access" in _lines(_jornada("migrate", JORNADA_MIGRATE_DATABASE_URL=postgres_url))[-1]


def test_the_doctor_names_what_fails(postgres_url: str) -> None:
    gone = {f"JORNADA_{service}_URL": "http://127.0.0.1:1" for service in ("INGEST", "JOURNEY", "SCORING", "NOTIFY")}
    ran = _jornada(
        "doctor",
        JORNADA_DATABASE_URL=postgres_url,
        JORNADA_KAFKA_BROKERS="127.0.0.1:1",
        JORNADA_CONSOLE_URL="http://127.0.0.1:1",
        **gone,
    )
    assert ran.returncode == 1
    verdicts = {line.split()[1]: line.split()[0] for line in ran.stdout.splitlines()}
    assert verdicts == {
        "database": "ok",
        "migrations": "ok",
        "kafka": "FAILS",
        **dict.fromkeys(("console", "ingest", "journey", "scoring", "notify"), "FAILS"),
    }


async def test_a_replay_that_left_somebody_says_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = dict.fromkeys(("touchpoints", "compared", "equal", "mended", "changed"), 1)

    async def asked(_token: str, _act: object) -> dict[str, object]:
        return {"status": "done", **counted, "failed": [{"step": "customers", "at": ["c1"]}]}

    monkeypatch.setattr(replaying, "_asked", asked)
    with pytest.raises(Refused, match="customers c1"):
        await replaying.followed("a token")
