"""What journey reads from the environment."""

from pydantic import Field

from jornada.runtime.settings import SecretKeySettings, SisterSettings


class Settings(SecretKeySettings, SisterSettings):
    """`JORNADA_JOURNEY_…` beside what every service reads. `batch` is the most records of one transaction."""

    journey_batch: int = Field(default=2_000, ge=1, le=20_000)
