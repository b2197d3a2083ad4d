"""Timestamps by RFC 3339, and by every other custom."""

from collections.abc import Iterator

from tests.ingest.corpus.cases import ACCEPTED, Case, Event, both, judged, track, whole

GOOD = [
    *("2026-03-01T12:00:00Z", "2026-03-01t12:00:00z", "2026-03-01T12:00:00z", "2026-03-01T00:00:00+00:00"),
    *(
        "2026-03-01T12:00:00-00:00",
        "2026-03-01T12:00:00+23:59",
        "2026-03-01T12:00:00-23:59",
        "2026-03-01T12:00:00+05:45",
    ),
    *("2026-03-01T23:59:59.999999999Z", "2000-01-01T00:00:00Z", "2000-02-29T00:00:00Z", "2024-02-29T12:00:00+01:00"),
    *(f"2026-03-01T12:00:00.{'1' * decimals}Z" for decimals in range(1, 10)),
    *("1999-12-31T23:59:59-00:01", "2000-01-01T23:59:00+23:59"),
]
BAD = [
    *("", " ", "now", "yesterday", "2026", "2026-03", "2026-03-01", "2026-03-01T", "2026-03-01T12", "2026-03-01T12:00"),
    *(
        "2026-03-01T12:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00Z",
        "2026-03-01_12:00:00Z",
        "2026-03-01T12:00:00 Z",
    ),
    *("2026-03-01T12:00:00+0300", "2026-03-01T12:00:00+03", "2026-03-01T12:00:00+3:00", "2026-03-01T12:00:00+03:0"),
    *("2026-03-01T12:00:00.Z", "2026-03-01T12:00:00,5Z", "2026-03-01T12:00:00.1234567890Z", "2026-03-01T12:00:00.5"),
    *(
        "2026-03-01T24:00:00Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01T12:60:00Z",
        "2026-03-01T12:00:60Z",
        "2026-03-01T12:00:61Z",
    ),
    *("2016-12-31T23:59:60Z", "2015-06-30T23:59:60Z", "2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+12:60"),
    *("2026-03-01T12:00:00-12:99", "2026-03-01T12:00:00+99:00", "2026-02-29T12:00:00Z", "2026-02-30T12:00:00Z"),
    *(
        "2026-00-01T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-03-00T12:00:00Z",
        "2026-03-32T12:00:00Z",
        "2026-04-31T12:00:00Z",
    ),
    *(
        "2026-3-1T12:00:00Z",
        "26-03-01T12:00:00Z",
        "02026-03-01T12:00:00Z",
        "+2026-03-01T12:00:00Z",
        "-2026-03-01T12:00:00Z",
    ),
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "10000-01-01T00:00:00Z"),
    *("20260301T120000Z", "2026-W09-7T12:00:00Z", "2026-060T12:00:00Z", "1772366400", "1772366400000", "1.7e9"),
    *("Sun, 01 Mar 2026 12:00:00 GMT", "Sun Mar 01 2026", "03/01/2026", "01.03.2026 12:00", "2026-03-01T12:00:00 UTC"),
    *(
        "2026-03-01T12:00:00Europe/Berlin",
        "2026-03-01T12:00:00Z[UTC]",
        " 2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00Z ",
    ),
    *("２026-03-01T12:00:00Z", "2026-03-01T12:00:00\u22121:00", "٢٠٢٦-03-01T12:00:00Z", "2026‑03‑01T12:00:00Z", "P1D"),
    *(
        "2026-03-01T12:00:00ZZ",
        "2026-03-01TT12:00:00Z",
        "2026-03-01T12:00:00+00:00Z",
        "2026-03-01T1:00:00Z",
        "null",
        "NaN",
    ),
]
TOO_EARLY = ["1999-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2000-01-01T00:00:00+00:01"]
TOO_LATE = [
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999999Z",
    "2999-01-01T00:00:00Z",
    "9999-12-31T23:59:59+23:59",
]
_CODES = (
    (ACCEPTED, GOOD),
    ("timestamp_invalid", BAD),
    ("timestamp_out_of_range", TOO_EARLY),
    ("timestamp_in_future", TOO_LATE),
)


def cases(key: str) -> Iterator[Case]:
    """An event's own time must be good; when it was sent may be anything, and harms neither it nor others."""
    for code, texts in _CODES:
        for number, text in enumerate(texts):
            for field in ("timestamp", "originalTimestamp"):
                yield from both(key, f"{code}-{field}-{number}", _at(field, text), code)
            yield from both(key, f"sent-{code}-{number}", _at("sentAt", text), ACCEPTED)
    for number, text in enumerate((*TOO_EARLY, *TOO_LATE, *BAD[:9])):
        name = f"sent-beside-{number}"
        good = track(f"{name}-good", b'"timestamp":"2026-03-01T12:00:00Z"')
        early = track(f"{name}-early", b'"timestamp":"2000-01-01T00:00:00Z"')
        sent = track(name, b'"sentAt":"%b"' % text.encode())
        yield whole(key, name, b'{"batch":[%b,%b,%b]}' % (good, sent, early), judged(good, sent, early))
        yield from both(key, f"{name}-other", _both_times(text), ACCEPTED)


def _at(field: str, text: str) -> Event:
    return lambda name: track(name, b'"%b":"%b"' % (field.encode(), text.encode()))


def _both_times(text: str) -> Event:
    """Where an original timestamp is good the other one is only kept."""
    members = b'"timestamp":"%b","originalTimestamp":"2026-03-01T12:00:00Z"' % text.encode()
    return lambda name: track(name, members)
