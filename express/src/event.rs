//! One event: taken if it is certainly good and ordinary, as what its record will say that nobody but the sender knows.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128;

use crate::canonical::{Canonical, Member};
use crate::instants::instant;
use crate::scanner::Scanner;

pub const EVENT_BYTES: usize = 32_768;
const LONGEST_ID: usize = 256;
const LONGEST_MESSAGE_ID: usize = 100;
const EVERYBODY: [&str; 9] = ["null", "undefined", "anonymous", "0", "-1", "nan", "true", "[object object]", "guest"];
const CALLS: [&str; 6] = ["identify", "track", "page", "screen", "group", "alias"];

/// An event that is taken. Ranges are of the arena that all events of a request share.
pub struct Event {
    pub message_id: Option<Range<usize>>,
    pub call: &'static str,
    pub hash: u128,
    /// The record's `event` and ids, each with its comma.
    pub names: Range<usize>,
    /// Whom it is about.
    pub customer: Range<usize>,
    pub happened_at: Option<i64>,
    pub sent_at: Option<i64>,
    pub body: Body,
}

/// The text of an event that is stored: as it stands in the request, or without its write key in the arena.
pub enum Body {
    Sent(Range<usize>),
    Bare(Range<usize>),
}

/// One of the six calls.
pub fn call(name: &[u8]) -> Option<&'static str> {
    CALLS.into_iter().find(|call| call.as_bytes() == name)
}

/// What reads the events of a request.
pub struct Reader<'a> {
    default: Option<&'static str>,
    pub arena: Vec<u8>,
    pub write_keys: Vec<&'a [u8]>,
    canonical: Canonical,
    members: Vec<(Member, Range<usize>)>,
    account: Option<Vec<u8>>,
    payload: Vec<u8>,
}

/// The members that mean something to us.
#[derive(Default)]
struct Known {
    type_: Option<usize>,
    event: Option<usize>,
    user_id: Option<usize>,
    anonymous_id: Option<usize>,
    previous_id: Option<usize>,
    group_id: Option<usize>,
    message_id: Option<usize>,
    original_timestamp: Option<usize>,
    timestamp: Option<usize>,
    sent_at: Option<usize>,
    write_key: Option<usize>,
    metadata: Option<usize>,
}

impl<'a> Reader<'a> {
    /// Of a body of so many bytes, and events that are of the default type unless they name one.
    pub fn new(bytes: usize, default: Option<&'static str>) -> Self {
        let event = bytes.min(EVENT_BYTES);
        Self {
            default,
            arena: Vec::with_capacity(bytes),
            write_keys: Vec::new(),
            canonical: Canonical::new(event),
            members: Vec::with_capacity(32),
            account: None,
            payload: Vec::with_capacity(event),
        }
    }

    /// The next event of a request; none if it is to be judged by others. Its write key is noted and cut out.
    pub fn event(&mut self, from: &mut Scanner<'a>) -> Option<Event> {
        from.next_token();
        let begin = from.at;
        let known = self.members_of(from)?;
        let sent = begin..from.at;
        if sent.len() > EVENT_BYTES {
            return None;
        }
        let call = self.call(&known)?;
        let hash = self.hash(&known, call)?;
        let (names, customer) = self.names(&known, call)?;
        let message_id = self.message_id(&known)?;
        let (happened_at, sent_at) = self.times(&known)?;
        let body = self.body(&known, from, sent)?;
        Some(Event { message_id, call, hash, names, customer, happened_at, sent_at, body })
    }

    /// Reads and writes every member of the event.
    fn members_of(&mut self, from: &mut Scanner<'a>) -> Option<Known> {
        self.canonical.clear();
        self.members.clear();
        self.account = None;
        let mut known = Known::default();
        from.take(b'{')?;
        if from.takes(b'}') {
            return None;
        }
        loop {
            let mut member = self.canonical.begin(from)?;
            let first = from.next_token();
            let begin = from.at;
            let index = self.members.len();
            match self.canonical.key(&member) {
                b"context" if first == b'{' => self.context(from)?,
                b"properties" | b"traits" | b"context" if !matches!(first, b'{' | b'n') => return None,
                key => {
                    known.note(key, index);
                    self.canonical.value(from, 2)?;
                }
            }
            member.end = self.canonical.text.len();
            self.members.push((member, begin..from.at));
            if !from.another(b'}')? {
                return Some(known);
            }
        }
    }

    /// The context, whose `groupId` is an account's.
    fn context(&mut self, from: &mut Scanner) -> Option<()> {
        let account = &mut self.account;
        self.canonical.object(from, 2, |canonical, member| {
            if canonical.key(member) == b"groupId" {
                *account = id(canonical.value_of(member))?.map(<[u8]>::to_vec);
            }
            Some(())
        })
    }

    fn value(&self, index: Option<usize>) -> &[u8] {
        index.map_or(b"null", |index| self.canonical.value_of(&self.members[index].0))
    }

    fn call(&self, known: &Known) -> Option<&'static str> {
        match self.value(known.type_) {
            b"null" => self.default,
            given => call(inside(given)?),
        }
    }

    /// The hash of the payload: of the event without what a re-send may change, and with its type.
    fn hash(&mut self, known: &Known, call: &str) -> Option<u128> {
        let mut members: Vec<Member> = self.members.iter().map(|(member, _)| *member).collect();
        if self.value(known.type_) == b"null" {
            let typed = self.typed(call);
            match known.type_ {
                Some(index) => members[index] = typed,
                None => members.push(typed),
            }
        }
        self.canonical.in_order(&mut members)?;
        let hidden = [known.sent_at, known.metadata, known.write_key];
        let hidden = hidden.map(|index| index.map(|index| self.members[index].0.start));
        members.retain(|member| !hidden.contains(&Some(member.start)));
        self.canonical.write(&members, &mut self.payload);
        Some(xxh3_128(&self.payload))
    }

    /// The type as a member that the event does not have.
    fn typed(&mut self, call: &str) -> Member {
        let text = &mut self.canonical.text;
        let start = text.len();
        text.extend_from_slice(b"\"type\":\"");
        text.extend_from_slice(call.as_bytes());
        text.push(b'"');
        let end = text.len();
        self.canonical.member(start, start + 5, end)
    }

    /// The record's `event` and ids, and whom it is about; none where a rule of the call does not hold.
    fn names(&mut self, known: &Known, call: &str) -> Option<(Range<usize>, Range<usize>)> {
        let user_id = id(self.value(known.user_id))?;
        let anonymous_id = id(self.value(known.anonymous_id))?;
        let previous_id = id(self.value(known.previous_id))?;
        let group_id = id(self.value(known.group_id))?;
        let account = self.account.as_deref();
        let event = (call == "track").then(|| self.value(known.event));
        let lacks = (call == "group" && group_id.is_none()) || (call == "alias" && previous_id.is_none());
        let nobody = user_id.or(anonymous_id).is_none() && (call != "track" || account.is_none());
        if lacks || nobody || event.is_some_and(|name| !is_name(name)) {
            return None;
        }
        let group_id = if call == "group" { group_id } else { account };
        let mut names = Vec::with_capacity(256);
        if let Some(event) = event {
            names.extend_from_slice(b",\"event\":");
            names.extend_from_slice(event);
        }
        for (key, value) in [
            (&b",\"user_id\":\""[..], user_id),
            (b",\"anonymous_id\":\"", anonymous_id),
            (b",\"previous_id\":\"", previous_id),
            (b",\"group_id\":\"", group_id),
        ] {
            if let Some(value) = value {
                names.extend_from_slice(key);
                names.extend_from_slice(value);
                names.push(b'"');
            }
        }
        let customer = user_id.or(anonymous_id).or(group_id)?.to_vec();
        Some((self.keep(&names), self.keep(&customer)))
    }

    fn message_id(&mut self, known: &Known) -> Option<Option<Range<usize>>> {
        let given = self.value(known.message_id);
        if given == b"null" || given == b"\"\"" {
            return Some(None);
        }
        let given = inside(given).filter(|text| text.len() <= LONGEST_MESSAGE_ID && is_printable(text))?.to_vec();
        Some(Some(self.keep(&given)))
    }

    /// When it happened and when it was sent, so far as the event says.
    fn times(&self, known: &Known) -> Option<(Option<i64>, Option<i64>)> {
        let original = Some(self.value(known.original_timestamp)).filter(|value| *value != b"null");
        let stated = original.unwrap_or_else(|| self.value(known.timestamp));
        Some((time(stated)?, time(self.value(known.sent_at))?))
    }

    fn body(&mut self, known: &Known, from: &Scanner<'a>, sent: Range<usize>) -> Option<Body> {
        let Some(at) = known.write_key else { return Some(Body::Sent(sent)) };
        let (member, place) = &self.members[at];
        let key = inside(self.canonical.value_of(member)).filter(|key| !key.is_empty())?;
        let place = place.start + 1..place.end - 1;
        if from.between(place.start, place.end) != key {
            return None;
        }
        note(&mut self.write_keys, from.between(place.start, place.end))?;
        let begin = self.arena.len();
        let (before, others) = self.members.split_at(at);
        for (member, place) in before.iter().chain(&others[1..]) {
            self.arena.push(if self.arena.len() == begin { b'{' } else { b',' });
            self.arena.extend_from_slice(&self.canonical.text[member.start..member.key_end + 2]);
            self.arena.extend_from_slice(from.between(place.start, place.end));
        }
        self.arena.push(b'}');
        Some(Body::Bare(begin..self.arena.len()))
    }

    fn keep(&mut self, text: &[u8]) -> Range<usize> {
        let begin = self.arena.len();
        self.arena.extend_from_slice(text);
        begin..self.arena.len()
    }
}

impl Known {
    fn note(&mut self, key: &[u8], index: usize) {
        let place = match key {
            b"type" => &mut self.type_,
            b"event" => &mut self.event,
            b"userId" => &mut self.user_id,
            b"anonymousId" => &mut self.anonymous_id,
            b"previousId" => &mut self.previous_id,
            b"groupId" => &mut self.group_id,
            b"messageId" => &mut self.message_id,
            b"originalTimestamp" => &mut self.original_timestamp,
            b"timestamp" => &mut self.timestamp,
            b"sentAt" => &mut self.sent_at,
            b"writeKey" => &mut self.write_key,
            b"_metadata" => &mut self.metadata,
            _ => return,
        };
        *place = Some(index);
    }
}

/// Notes a write key once; none where a request names very many.
pub fn note<'a>(write_keys: &mut Vec<&'a [u8]>, key: &'a [u8]) -> Option<()> {
    if !write_keys.contains(&key) {
        write_keys.push(key);
    }
    (write_keys.len() <= 8).then_some(())
}

/// The inside of a text that is written without escapes.
fn inside(value: &[u8]) -> Option<&[u8]> {
    let text = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (!text.contains(&b'\\')).then_some(text)
}

/// An instant where one is stated.
fn time(value: &[u8]) -> Option<Option<i64>> {
    match value {
        b"null" => Some(None),
        _ => instant(inside(value)?).map(Some),
    }
}

/// An id as text, if there is one: printable ASCII, or an integer; none that would merge everybody.
fn id(value: &[u8]) -> Option<Option<&[u8]>> {
    if value == b"null" || value == b"\"\"" {
        return Some(None);
    }
    let text = if is_integer(value) { value } else { inside(value)? };
    (text.len() <= LONGEST_ID && is_printable(text) && !is_everybody(text)).then_some(Some(text))
}

fn is_integer(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|byte| (b' '..=b'~').contains(byte))
}

fn is_everybody(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    text.iter().all(|byte| matches!(byte, b'0' | b'-'))
        || EVERYBODY.iter().any(|name| text.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether a value is a text that begins with more than space; where escapes or other signs could tell, others look.
fn is_name(value: &[u8]) -> bool {
    let Some(text) = value.strip_prefix(b"\"").and_then(|text| std::str::from_utf8(text).ok()) else { return false };
    text.chars().take_while(|character| *character != '\\').any(char::is_alphanumeric)
}
