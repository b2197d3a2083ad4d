"""The image's recipe: a linter's judgement, and what older builders and a guarded pod need."""

import re

import pytest

from tests.deploy.tools import ROOT, run


def _dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def _faults(dockerfile: str) -> list[str]:
    last = dockerfile.rsplit("\nFROM ", maxsplit=1)[-1]
    pinned = re.search(r"uv==([\d.]+)", dockerfile)
    makefile = re.search(r"^UV_VERSION := ([\d.]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    faults = {
        "a heredoc": "<<" in dockerfile,
        "a syntax line": re.search(r"^# *syntax *=", dockerfile, re.IGNORECASE | re.MULTILINE),
        "no numeric user": not re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE),
        "bytecode written at run time": "PYTHONDONTWRITEBYTECODE=1" not in last,
        "another uv than the Makefile's": not pinned or not makefile or pinned[1] != makefile[1],
        "not from the lock": any("--frozen" not in line for line in re.findall(r"uv sync.*", dockerfile)),
        "a whole folder": re.search(r"^(COPY|ADD) (\S+ )?\. ", dockerfile, re.MULTILINE),
    }
    return [fault for fault, found in faults.items() if found]


def test_the_linter_has_nothing_to_say() -> None:
    said = run("hadolint", "--failure-threshold", "style", "Dockerfile")
    assert (said.returncode, said.stdout) == (0, "")


def test_the_linter_catches_a_bad_recipe() -> None:
    said = run("hadolint", "-", text=_dockerfile().replace("uv==0.13.9", "uv").replace("--no-cache-dir ", ""))
    assert said.returncode != 0
    assert "DL3013" in said.stdout
    assert "DL3042" in said.stdout


def test_the_recipe_suits_older_builders_and_guarded_pods() -> None:
    assert _faults(_dockerfile()) == []


@pytest.mark.parametrize(
    ("part", "broken", "fault"),
    [
        ("RUN python", "RUN <<E python", "a heredoc"),
        ("# One image", "# syntax=docker/dockerfile:1\n# One image", "a syntax line"),
        ("USER 10001:10001", "USER root", "no numeric user"),
        ("PYTHONDONTWRITEBYTECODE=1", "PYTHONDONTWRITEBYTECODE=", "bytecode written at run time"),
        ("uv==0.13.9", "uv==0.13.8", "another uv than the Makefile's"),
        ("--frozen --no-dev --no-editable", "--no-dev --no-editable", "not from the lock"),
        ("COPY services services", "COPY . .", "a whole folder"),
    ],
)
def test_a_recipe_that_does_not_is_caught(part: str, broken: str, fault: str) -> None:
    assert part in _dockerfile()
    assert _faults(_dockerfile().replace(part, broken)) == [fault]


def test_the_builder_is_sent_what_it_copies_and_nothing_else() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {source.split("/")[0] for source in re.findall(r"^COPY (?!--from)(.+) \S+$", _dockerfile(), re.MULTILINE)}
    copied = {part.split("/")[0] for line in copied for part in line.split()}
    assert rules[0] == "*"
    assert sent == copied
    assert "**/.env" in rules[rules.index("!services") :]
