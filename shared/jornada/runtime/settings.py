"""Settings that every service shares, from `JORNADA_…` in the environment."""

from pathlib import Path
from typing import Literal, Self

from pydantic import field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_BROKERS = "127.0.0.1:9092"
"""Where `make kafka` listens, and what local mode expects."""

PORTS = {"console": 8000, "ingest": 8001, "journey": 8002, "scoring": 8003, "notify": 8004}


class KafkaSettings(BaseSettings):
    """How to reach Kafka."""

    model_config = SettingsConfigDict(env_prefix="JORNADA_KAFKA_")

    brokers: str | None = None
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class CommonSettings(BaseSettings):
    """What every service reads. `mode=local` is what `make run` sets: it alone allows fixed development keys."""

    model_config = SettingsConfigDict(env_prefix="JORNADA_", extra="ignore")

    mode: Literal["local", "server"] = "server"
    host: str = "127.0.0.1"
    data_dir: Path = Path(".jornada")
    database_url: str | None = None
    topic_replicas: int = 3
    log_level: str = "INFO"

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.resolve()


class SecretKeySettings(CommonSettings):
    """Of services that need the installation's secret key; local mode draws one under the data folder."""

    model_config = SettingsConfigDict(env_prefix="JORNADA_", extra="ignore", env_ignore_empty=True)

    secret_key_file: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode != "local" and self.secret_key_file is None:
            raise ValueError("set JORNADA_SECRET_KEY_FILE: it seals what must be read back, and hashes who was erased")
        return self


class SisterSettings(CommonSettings):
    """Of services that ask each other in their own name; local mode draws what they share under the data folder."""

    model_config = SettingsConfigDict(env_prefix="JORNADA_", extra="ignore", env_ignore_empty=True)

    internal_token_file: Path | None = None


class PortSettings(BaseSettings):
    """Where every service listens."""

    model_config = SettingsConfigDict(env_prefix="JORNADA_")

    console_port: int = PORTS["console"]
    ingest_port: int = PORTS["ingest"]
    journey_port: int = PORTS["journey"]
    scoring_port: int = PORTS["scoring"]
    notify_port: int = PORTS["notify"]

    def of(self, service: str) -> int:
        """The port of a service by name."""
        return int(getattr(self, f"{service}_port"))


class AddressSettings(BaseSettings):
    """Where the services find each other; by default on this machine, at their ports."""

    model_config = SettingsConfigDict(env_prefix="JORNADA_")

    console_url: str | None = None
    ingest_url: str | None = None
    journey_url: str | None = None
    scoring_url: str | None = None
    notify_url: str | None = None

    def of(self, service: str) -> str:
        """The base URL of a service by name, without a slash at its end."""
        given: str | None = getattr(self, f"{service}_url")
        return (given or f"http://127.0.0.1:{PortSettings().of(service)}").rstrip("/")


class DevelopmentSettings(BaseSettings):
    """Fixed keys of the workspace `default`, so that scripts can know them; refused outside local mode."""

    model_config = SettingsConfigDict(env_prefix="JORNADA_")

    dev_write_key: str | None = None
    dev_api_token: str | None = None
