"""Training and onboarding: which courses, which steps, how far."""

from collections.abc import Mapping

import msgspec

from services.journey.domain.parts.joining import earlier, greatest, merged
from services.journey.domain.reading import Key, Reading

MOST_COURSES = 200
MOST_STEPS = 100
_LONGEST_NAME = 200


class Course(msgspec.Struct, frozen=True, array_like=True):
    """A course: when it was first assigned, started, completed."""

    assigned: Key | None = None
    started: Key | None = None
    completed: Key | None = None


class Learning(msgspec.Struct, frozen=True, array_like=True):
    """Courses by id, and the first completion of each step of the onboarding."""

    courses: Mapping[str, Course] = {}
    steps: Mapping[str, Key] = {}

    def completed(self) -> list[Key]:
        """The first completions of courses."""
        return [course.completed for course in self.courses.values() if course.completed is not None]


NONE = Learning()


def join(a: Learning, b: Learning) -> Learning:
    """What both say; of more courses and steps than there is room for those with the greatest names."""
    if a is NONE or b is NONE:
        return b if a is NONE else a
    return Learning(
        courses=greatest(merged(a.courses, b.courses, _both), MOST_COURSES),
        steps=greatest(merged(a.steps, b.steps, min), MOST_STEPS),
    )


def single(reading: Reading) -> Learning:
    """What one touchpoint says."""
    key = reading.key
    match reading.kind:
        case "training_assigned":
            return Learning(courses={_name(reading, "course_id"): Course(assigned=key)})
        case "training_started":
            return Learning(courses={_name(reading, "course_id"): Course(started=key)})
        case "training_completed":
            return Learning(courses={_name(reading, "course_id"): Course(completed=key)})
        case "onboarding_step_completed":
            return Learning(steps={_name(reading, "step"): key})
        case _:
            return NONE


def _name(reading: Reading, what: str) -> str:
    """What it is about; a touchpoint that names nothing is about something of its own."""
    given = reading.properties.get(what)
    named = isinstance(given, str | int) and not isinstance(given, bool)
    return (str(given) if named else reading.touchpoint.message_id)[:_LONGEST_NAME]


def _both(a: Course, b: Course) -> Course:
    return Course(earlier(a.assigned, b.assigned), earlier(a.started, b.started), earlier(a.completed, b.completed))
