"""The shape of a batch: where its array stands, how it is spelt, and what its top level says for all events."""

from collections.abc import Iterator

from tests.ingest.corpus.cases import Case, judged, refused, request, track, whole

_NO_BATCH = [
    *(
        b"{}",
        b" {} ",
        b'{"batch":null}',
        b'{"batch":{}}',
        b'{"batch":"[]"}',
        b'{"batch":7}',
        b'{"batch":true}',
        b'{"":[]}',
    ),
    *(b'{"Batch":[]}', b'{"BATCH":[]}', b'{"batch ":[]}', b'{"batches":[]}', b'{"events":[]}', b'{"a":{"batch":[]}}'),
    *(
        b'{"a":"batch"}',
        b'{"a":"\\"batch\\":[]"}',
        b'{"b\\u0061tch":{}}',
        b'{"batch":{"batch":[{}]}}',
        b'{"type":"track"}',
    ),
]
_AROUND = [
    *(b'{"batch":[%b]}', b' \t\r\n{ "batch" : [ %b ] } \n', b'{"b\\u0061tch":[%b]}', b'{"\\u0062\\u0061tch" :[%b]}'),
    *(b'{"a":"batch","batch":[%b]}', b'{"batch":[%b],"a":"batch"}', b'{"a":{"batch":[1]},"batch":[%b]}'),
    *(b'{"a":[{"batch":[{}]}],"batch":[%b]}', b'{"a":"]","batch":[%b],"b":"["}', b'{"a":"\\"batch\\":[","batch":[%b]}'),
    *(
        b'{"a":"\\u0062atch","batch":[%b]}',
        b'{"batch":[%b],"batchId":1}',
        b'{"":{},"batch":[%b]}',
        b'{"[":"]","batch":[%b]}',
    ),
    *(b'{"sentAt":"2026-03-01T12:00:00Z","batch":[%b]}', b'{"sentAt":7,"batch":[%b]}', b'{"sentAt":null,"batch":[%b]}'),
    *(b'{"sentAt":[[]],"batch":[%b]}', b'{"sentAt":"\\ud800","batch":[%b]}', b'{"writeKey":7,"batch":[%b]}'),
    *(
        b'{"batch":[%b],"a":1,"a":2}',
        b'{"batch":[%b],"a":"\\ud800"}',
        b'{"batch":[%b],"a":1e400}',
        b'{"batch":[%b],"\\ud800":1}',
    ),
    *(b'{"batch":[%b],"a":"\\u0000"}', b'{"batch":[%b],"context":null}', b'{"batch":[%b],"integrations":null}'),
    b'{"batch":[%b],"a":' + b"[" * 3_000 + b"]" * 3_000 + b"}",
]
_TWICE = [
    *(
        b'{"batch":[],"batch":[]}',
        b'{"batch":[{}],"batch":[{}]}',
        b'{"batch":[],"b\\u0061tch":[]}',
        b'{"b\\u0061tch":1,"batch":[{}]}',
    ),
    *(b'{"batch":[{}],"context":{},"context":{}}', b'{"context":{},"batch":[{}],"cont\\u0065xt":{}}'),
    *(b'{"batch":[{}],"integrations":{},"integrations":{}}', b'{"batch":[{}],"sentAt":"","sentAt":""}'),
    *(
        b'{"batch":[{}],"writeKey":"a","writeKey":"a"}',
        b'{"batch":[{"batch":1}],"batch":[{}]}',
        b'{"batch":null,"batch":[{}]}',
    ),
]
_NO_EVENTS = [
    b"null",
    b"1",
    b"-0",
    b'"x"',
    b"[]",
    b'[{"type":"track"}]',
    b"true",
    b"1e400",
    b'"\\ud800"',
    b"[" * 20 + b"]" * 20,
]
_MERGED = [
    (b'"context":{"ip":"top","n":1.10}', b'"context":{"ip":"own"}', b'"context":{"n":1.10,"ip":"own"}'),
    (b'"context":{"ip":"top"}', b"", b'"context":{"ip":"top"}'),
    (b'"context":{"ip":"top"}', b'"context":null', b'"context":{"ip":"top"}'),
    (b'"context":{"ip":"top"}', b'"cont\\u0065xt":{"a":1}', b'"context":{"a":1,"ip":"top"}'),
    (b'"context":{"i\\u0070":"top"}', b'"context":{"ip":null}', b'"context":{"ip":null}'),
    (b'"context":{"a":{"b":1,"c":2}}', b'"context":{"a":{"b":3}}', b'"context":{"a":{"b":3}}'),
    (b'"context":{"n":1E5,"m":-0.0}', b'"properties":{"p":-0}', b'"properties":{"p":-0},"context":{"m":-0.0,"n":1E5}'),
    (b'"context":{}', b'"context":{}', b'"context":{}'),
    (b'"integrations":{"All":true}', b"", b'"integrations":{"All":true}'),
    (b'"integrations":{"All":true}', b'"integrations":{"All":false}', b'"integrations":{"All":false}'),
    (b'"integrations":{"All":true}', b'"integrations":{"X":1}', b'"integrations":{"All":true,"X":1}'),
    (b'"integrations":{"All":true}', b'"integrations":false', b'"integrations":false'),
    (b'"context":{"a":1},"integrations":{"b":2}', b"", b'"context":{"a":1},"integrations":{"b":2}'),
    (b'"context":{"groupId":"acme"}', b'"userId2":1', b'"userId2":1,"context":{"groupId":"acme"}'),
    (b'"context":{"a":9007199254740991}', b'"writeKey":"x"', b'"context":{"a":9007199254740991}'),
    (
        b'"context":{"a":"\\u00e9\\/\\n"}',
        b'"context":{"b":"\\ud83d\\ude00"}',
        b'"context":{"a":"\xc3\xa9/\\n","b":"\xf0\x9f\x98\x80"}',
    ),
]
_UNMERGEABLE = [
    (b'"context":7', "context_not_object"),
    (b'"context":[]', "context_not_object"),
    (b'"context":"x"', "context_not_object"),
    (b'"context":false', "context_not_object"),
    (b'"context":{"a":1,"a":2}', "duplicate_key"),
    (b'"context":{"a":"\\u0000"}', "nul_character"),
    (b'"context":{"a":"\\ud800"}', "lone_surrogate"),
    (b'"context":{"a":1e400}', "number_inexact"),
    (b'"context":{"a":9007199254740992}', "number_out_of_range"),
    (b'"context":{"a":' + b"[" * 40 + b"]" * 40 + b"}", "too_deep"),
    (b'"context":{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}", "too_deep"),
    (b'"context":{"groupId":"null"}', "id_illegal"),
    (b'"integrations":{"a":1,"a":2}', "duplicate_key"),
    (b'"integrations":{"a":1e400}', "number_inexact"),
]


def cases(key: str) -> Iterator[Case]:
    """Bodies of batches, and single calls with space around them."""
    for number, body in enumerate(_NO_BATCH):
        yield whole(key, f"no-batch-{number}", body, refused(400, "batch_missing"))
    for number, body in enumerate(_TWICE):
        yield whole(key, f"batch-twice-{number}", body, refused(400, "duplicate_key"))
    for number, around in enumerate(_AROUND):
        for many in (1, 3):
            names = [f"around-{number}-{many}-{each}" for each in range(many)]
            events = [track(name, b'"properties":{"batch":"]","x":[1]}') for name in names]
            yield whole(key, names[0], around.replace(b"%b", b" ,\n".join(events)), judged(*events))
    for number, value in enumerate(_NO_EVENTS):
        good = track(f"beside-{number}")
        body = b'{"batch":[%b,%b,%b]}' % (value, good, value)
        yield whole(key, f"no-event-{number}", body, judged("not_an_object", good, "not_an_object"))
    for number, space in enumerate((b" ", b"\t", b"\r\n", b"\n \n", b" " * 1_000)):
        event = track(f"space-{number}")
        yield whole(key, f"space-{number}", space + event + space, judged(event), batch=False)
    yield from _tops(key)


def _tops(key: str) -> Iterator[Case]:
    for number, (top, own, merged) in enumerate(_MERGED):
        for order in ("after", "before"):
            name = f"merged-{number}-{order}"
            event, kept = track(name, own), track(name, merged)
            body = b'{"batch":[%b],%b}' % (event, top) if order == "after" else b'{%b,"batch":[%b]}' % (top, event)
            yield whole(key, name, body, judged(kept))
    for number, (top, code) in enumerate(_UNMERGEABLE):
        name = f"unmergeable-{number}"
        events = track(name), track(f"{name}-own", b'"context":{"b":1}'), track(f"{name}-null", b'"context":null')
        yield whole(key, name, b'{"batch":[%b],%b}' % (b",".join(events), top), judged(code, code, code))
    for number, top in enumerate((b'"writeKey":"%b"', b'"writ\\u0065Key":"%b"')):
        name = f"key-at-the-top-{number}"
        body = b'{"batch":[%b],%b}' % (track(name), top % key.encode())
        yield Case(name, (request("/v1/b/", body),), judged(track(name)))
