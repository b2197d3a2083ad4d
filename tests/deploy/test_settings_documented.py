"""`.env.example` names every setting with its default, and nothing that is none."""

import json
import os
import re

import pytest

from jornada.runtime.settings import CommonSettings
from tests.deploy import known_settings
from tests.deploy.tools import BASE, ROOT, run

_CLASSES = known_settings.classes()
_LINE = re.compile(r"^(# )?(JORNADA_[A-Z0-9_]+)=(.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults may ask the environment: there is nothing in it."""
    for name in [name for name in os.environ if name.startswith("JORNADA_")]:
        monkeypatch.delenv(name)


def _example() -> str:
    return (ROOT / ".env.example").read_text()


def _faults(example: str) -> list[str]:
    lines = _LINE.findall(example)
    documented = [name for _, name, _ in lines]
    defaults = known_settings.defaults()
    known = set(defaults) | known_settings.read_directly()
    faults = [f"{name} has no line" for name in sorted(known - set(documented))]
    faults += [f"{name} is no setting" for name in documented if name not in known]
    faults += [f"{name} stands twice" for name in sorted({name for name in documented if documented.count(name) > 1})]
    faults += [
        f"{name} is {value!r} and not {' or '.join(sorted(defaults[name]))!r}"
        for _, name, value in lines
        if name in defaults and value not in defaults[name]
    ]
    faults += [f"{name} has a value" for behind, name, value in lines if not behind and value]
    return faults


def test_every_setting_has_a_line_with_its_default() -> None:
    assert _faults(_example()) == []


@pytest.mark.parametrize(
    ("line", "broken", "said"),
    [
        ("# JORNADA_SCORING_BATCH=1000\n", "", "JORNADA_SCORING_BATCH has no line"),
        ("# JORNADA_GROUP_INSTANCE_ID=\n", "", "JORNADA_GROUP_INSTANCE_ID has no line"),
        ("# JORNADA_NOTIFY_DATABASE_URL=\n", "", "JORNADA_NOTIFY_DATABASE_URL has no line"),
        ("# JORNADA_MODE=server", "# JORNADA_MODE=local", "JORNADA_MODE is 'local' and not 'server'"),
        ("# JORNADA_MODE=server", "# JORNADA_MODE=server\n# JORNADA_MOOD=", "JORNADA_MOOD is no setting"),
        ("# JORNADA_MODE=server", "# JORNADA_MODE=server\n# JORNADA_MODE=server", "JORNADA_MODE stands twice"),
        ("PASSWORD=\n", "PASSWORD=hunter2\n", "JORNADA_POSTGRES_PASSWORD has a value"),
    ],
)
def test_a_line_that_is_missing_stale_wrong_or_double_is_caught(line: str, broken: str, said: str) -> None:
    assert line in _example()
    assert set(_faults(_example().replace(line, broken, 1))) - set(_faults(_example())) == {said}


def test_a_new_field_without_a_line_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Grown(CommonSettings):
        console_tea_at: int = 5

    before = set(_faults(_example()))
    monkeypatch.setattr(known_settings, "classes", lambda: [*_CLASSES, Grown])
    assert set(_faults(_example())) - before == {"JORNADA_CONSOLE_TEA_AT has no line"}


def test_every_service_has_its_settings_among_them() -> None:
    assert {"jornada.runtime.settings", "services.console.settings", "services.ingest.settings"} <= {
        kind.__module__ for kind in _CLASSES
    }


def test_compose_and_kubernetes_set_nothing_that_is_no_setting() -> None:
    known = set(known_settings.defaults()) | known_settings.read_directly()
    secrets = dict.fromkeys(("JORNADA_SECRET_KEY_FILE", "JORNADA_INTERNAL_TOKEN_FILE"), "/dev/null")
    variables = {"JORNADA_POSTGRES_PASSWORD": "x"} | secrets
    compose = run("docker-compose", "config", "--no-env-resolution", "--format", "json", variables=variables)
    services = json.loads(compose.stdout)["services"].values()
    told = {name for service in services for name in service.get("environment", {})}
    told |= set(re.findall(r"^(\w+)=", (BASE / "settings.env").read_text(), re.MULTILINE))
    told |= {name for file in BASE.glob("*.yaml") for name in re.findall(r"name: (JORNADA_\w+)", file.read_text())}
    assert len(told) > 20
    assert {name for name in told if name.startswith("JORNADA_")} - known == set()
