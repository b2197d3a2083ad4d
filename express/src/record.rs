//! The record of an event on the stream: what the sender said, who the sender is, and when it arrived.

use crate::event::{Body, Event};
use crate::instants;
use crate::reading::Request;

const AHEAD: i64 = 60_000_000;
const FUTURE: i64 = 86_400_000_000;

/// Who sent a request, when it arrived (microseconds), and the id drawn for it.
pub struct Arrival<'a> {
    /// The record's beginning: workspace, source and role.
    pub head: &'a [u8],
    pub received_at: i64,
    /// The same as the record says it.
    pub received: &'a [u8],
    pub request_id: &'a str,
    /// An event older than this is history.
    pub history: i64,
}

/// Whether no clock runs ahead, by which all events of the request would be moved, and nothing lies in the future.
pub fn in_time(request: &Request, arrival: &Arrival) -> bool {
    let sent = request.sent_at.as_ref().is_none_or(|(_, at)| at - arrival.received_at <= AHEAD);
    sent && request.events.iter().flatten().all(|event| {
        event.sent_at.is_none_or(|at| at - arrival.received_at <= AHEAD)
            && event.happened_at.is_none_or(|at| at - arrival.received_at <= FUTURE)
    })
}

/// Writes the record of an event, the name of its message id included.
pub fn write(event: &Event, message_id: &[u8], request: &Request, body: &[u8], arrival: &Arrival, out: &mut Vec<u8>) {
    let sent_at = event.sent_at.or(request.sent_at.as_ref().map(|(_, at)| *at));
    let occurred_at = event.happened_at.or(sent_at).unwrap_or(arrival.received_at);
    out.clear();
    out.extend_from_slice(arrival.head);
    member(b"message_id", message_id, out);
    member(b"type", event.call.as_bytes(), out);
    member(b"received_at", arrival.received, out);
    time(b"occurred_at", occurred_at, out);
    member(b"payload_hash", &hex(event.hash), out);
    out.extend_from_slice(&request.arena[event.names.clone()]);
    if let Some(at) = sent_at {
        time(b"sent_at", at, out);
    }
    if arrival.received_at - occurred_at > arrival.history {
        out.extend_from_slice(b",\"history\":true");
    }
    out.extend_from_slice(b",\"body\":");
    out.extend_from_slice(match &event.body {
        Body::Sent(place) => &body[place.clone()],
        Body::Bare(place) => &request.arena[place.clone()],
    });
    out.push(b'}');
}

/// The 32 digits of a hash.
pub fn hex(hash: u128) -> [u8; 32] {
    let bytes = hash.to_be_bytes();
    std::array::from_fn(|place| {
        let byte = bytes[place / 2];
        b"0123456789abcdef"[usize::from(if place % 2 == 0 { byte >> 4 } else { byte & 15 })]
    })
}

fn member(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    begin(name, out);
    out.extend_from_slice(value);
    out.push(b'"');
}

fn time(name: &[u8], at: i64, out: &mut Vec<u8>) {
    begin(name, out);
    instants::write(at, out);
    out.push(b'"');
}

fn begin(name: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":\"");
}
