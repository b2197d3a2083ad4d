//! A request that lies there as a whole and is as ordinary as can be; any other is for a parser of all of HTTP.

use std::ops::Range;

const HEAD: usize = 8_192;

/// Where the parts of a request stand in its bytes.
pub struct Whole {
    pub target: Range<usize>,
    pub headers: Vec<(Range<usize>, Range<usize>)>,
    pub body: usize,
}

/// A POST by HTTP/1.1 that keeps its connection and whose body ends where the bytes do.
pub fn whole(data: &[u8]) -> Option<Whole> {
    let mut at = b"POST ".len();
    let rest = data.strip_prefix(b"POST ")?;
    let target = at..at + rest.iter().take(HEAD).position(|byte| !is_of_target(*byte))?;
    at = target.end;
    at += data[at..].starts_with(b" HTTP/1.1\r\n").then_some(b" HTTP/1.1\r\n".len())?;
    let mut headers = Vec::with_capacity(16);
    let mut length = None;
    while !data[at..].starts_with(b"\r\n") {
        let (name, value) = header(data, at)?;
        at = value.end + 2;
        if at > HEAD {
            return None;
        }
        if !is_plain(&data[name.clone()], &data[value.clone()], &mut length) {
            return None;
        }
        headers.push((name, value));
    }
    let body = at + 2;
    let begins = data[target.clone()].starts_with(b"/");
    (begins && data.len().checked_sub(body)? == length?).then_some(Whole { target, headers, body })
}

/// Name and value of the header that begins here and ends with its line, one space between.
fn header(data: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let line = &data[at..data.len().min(at + HEAD)];
    let colon = line.iter().position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')))?;
    let value = line[colon..].strip_prefix(b": ").filter(|_| colon > 0)?;
    let end = value.iter().position(|byte| !(b' '..=b'~').contains(byte))?;
    let begin = at + colon + 2;
    (value[end..].starts_with(b"\r\n") && *value[..end].first()? != b' ')
        .then_some((at..at + colon, begin..begin + end))
}

/// Whether a header changes nothing of how the request is to be read; its length is noted, once.
fn is_plain(name: &[u8], value: &[u8], length: &mut Option<usize>) -> bool {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    if is(b"content-length") {
        let is_first = length.is_none();
        *length = number(value);
        return is_first && length.is_some();
    }
    if is(b"connection") {
        return value.eq_ignore_ascii_case(b"keep-alive");
    }
    ![&b"transfer-encoding"[..], b"expect", b"upgrade", b"proxy-connection", b"te", b"trailer"].into_iter().any(is)
}

fn number(text: &[u8]) -> Option<usize> {
    let digits = (1..=9).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    digits.then(|| text.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

fn is_of_target(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._~-?=&%".contains(&byte)
}
