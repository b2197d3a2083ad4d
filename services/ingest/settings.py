"""What ingest reads from the environment."""

from pydantic import Field

from jornada.runtime.settings import CommonSettings


class Settings(CommonSettings):
    """`JORNADA_INGEST_…` beside what every service reads.

    `patience` is for how many seconds a passing fault of the stream is bridged before a 503; `bytes_in_flight` is
    the most that bodies in hand may take together; `remembered_ids` is how many message ids are known again.
    """

    ingest_patience: float = Field(default=8.0, ge=0, le=8.5)
    ingest_bytes_in_flight: int = Field(default=67_108_864, ge=1_048_576)
    ingest_remembered_ids: int = Field(default=200_000, ge=1)
