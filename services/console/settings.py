"""What the console reads from the environment."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from jornada.runtime import CommonSettings
from jornada.runtime.settings import PORTS


class Settings(CommonSettings):
    """Settings of the console. Outside local mode sessions need a secret that all replicas share."""

    console_port: int = PORTS["console"]
    console_session_hours: int = Field(default=12, ge=1, le=720)
    console_ingest_public_url: str | None = None
    """Where the apps of the world reach ingest, for the snippets; the address of ingest as we know it by default."""
    secret_key_file: Path | None = None

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if self.mode != "local" and self.secret_key_file is None:
            raise ValueError(
                "JORNADA_SECRET_KEY_FILE is needed outside JORNADA_MODE=local: it seals the console's sessions"
            )
        return self
