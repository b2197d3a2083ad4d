"""The Kubernetes manifests as they are written, and what one may ask of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Doc = dict[str, Any]
WORKLOADS = ("Deployment", "StatefulSet", "Job")


@dataclass
class Base:
    """A folder with a kustomization: its documents, and the settings that its pods are told."""

    kustomization: Doc
    documents: list[Doc]
    settings: dict[str, str]
    header: str = ""
    files: set[str] = field(default_factory=set)

    def of(self, *kinds: str) -> list[Doc]:
        """The documents of these kinds."""
        return [document for document in self.documents if document["kind"] in kinds]

    def one(self, kind: str, name: str) -> Doc:
        """The one document of this kind and name."""
        (found,) = [document for document in self.of(kind) if document["metadata"]["name"] == name]
        return found

    def pods(self) -> Iterator[tuple[str, Doc]]:
        """Each workload's name with the pod it makes (labels in `metadata`, the rest in `spec`)."""
        for workload in self.of(*WORKLOADS):
            yield workload["metadata"]["name"], workload["spec"]["template"]

    def selected(self, selector: Doc) -> list[Doc]:
        """The pods that a label selector means."""
        return [pod for _, pod in self.pods() if matches(selector, pod["metadata"]["labels"])]


@cache
def read(folder: Path) -> Base:
    """Reads what the folder's kustomization lists; once, so whoever changes it copies it first."""
    text = (folder / "kustomization.yaml").read_text()
    kustomization = yaml.safe_load(text)
    documents = [document for name in kustomization["resources"] for document in _documents(folder / name)]
    lines = (folder / "settings.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    files = {file.name for file in folder.iterdir()}
    return Base(kustomization, documents, settings, text, files)


def matches(selector: Doc, labels: dict[str, str]) -> bool:
    """Whether a label selector (equalities and `In`) means a pod with these labels."""
    equal = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    return equal and all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", [])
    )


def containers(pod: Doc) -> list[Doc]:
    """Every container of a pod, those that run first included."""
    found: list[Doc] = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    return found


def ports(pod: Doc) -> dict[str, int]:
    """A pod's ports by name."""
    return {port["name"]: port["containerPort"] for one in containers(pod) for port in one.get("ports", [])}


def _documents(file: Path) -> list[Doc]:
    return [document for document in yaml.safe_load_all(file.read_text()) if document]
