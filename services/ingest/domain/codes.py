"""Every code with which ingest refuses, so that none is given that the documents do not explain."""

from typing import Literal

Refusal = Literal[
    "attribute_missing",
    "context_not_object",
    "customer_rate_limited",
    "data_not_json",
    "duplicate_key",
    "event_missing",
    "event_too_large",
    "group_id_missing",
    "id_illegal",
    "id_invalid",
    "id_missing",
    "key_too_long",
    "lone_surrogate",
    "message_id_invalid",
    "not_an_object",
    "nul_character",
    "number_inexact",
    "number_out_of_range",
    "previous_id_missing",
    "properties_not_object",
    "specversion_unsupported",
    "subject_unsupported",
    "timestamp_in_future",
    "timestamp_invalid",
    "timestamp_out_of_range",
    "too_deep",
    "too_many_keys",
    "traits_not_object",
    "type_missing",
    "type_unknown",
]
"""Of one event: the others of its request go on."""

Unread = Literal[
    "batch_missing",
    "batch_too_large",
    "body_too_large",
    "cloudevent_missing",
    "duplicate_key",
    "encoding_unsupported",
    "format_unsupported",
    "gzip_broken",
    "not_an_array",
    "not_an_object",
    "not_json",
    "not_utf8",
    "too_many_events",
    "write_keys_differ",
]
"""Of a whole request, which cannot be read."""
