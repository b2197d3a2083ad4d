"""Every setting there is, found in the settings' classes and in the code that reads the environment itself."""

import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from tests.deploy.tools import ROOT, SERVICES

FOR_TESTS = {"JORNADA_CRASHPOINTS", "JORNADA_CRASHPOINTS_LOG"}
_NAME = re.compile(r"JORNADA(?:_[A-Z0-9]+)+(?![A-Z0-9_])")


def classes() -> list[type[BaseSettings]]:
    """Every settings class of the library and of the services that have one."""
    files = [ROOT / "shared/jornada/runtime/settings.py", *sorted(ROOT.glob("services/*/settings.py"))]
    found = []
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        module = importlib.import_module(".".join(parts[1:] if parts[0] == "shared" else parts))
        found += [
            kind
            for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, BaseSettings) and kind.__module__ == module.__name__
        ]
    return found


def names_of(kind: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo]]:
    """Each of a class's fields with the name of its variable."""
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        if alias is None:
            yield (str(kind.model_config.get("env_prefix", "")) + name).upper(), field
        else:
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
            yield from ((str(choice).upper(), field) for choice in choices)


def defaults() -> dict[str, set[str]]:
    """Each field's variable with its defaults as they are written in the environment; "" where there is none."""
    found: dict[str, set[str]] = defaultdict(set)
    for kind in classes():
        for name, field in names_of(kind):
            found[name].add(_written(field))
    return dict(found)


def read_directly() -> set[str]:
    """The variables that code names itself, and those that compose fills in from .env."""
    files = [file for folder in ("shared", "services") for file in sorted((ROOT / folder).rglob("*.py"))]
    named = {name for file in files for name in _NAME.findall(file.read_text())}
    asked = set(re.findall(r"\$\{(JORNADA_[A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    return (named | asked | {f"JORNADA_{service.upper()}_DATABASE_URL" for service in SERVICES}) - FOR_TESTS


def services_with(field: str) -> set[str]:
    """The services whose settings have this field."""
    return {Path(kind.__module__.replace(".", "/")).parent.name for kind in classes() if field in kind.model_fields}


def _written(field: FieldInfo) -> str:
    value = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
