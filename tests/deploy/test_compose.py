"""The compose file: it is well formed, holds no secret, and every container is guarded and waited for."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.deploy import known_settings
from tests.deploy.tools import ROOT, SERVICES, run

_SECRETS = ("secret_key_file", "internal_token_file")
_VARIABLES = {"JORNADA_POSTGRES_PASSWORD": "x"} | {f"JORNADA_{name.upper()}": "/dev/null" for name in _SECRETS}
_WRITES_ITS_ROOT = {"kafka"}
_RUNS_ONCE = {"migrate"}

Compose = dict[str, Any]


def _config(*options: str, variables: dict[str, str]) -> tuple[int, str, str]:
    said = run(
        "docker-compose", "--env-file", "/dev/null", "-f", "docker-compose.yml", "config", *options, variables=variables
    )
    return said.returncode, said.stdout, said.stderr


@pytest.fixture(scope="module")
def compose() -> Compose:
    """The compose file as Docker Compose understands it."""
    code, output, error = _config("--no-env-resolution", "--format", "json", variables=_VARIABLES)
    assert code == 0, error
    parsed: Compose = json.loads(output)
    return parsed


def _faults(compose: Compose) -> list[str]:
    return [f"{name}: {fault}" for name, service in compose["services"].items() for fault in _of(name, service)]


def _of(name: str, service: Compose) -> Iterator[str]:
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add") or service.get("privileged"):
        yield "has capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "may gain privileges"
    if name not in _WRITES_ITS_ROOT and not service.get("read_only"):
        yield "writes its root"
    if name not in _WRITES_ITS_ROOT and service.get("user", "0").split(":")[0] in ("0", "root"):
        yield "may be root"
    if not (service.get("mem_limit") and service.get("cpus") and service.get("pids_limit")):
        yield "has no limits"
    if name not in _RUNS_ONCE and "test" not in service.get("healthcheck", {}):
        yield "is not looked after"
    if any(port.get("host_ip") != "127.0.0.1" for port in service.get("ports", [])):
        yield "is published to the world"
    if name in SERVICES:
        yield from _of_ours(name, service)


def _of_ours(name: str, service: Compose) -> Iterator[str]:
    waits = {other: how["condition"] for other, how in service["depends_on"].items()}
    if waits != {"kafka": "service_healthy", "migrate": "service_completed_successfully"}:
        yield "does not wait"
    if service["command"] != [f"services.{name}"]:
        yield "runs another"
    port = service["environment"][f"JORNADA_{name.upper()}_PORT"]
    if f"127.0.0.1:{port}/readyz" not in service["healthcheck"]["test"][-1]:
        yield "is asked at another port"
    if service["environment"][f"JORNADA_{name.upper()}_URL"] != f"http://{name}:{port}":
        yield "is sought at another port"
    if any(str(published["target"]) != port for published in service.get("ports", [])):
        yield "publishes another port"
    held = {secret["target"] for secret in service.get("secrets", [])}
    needed = [each for each in _SECRETS if name in known_settings.services_with(each)]
    if any(service["environment"].get(f"JORNADA_{each.upper()}") not in held for each in needed):
        yield "lacks its secret"


def test_the_file_is_well_formed_and_every_container_is_guarded(compose: Compose) -> None:
    assert set(compose["services"]) == {*SERVICES, "migrate", "postgres", "kafka", "mail"}
    assert known_settings.services_with("secret_key_file") >= {"console", "notify"}
    assert known_settings.services_with("internal_token_file") >= {"journey", "scoring"}
    assert _faults(compose) == []


def _set(name: str, **values: object) -> Callable[[Compose], None]:
    return lambda compose: compose["services"][name].update(values)


def _unset(name: str, field: str) -> Callable[[Compose], None]:
    return lambda compose: compose["services"][name].pop(field)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (_unset("mail", "cap_drop"), "mail: has capabilities"),
        (_set("kafka", cap_add=["NET_ADMIN"]), "kafka: has capabilities"),
        (_unset("notify", "security_opt"), "notify: may gain privileges"),
        (_set("scoring", read_only=False), "scoring: writes its root"),
        (_unset("journey", "user"), "journey: may be root"),
        (_set("postgres", user="0:0"), "postgres: may be root"),
        (_unset("kafka", "mem_limit"), "kafka: has no limits"),
        (_unset("mail", "healthcheck"), "mail: is not looked after"),
        (_set("postgres", ports=[{"target": 5432}]), "postgres: is published to the world"),
        (_set("ingest", depends_on={"kafka": {"condition": "service_started"}}), "ingest: does not wait"),
        (_set("ingest", command=["services.notify"]), "ingest: runs another"),
        (_set("console", ports=[{"target": 8001, "host_ip": "127.0.0.1"}]), "console: publishes another port"),
        (_unset("console", "secrets"), "console: lacks its secret"),
        (lambda compose: compose["services"]["ingest"]["environment"].update(JORNADA_INGEST_URL="http://ingest:1"),
         "ingest: is sought at another port"),
    ],
)  # fmt: skip
def test_a_container_that_is_not_guarded_is_caught(
    compose: Compose, spoil: Callable[[Compose], None], fault: str
) -> None:
    spoilt = copy.deepcopy(compose)
    spoil(spoilt)
    assert _faults(spoilt) == [fault]


@pytest.mark.parametrize("missing", sorted(_VARIABLES))
def test_nothing_starts_without_its_secrets(missing: str) -> None:
    code, _, error = _config("-q", variables={**_VARIABLES, missing: ""})
    assert code != 0
    assert missing in error


def test_only_ingest_and_the_console_are_published_and_only_who_must_leaves_the_inside(compose: Compose) -> None:
    services = compose["services"]
    assert {name for name, service in services.items() if service.get("ports")} == {"console", "ingest"}
    assert {name for name, service in services.items() if "outside" in service["networks"]} == {
        "console",
        "ingest",
        "notify",
    }
    assert compose["networks"]["inside"]["internal"]


def _secrets(text: str) -> list[str]:
    valued = re.findall(
        r"^\s*\w*(?:PASSWORD|TOKEN|SECRET|API_KEY)\w*:[ ]+(?!\$\{|/run/secrets/)(\S+)", text, re.MULTILINE
    )
    return valued + re.findall(r"://[^/\s:]+:([^$\s@][^\s@]*)@", text)


def test_no_secret_is_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert _secrets(text) == []
    assert _secrets(text.replace("${JORNADA_POSTGRES_PASSWORD:?", "hunter2${JORNADA_POSTGRES_PASSWORD:?")) != []


def test_one_broker_is_asked_for_one_copy(compose: Compose) -> None:
    assert {compose["services"][name]["environment"]["JORNADA_TOPIC_REPLICAS"] for name in SERVICES} == {"1"}
