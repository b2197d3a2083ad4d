"""What scoring reads from the environment."""

from pydantic import Field

from jornada.runtime.settings import AddressSettings, PortSettings, SisterSettings


class Settings(SisterSettings):
    """Where scoring listens, and where it asks how far journey is. `JORNADA_SCORING_BATCH` is records a transaction."""

    scoring_port: int = Field(default_factory=lambda: PortSettings().scoring_port)
    journey_url: str = Field(default_factory=lambda: AddressSettings().of("journey"))
    scoring_batch: int = Field(default=1_000, ge=1, le=10_000)
