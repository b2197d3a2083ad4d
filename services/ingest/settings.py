"""What ingest reads from the environment."""

from pydantic import Field

from jornada.runtime.settings import SecretKeySettings


class Settings(SecretKeySettings):
    """`JORNADA_INGEST_…` beside what every service reads.

    `patience` is for how many seconds a passing fault of the stream is bridged before a 503; `bytes_in_flight` is
    the most that bodies in hand, and what is made of them, may take together; `remembered_ids` is how many message
    ids are known again.
    `events_per_second` is what one process takes of all senders, `key_events_per_second` of one write key, and
    `customer_events_per_second`, over ten seconds, of one customer.
    What was refused is shown for `rejections_days`, and no more than a workspace's newest `rejections_kept`.
    """

    ingest_patience: float = Field(default=8.0, ge=0, le=8.5)
    ingest_bytes_in_flight: int = Field(default=67_108_864, ge=16_777_216)
    ingest_remembered_ids: int = Field(default=200_000, ge=1)
    ingest_events_per_second: int = Field(default=500_000, ge=1)
    ingest_key_events_per_second: int = Field(default=250_000, ge=1)
    ingest_customer_events_per_second: int = Field(default=1_000, ge=1)
    ingest_rejections_days: int = Field(default=30, ge=1, le=3_650)
    ingest_rejections_kept: int = Field(default=100_000, ge=1)
