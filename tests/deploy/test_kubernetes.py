"""The Kubernetes manifests: they fit the schemas, and what no schema says is held here; broken copies are caught."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import rules
from tests.deploy.manifests import Base, Doc, read
from tests.deploy.tools import BASE, run

Rule = Callable[[Base], Iterator[str]]
_RULES: tuple[Rule, ...] = (rules.unlisted, rules.unrestricted, rules.unresolved, rules.unready)


def _faults(base: Base) -> list[str]:
    return [fault for rule in _RULES for fault in rule(base)]


def _validated(*files: Path) -> tuple[int, str]:
    said = run("kubernetes-validate", "--strict", "--quiet", *files)
    return said.returncode, said.stdout + said.stderr


def test_every_manifest_fits_its_schema() -> None:
    assert _validated(*(BASE / name for name in read(BASE).kustomization["resources"])) == (0, "")


def test_a_misspelt_field_does_not_fit(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text((BASE / "ingest.yaml").read_text().replace("readOnlyRootFilesystem:", "readonlyRootFilesystem:"))
    code, said = _validated(bad)
    assert code != 0
    assert "readonlyRootFilesystem" in said


def test_every_rule_is_kept() -> None:
    assert _faults(read(BASE)) == []


def test_who_may_be_reached_and_who_may_leave() -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in read(BASE).of("NetworkPolicy")}
    open_to_all = {name for name, spec in policies.items() for rule in spec.get("ingress", []) if "from" not in rule}
    assert open_to_all == {"faces"}
    leaving = {
        name
        for name, spec in policies.items()
        for rule in spec.get("egress", [])
        for to in rule.get("to", [])
        if "ipBlock" in to
    }
    assert leaving == {"outgoing"}
    assert policies["outgoing"]["podSelector"]["matchExpressions"][0]["values"] == ["notify"]


def _pod(base: Base, name: str) -> Doc:
    (pod,) = [pod for other, pod in base.pods() if other == name]
    return pod


def _container(base: Base, name: str) -> Doc:
    found: Doc = _pod(base, name)["spec"]["containers"][0]
    return found


def _in_pod(name: str, *path: str, to: Any = None) -> Callable[[Base], None]:
    """Sets a field of a pod's spec; without `to` removes it."""
    return lambda base: _put(_pod(base, name)["spec"], path, to)


def _in_container(name: str, *path: str, to: Any = None) -> Callable[[Base], None]:
    return lambda base: _put(_container(base, name), path, to)


def _in(kind: str, name: str, *path: str, to: Any = None) -> Callable[[Base], None]:
    return lambda base: _put(base.one(kind, name), path, to)


def _put(document: Doc, path: tuple[str, ...], to: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    if to is None:
        del document[path[-1]]
    else:
        document[path[-1]] = to


def _without(kind: str, name: str) -> Callable[[Base], None]:
    return lambda base: base.documents.remove(base.one(kind, name))


_BROKEN: dict[str, Callable[[Base], None]] = {
    "stray.yaml is not listed": lambda base: base.files.add("stray.yaml"),
    "notify.yaml is not there": lambda base: base.files.remove("notify.yaml"),
    "ingest may be root": _in_pod("ingest", "securityContext", "runAsUser", to=0),
    "journey may be root": _in_pod("journey", "securityContext", "runAsNonRoot"),
    "notify has no seccomp profile": _in_pod("notify", "securityContext", "seccompProfile"),
    "scoring holds a token": _in_pod("scoring", "automountServiceAccountToken"),
    "console's account holds a token": _in("ServiceAccount", "console", "automountServiceAccountToken", to=True),
    "console is told of services by variables": _in_pod("console", "enableServiceLinks"),
    "notify has another time to end than 30 s": _in_pod("notify", "terminationGracePeriodSeconds", to=5),
    "ingest shares with its node": _in_pod("ingest", "hostNetwork", to=True),
    "migrate may gain privileges": _in_container("migrate", "securityContext", "allowPrivilegeEscalation"),
    "migrate has capabilities": _in_container("migrate", "securityContext", "capabilities", to={"add": ["SYS_ADMIN"]}),
    "ingest writes its root": _in_container("ingest", "securityContext", "readOnlyRootFilesystem", to=False),
    "ingest is root in a container": _in_container("ingest", "securityContext", "runAsUser", to=0),
    "scoring has no requests or no limit": _in_container("scoring", "resources", "limits"),
    "console has a secret in its manifest": lambda base: _container(base, "console")["env"].append(
        {"name": "JORNADA_CONSOLE_DATABASE_URL", "value": "postgresql://a:b@c/d"}
    ),
    "journey: no such account": _in_pod("journey", "serviceAccountName", to="journal"),
    "journey: volumes and mounts differ": lambda base: _pod(base, "journey")["spec"]["volumes"].append(
        {"name": "spare", "emptyDir": {}}
    ),
    "ingest: no such map": _in_container("ingest", "envFrom", to=[{"configMapRef": {"name": "setting"}}]),
    "ingest: readinessProbe asks no port": _in_container("ingest", "readinessProbe", "httpGet", "port", to="web"),
    "notify: secret jornada-smtp/uri is not documented": lambda base: _container(base, "notify")["env"].append(
        {"name": "X", "valueFrom": {"secretKeyRef": {"name": "jornada-smtp", "key": "uri"}}}
    ),
    "Service journey selects no pod": _in("Service", "journey", "spec", "selector", "app.kubernetes.io/name", to="x"),
    "Service ingest leads to another port": lambda base: base.one("Service", "ingest")["spec"]["ports"][0].update(
        targetPort="web"
    ),
    "Service scoring is sought elsewhere": lambda base: base.settings.update(
        JORNADA_SCORING_URL="http://scoring.jornada:80"
    ),
    "PodDisruptionBudget ingest selects pods of others": _in(
        "PodDisruptionBudget",
        "ingest",
        "spec",
        "selector",
        to={"matchLabels": {"app.kubernetes.io/part-of": "jornada"}},
    ),
    "NetworkPolicy metrics opens no such port": lambda base: base.one("NetworkPolicy", "metrics")["spec"]["ingress"][
        0
    ].update(ports=[{"port": "web"}]),
    "StatefulSet notify has no headless Service": _in("Service", "notify", "spec", "clusterIP"),
    "ingest: each apply would undo its scaling": _in("Deployment", "ingest", "spec", "replicas", to=3),
    "HorizontalPodAutoscaler console scales nothing": _in(
        "HorizontalPodAutoscaler", "console", "spec", "scaleTargetRef", "name", to="consul"
    ),
    "Deployment console does not select its own pods alone": _in(
        "Deployment", "console", "spec", "selector", "matchLabels", "app.kubernetes.io/name", to="ingest"
    ),
    "migrate is missing": _without("Job", "migrate"),
    "journey is not asked how it is": _in_container("journey", "livenessProbe", "httpGet", "path", to="/readyz"),
    "ingest runs another": _in_container("ingest", "args", to=["services"]),
    "scoring has no disruption budget": _without("PodDisruptionBudget", "scoring"),
    "migrate has no wall around it": _in(
        "NetworkPolicy", "deny", "spec", "podSelector", to={"matchLabels": {"app.kubernetes.io/name": "ingest"}}
    ),
    "journey: a fixed place in the group is for a StatefulSet's pods, each its own": _in_container(
        "journey", "env", to=[]
    ),
    "notify: JORNADA_SECRET_KEY_FILE is not mounted": lambda base: base.settings.update(
        JORNADA_SECRET_KEY_FILE="/etc/jornada/secret-key/other"
    ),
    "scoring: JORNADA_INTERNAL_TOKEN_FILE is not mounted": lambda base: base.settings.update(
        JORNADA_INTERNAL_TOKEN_FILE="/etc/jornada/internal-token/other"
    ),
    "ingest: JORNADA_KAFKA_CA_FILE is not mounted": lambda base: base.settings.update(
        JORNADA_KAFKA_CA_FILE="/etc/jornada/ca.crt"
    ),
    "ingest mounts something else than scratch and secrets": lambda base: _pod(base, "ingest")["spec"]["volumes"][
        0
    ].update({"hostPath": {"path": "/"}, "emptyDir": None}),
}


@pytest.mark.parametrize("fault", _BROKEN)
def test_a_broken_copy_is_caught(fault: str) -> None:
    base = copy.deepcopy(read(BASE))
    _BROKEN[fault](base)
    assert fault in _faults(base)
