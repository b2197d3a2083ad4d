"""What churn models are told of a subject: one function, for serving and for learning alike."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

from services.scoring.domain.course import Course
from services.scoring.domain.profiles import COMPONENTS, ComponentName

PATIENCE = "patience"
CANCELS = "cancels"


class Feature(NamedTuple):
    """A number by name, and its unit. `in_silence`: it never rises while nothing happens, or stays; None: it may rise.

    A model is monotone in silence in what falls or holds, and in nothing else.
    """

    name: str
    unit: str
    in_silence: Literal["falls", "holds"] | None


_IN_SILENCE: Mapping[ComponentName, Literal["falls", "holds"] | None] = {
    "adoption": "falls",
    "support": "falls",
    "feedback": None,
    "enablement": "holds",
    "commercial": None,
    "relationship": "falls",
    "people": "falls",
}
FEATURES = (
    *(Feature(name, "0 to 1, as the profile values it", _IN_SILENCE[name]) for name in COMPONENTS),
    Feature(PATIENCE, "0 to 1, what silence leaves of adoption", "falls"),
    Feature(CANCELS, "1 while a cancellation stands, else 0", "holds"),
)

SCHEMA = sha256(msgspec.json.encode(FEATURES)).hexdigest()[:16]
"""What a model learned from: it serves where it is told the same."""


def features(course: Course, at: int) -> dict[str, float]:
    """The features at an instant (microseconds since 1970); one that is not known of the subject is not there."""
    told: dict[str, float] = {share.name: share.part.value(at) for share in course.shares}
    if course.use is not None:
        told[PATIENCE] = course.use.patience(at)
    told[CANCELS] = float(course.cancels is not None)
    return told
