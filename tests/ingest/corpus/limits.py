"""Sizes, depths and counts: the last one that is right, and the first one that is not."""

import json
from collections.abc import Iterator

from tests.ingest.corpus.cases import ACCEPTED, Case, Event, Expected, both, holding, judged, refused, track, whole

EVENT_BYTES = 32_768
BODY_BYTES = 512_000


def cases(key: str) -> Iterator[Case]:
    """Each border from both sides."""
    yield from _depths(key)
    yield from _keys(key)
    yield from _sizes(key)
    yield from _counts(key)


def _depths(key: str) -> Iterator[Case]:
    for depth in (28, 29, 30, 31, 32, 33, 100, 500, 990, 1_000, 1_100, 1_500, 5_000, 15_000):
        for kind, value in (("list", b"[" * depth + b"]" * depth), ("object", b'{"a":' * depth + b"1" + b"}" * depth)):
            expected = ACCEPTED if depth <= 30 else "too_deep"
            if len(value) < EVENT_BYTES - 200:
                yield from both(key, f"depth-{depth}-{kind}", holding(value), expected)
    for depth in (50_000, 100_000):
        yield from both(key, f"depth-{depth}", holding(b"[" * depth + b"]" * depth), "event_too_large")
        for batch in (False, True):
            yield whole(key, f"open-{depth}-{batch}", b"[" * depth, refused(400, "not_json"), batch=batch)
            yield whole(
                key, f"opened-{depth}-{batch}", b'{"batch":' * (depth // 10), refused(400, "not_json"), batch=batch
            )
            deep = b"[" * depth + b"]" * depth
            yield whole(key, f"closed-{depth}-{batch}", deep, refused(400, "not_an_object"), batch=batch)


def _keys(key: str) -> Iterator[Case]:
    for count in (499, 500, 501, 1_000):
        value = json.dumps({f"k{each}": each for each in range(count)}).encode()
        yield from both(key, f"keys-{count}", holding(value), ACCEPTED if count <= 500 else "too_many_keys")
        value = json.dumps([{f"k{each}": 1} for each in range(count)]).encode()
        yield from both(key, f"keys-apart-{count}", holding(value), ACCEPTED)
    for name, text, size in (
        *(("a", b"k" * size, size) for size in (64, 65, 255, 256, 257, 1_000)),
        *(("e", "é".encode() * size, 2 * size) for size in (64, 65, 127, 128, 129)),
        *(("emoji", "😀".encode() * size, 4 * size) for size in (63, 64, 65)),
        *(("escaped", b"\\u0041" * size, size) for size in (255, 256, 257)),
        *(("quoted", b"k" * 200 + b'\\"' + b"k" * size, 201 + size) for size in (54, 55, 56, 200)),
        *(("slashed", b"\\\\" * size, size) for size in (256, 257)),
        *(("surrogates", b"\\ud83d\\ude00" * size, 4 * size) for size in (64, 65)),
    ):
        expected = ACCEPTED if size <= 256 else "key_too_long"
        yield from both(key, f"key-{name}-{size}", holding(b'{"%b":1}' % text), expected)
        yield from both(key, f"key-{name}-{size}-deep", holding(b'[{"a":{"%b":[]}}]' % text), expected)
        yield from both(key, f"key-{name}-{size}-top", _member(b'"%b":1' % text), expected)


def _member(member: bytes) -> Event:
    return lambda name: track(name, member)


def _sized(size: int) -> Event:
    def event(name: str) -> bytes:
        bare = holding(b'""')(name)
        return holding(b'"%b"' % (b"x" * (size - len(bare))))(name)

    return event


def _sizes(key: str) -> Iterator[Case]:
    for size in (EVENT_BYTES - 1, EVENT_BYTES, EVENT_BYTES + 1, 40_000, 200_000):
        yield from both(key, f"event-{size}", _sized(size), ACCEPTED if size <= EVENT_BYTES else "event_too_large")
    for over in (-1, 0, 1):
        name = f"merged-{over}"
        context = b'"context":{"a":"' + b"c" * 1_000 + b'"}'
        event = _sized(EVENT_BYTES + over - len(context) - 1)(name)
        outcome: str | bytes = event[:-1] + b"," + context + b"}" if over <= 0 else "event_too_large"
        yield whole(key, name, b'{"batch":[%b],%b}' % (event, context), judged(outcome))
    for size in (BODY_BYTES - 1, BODY_BYTES, BODY_BYTES + 1, BODY_BYTES + 100_000):
        name = f"body-{size}"
        body = b'{"batch":[%b]}' % track(name)
        fits = size <= BODY_BYTES
        yield whole(key, name, body.ljust(size), _if(fits, name))
        single = f"{name}-single"
        yield whole(key, single, track(single).ljust(size), _if(fits, single), batch=False)


def _if(fits: bool, name: str) -> Expected:
    return judged(track(name)) if fits else refused(413, "body_too_large")


def _counts(key: str) -> Iterator[Case]:
    for count in (0, 1, 2_499, 2_500, 2_501, 10_000):
        body = b'{"batch":[%b]}' % b",".join([b"7"] * count)
        verdicts = judged(*["not_an_object"] * count)
        yield whole(key, f"events-{count}", body, verdicts if count <= 2_500 else refused(413, "too_many_events"))
    context = b'"context":{"a":"%b"}' % (b"x" * 30_000)
    many = b",".join([b"{}"] * 2_500)
    yield whole(key, "spread", b'{"batch":[%b],%b}' % (many, context), refused(413, "batch_too_large"))
