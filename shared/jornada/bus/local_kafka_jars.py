"""Kafka's jars for a machine without Docker: fetched by Maven, held to the committed hashes."""

import hashlib
import shutil
import subprocess
from pathlib import Path

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_FOLDER = Path(__file__).parents[3] / "deploy" / "kafka"


class KafkaMissing(Exception):
    """What a local broker needs is not on this machine; the message says what, in one line."""


def ensure_jars(libs: Path) -> None:
    """Leaves in `libs` exactly the jars of deploy/kafka/SHA256SUMS; raises KafkaMissing where that cannot be."""
    expected = _expected()
    if _found(libs) == expected:
        return
    _fetch(libs)
    found = _found(libs)
    if found != expected:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise KafkaMissing(f"Kafka's jars are not those of deploy/kafka/SHA256SUMS: {', '.join(wrong)}")


def _expected() -> dict[str, str]:
    try:
        lines = (_FOLDER / "SHA256SUMS").read_text().splitlines()
    except OSError as error:
        raise KafkaMissing(f"deploy/kafka/SHA256SUMS cannot be read: {error.strerror}") from error
    return {name: digest for digest, name in (line.split() for line in lines)}


def _found(libs: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in libs.glob("*.jar")}


def _fetch(libs: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaMissing("Maven (mvn) is not installed; it fetches the jars of Kafka")
    shutil.rmtree(libs, ignore_errors=True)
    pom = ["-f", str(_FOLDER / "pom.xml"), "-q", "-B"]
    target = [f"-DoutputDirectory={libs.absolute()}", "-DincludeScope=runtime"]
    done = subprocess.run([maven, *pom, _PLUGIN, *target], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr[-300:])
        raise KafkaMissing(f"Maven could not fetch Kafka's jars: {reason}")
