//! A request's body, read in one pass.

use std::ops::Range;

use crate::event::{note, Event, Reader};
use crate::instants::instant;
use crate::scanner::Scanner;

const EVENTS: usize = 2_500;

/// How the events of a body stand in it.
#[derive(Clone, Copy)]
pub enum Form {
    /// In the array `batch` of an object, which says something of all of them.
    Batch,
    /// The body is one event; its path may say of which type.
    Single(Option<&'static str>),
    /// The body is an array of them.
    Array,
}

/// What was read. An event that is not taken is there as the place of its text.
pub struct Request {
    pub events: Vec<Result<Event, Range<usize>>>,
    pub arena: Vec<u8>,
    pub write_keys: Vec<String>,
    pub sent_at: Option<(String, i64)>,
}

/// What a batch says of all its events.
#[derive(Default)]
struct Top<'a> {
    seen: Vec<&'a [u8]>,
    sent_at: Option<&'a [u8]>,
}

/// The request that a body is; none where anything about it as a whole is odd.
pub fn request(body: &[u8], form: Form) -> Option<Request> {
    std::str::from_utf8(body).ok()?;
    let mut from = Scanner::new(body);
    let default = if let Form::Single(call) = form { call } else { None };
    let mut reader = Reader::new(body.len(), default);
    let mut events = Vec::new();
    let mut sent_at = None;
    match form {
        Form::Batch => sent_at = batch(&mut from, &mut reader, &mut events)?,
        Form::Array => array(&mut from, &mut reader, &mut events)?,
        Form::Single(_) => events.push(Ok(reader.event(&mut from)?)),
    }
    from.at_end().then_some(())?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let write_keys = reader.write_keys.iter().map(|key| text(key)).collect::<Option<_>>()?;
    let sent_at = match sent_at {
        Some(given) => Some((text(given)?, instant(given)?)),
        None => None,
    };
    Some(Request { events, arena: reader.arena, write_keys, sent_at })
}

type Events = Vec<Result<Event, Range<usize>>>;

/// The events of a batch; returns the `sentAt` of its top.
fn batch<'a>(from: &mut Scanner<'a>, reader: &mut Reader<'a>, events: &mut Events) -> Option<Option<&'a [u8]>> {
    let mut top = Top::default();
    from.take(b'{')?;
    loop {
        let key = from.plain_text()?;
        from.take(b':')?;
        top.member(key, from, reader, events)?;
        if !from.another(b'}')? {
            return top.seen.contains(&&b"batch"[..]).then_some(top.sent_at);
        }
    }
}

impl<'a> Top<'a> {
    fn member(
        &mut self,
        key: &'a [u8],
        from: &mut Scanner<'a>,
        reader: &mut Reader<'a>,
        events: &mut Events,
    ) -> Option<()> {
        if !matches!(key, b"batch" | b"context" | b"integrations" | b"sentAt" | b"writeKey") {
            return from.pass(1);
        }
        if self.seen.contains(&key) {
            return None;
        }
        self.seen.push(key);
        match (key, from.next_token()) {
            (b"batch", _) => array(from, reader, events),
            (b"writeKey", _) => note(&mut reader.write_keys, from.plain_text().filter(|key| !key.is_empty())?),
            (b"sentAt", b'"') => from.plain_text().map(|text| self.sent_at = Some(text)),
            (b"sentAt", _) => from.pass(1),
            _ => from.word().filter(|word| *word == b"null").map(drop),
        }
    }
}

fn array<'a>(from: &mut Scanner<'a>, reader: &mut Reader<'a>, events: &mut Events) -> Option<()> {
    from.take(b'[')?;
    if from.takes(b']') {
        return Some(());
    }
    loop {
        from.next_token();
        let begin = from.at;
        let event = reader.event(from);
        if event.is_none() {
            from.at = begin;
            from.pass(1)?;
        }
        events.push(event.ok_or(begin..from.at));
        if events.len() > EVENTS {
            return None;
        }
        if !from.another(b']')? {
            return Some(());
        }
    }
}
