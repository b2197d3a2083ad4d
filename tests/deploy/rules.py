"""What no server checks before it is too late; each rule tells its faults in words."""

import re
from collections.abc import Iterator

from tests.deploy import known_settings
from tests.deploy.manifests import Base, Doc, containers, matches, ports
from tests.deploy.tools import SERVICES


def unlisted(base: Base) -> Iterator[str]:
    """Files that the kustomization forgets, and names it lists in vain."""
    listed = set(base.kustomization["resources"])
    listed |= {name for one in base.kustomization["configMapGenerator"] for name in one["envs"]}
    for name in sorted(listed ^ (base.files - {"kustomization.yaml"})):
        yield f"{name} is " + ("not there" if name in listed else "not listed")


def unrestricted(base: Base) -> Iterator[str]:
    """Pods that the profile `restricted` would refuse, or that can do more than they need."""
    for name, pod in base.pods():
        spec, context = pod["spec"], pod["spec"].get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser", 0) > 0:
            yield f"{name} may be root"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name} has no seccomp profile"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name} holds a token"
        # They would set JORNADA_…_PORT to an address, were a Service named so.
        if spec.get("enableServiceLinks") is not False:
            yield f"{name} is told of services by variables"
        if spec.get("terminationGracePeriodSeconds") != 30:
            yield f"{name} has another time to end than 30 s"
        if any(spec.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name} shares with its node"
        if any(not {*volume} <= {"name", "emptyDir", "secret"} for volume in spec.get("volumes", [])):
            yield f"{name} mounts something else than scratch and secrets"
        for container in containers(pod):
            yield from (f"{name} {fault}" for fault in _unguarded(container))
    yield from (
        f"{account['metadata']['name']}'s account holds a token"
        for account in base.of("ServiceAccount")
        if account.get("automountServiceAccountToken") is not False
    )


def _unguarded(container: Doc) -> Iterator[str]:
    context, resources = container.get("securityContext", {}), container.get("resources", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "may gain privileges"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "has capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "writes its root"
    if context.get("runAsUser", 1) == 0 or context.get("runAsNonRoot") is False:
        yield "is root in a container"
    if set(resources.get("requests", {})) != {"cpu", "memory"} or "memory" not in resources.get("limits", {}):
        yield "has no requests or no limit"
    if any(
        "value" in one and re.search("PASSWORD$|TOKEN$|_KEY$|DATABASE_URL$", one["name"]) for one in container["env"]
    ):
        yield "has a secret in its manifest"


def unresolved(base: Base) -> Iterator[str]:
    """Names that lead nowhere: of maps, accounts, secrets, ports, volumes, pods and services."""
    maps = {one["name"] for one in base.kustomization["configMapGenerator"]}
    accounts = {account["metadata"]["name"] for account in base.of("ServiceAccount")}
    for name, pod in base.pods():
        if pod["spec"].get("serviceAccountName") not in accounts:
            yield f"{name}: no such account"
        mounted = {mount["name"] for one in containers(pod) for mount in one.get("volumeMounts", [])}
        if mounted != {volume["name"] for volume in pod["spec"].get("volumes", [])}:
            yield f"{name}: volumes and mounts differ"
        for container in containers(pod):
            told = [source["configMapRef"]["name"] for source in container.get("envFrom", [])]
            if not set(told) <= maps:
                yield f"{name}: no such map"
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in container and container[probe]["httpGet"]["port"] not in ports(pod):
                    yield f"{name}: {probe} asks no port"
        yield from _secrets(base, name, pod)
        yield from _files(base, name, pod)
    for document in base.of("Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment", "StatefulSet"):
        yield from _selecting(base, document)
    for service in base.of("Service"):
        yield from _addressed(base, service)
    yield from _owners(base)


def _secrets(base: Base, name: str, pod: Doc) -> Iterator[str]:
    """Secrets are documented above the kustomization, name and keys; whoever reads the file must know what to make."""
    documented = dict(
        re.findall(r"^#   (jornada-[a-z-]+) +(\w[\w.-]*(?:, [\w.-]+)*)(?: |$)", base.header, re.MULTILINE)
    )
    refs = [
        one["valueFrom"]["secretKeyRef"]
        for c in containers(pod)
        for one in c["env"]
        if "secretKeyRef" in one.get("valueFrom", {})
    ]
    wanted = [(ref["name"], ref["key"]) for ref in refs]
    for volume in pod["spec"].get("volumes", []):
        if "secret" in volume:
            items = volume["secret"].get("items", [])
            wanted += [(volume["secret"]["secretName"], item["key"]) for item in items]
    for secret, key in wanted:
        if key not in documented.get(secret, "").split(", "):
            yield f"{name}: secret {secret}/{key} is not documented"


def _files(base: Base, name: str, pod: Doc) -> Iterator[str]:
    """Files that settings name are there in the pods that read them."""
    if not any(container.get("envFrom") for container in containers(pod)):
        return
    paths = {mount["name"]: mount["mountPath"] for c in containers(pod) for mount in c.get("volumeMounts", [])}
    there = {
        f"{paths.get(volume['name'])}/{item['path']}"
        for volume in pod["spec"].get("volumes", [])
        for item in volume.get("secret", {}).get("items", [])
    }
    for setting, file in base.settings.items():
        field = setting.removeprefix("JORNADA_").lower()
        reads = setting.startswith("JORNADA_KAFKA_") or name in known_settings.services_with(field)
        if setting.endswith("_FILE") and reads and file not in there:
            yield f"{name}: {setting} is not mounted"


def _selecting(base: Base, document: Doc) -> Iterator[str]:
    kind, name, spec = document["kind"], document["metadata"]["name"], document["spec"]
    field = "podSelector" if kind == "NetworkPolicy" else "selector"
    selector = {"matchLabels": spec["selector"]} if kind == "Service" else spec[field]
    pods = base.selected(selector)
    if kind in ("Deployment", "StatefulSet"):
        if not matches(selector, spec["template"]["metadata"]["labels"]) or len(pods) != 1:
            yield f"{kind} {name} does not select its own pods alone"
    elif not pods:
        yield f"{kind} {name} selects no pod"
    elif kind != "NetworkPolicy" and len(pods) != 1:
        yield f"{kind} {name} selects pods of others"
    if kind == "NetworkPolicy":
        named = {port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])}
        if any(isinstance(port, str) and port not in ports(pod) for port in named for pod in pods):
            yield f"NetworkPolicy {name} opens no such port"


def _addressed(base: Base, service: Doc) -> Iterator[str]:
    """A headless name leads to the pods themselves, so the Service's port must be theirs."""
    name, (port,) = service["metadata"]["name"], service["spec"]["ports"]
    for pod in base.selected({"matchLabels": service["spec"]["selector"]}):
        if ports(pod).get(port["targetPort"]) != port["port"]:
            yield f"Service {name} leads to another port"
    if base.settings.get(f"JORNADA_{name.upper()}_URL") != f"http://{name}:{port['port']}":
        yield f"Service {name} is sought elsewhere"


def _owners(base: Base) -> Iterator[str]:
    services = {service["metadata"]["name"]: service["spec"] for service in base.of("Service")}
    for workload in base.of("StatefulSet"):
        headless = services.get(workload["spec"]["serviceName"], {}).get("clusterIP") == "None"
        if not headless:
            yield f"StatefulSet {workload['metadata']['name']} has no headless Service"
    workloads = {(one["kind"], one["metadata"]["name"]): one for one in base.of("Deployment", "StatefulSet")}
    for scaler in base.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        scaled = workloads.get((target["kind"], target["name"]))
        if scaled is None:
            yield f"HorizontalPodAutoscaler {scaler['metadata']['name']} scales nothing"
        elif "replicas" in scaled["spec"]:
            yield f"{target['name']}: each apply would undo its scaling"


def unready(base: Base) -> Iterator[str]:
    """Services without their probes, budget, place in the group or walls around them."""
    budgets = {budget["metadata"]["name"] for budget in base.of("PodDisruptionBudget")}
    stateful = {one["metadata"]["name"] for one in base.of("StatefulSet")}
    pods = dict(base.pods())
    yield from (f"{name} is missing" for name in sorted({*SERVICES, "migrate"} - set(pods)))
    for name in sorted(set(SERVICES) & set(pods)):
        (container,) = pods[name]["spec"]["containers"]
        asked = {probe: container.get(probe, {}).get("httpGet", {}).get("path") for probe in _PROBES}
        if asked != _PROBES:
            yield f"{name} is not asked how it is"
        if container["args"] != [f"services.{name}"]:
            yield f"{name} runs another"
        if name not in budgets:
            yield f"{name} has no disruption budget"
        variables = {one["name"]: one for one in container["env"]}
        place = variables.get("JORNADA_GROUP_INSTANCE_ID", {}).get("valueFrom", {}).get("fieldRef", {})
        if (place == {"fieldPath": "metadata.name"}) != (name in stateful):
            yield f"{name}: a fixed place in the group is for a StatefulSet's pods, each its own"
    walls = [policy["spec"] for policy in base.of("NetworkPolicy") if not {"ingress", "egress"} & set(policy["spec"])]
    for name, pod in pods.items():
        around = {
            way
            for wall in walls
            if matches(wall["podSelector"], pod["metadata"]["labels"])
            for way in wall["policyTypes"]
        }
        if around != {"Ingress", "Egress"}:
            yield f"{name} has no wall around it"


_PROBES = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
