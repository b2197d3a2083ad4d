//! Records as Kafka's record batches have them (message format 2).

use std::io::{Result, Write};

pub const CODEC_NONE: i16 = 0;
const EPOCH_UNKNOWN: i32 = -1;
const NO_PRODUCER: i64 = -1;
/// What a batch has before its checksum: where it begins, its length, its leader's epoch and its format.
const UNCHECKED: usize = 17;
const HEAD: usize = 61;

/// A record's headers, as every record that carries them ends.
pub fn headers(pairs: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    out.extend_from_slice(Number::of(pairs.len()).digits());
    for (name, value) in pairs {
        bytes(name.as_bytes(), &mut out);
        bytes(value, &mut out);
    }
    out
}

/// Appends a text with its length before it.
pub fn bytes(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(Number::of(text.len()).digits());
    out.extend_from_slice(text);
}

/// Writes the record at a place in its batch, of what is the same at each: key, value and headers.
pub fn record(place: usize, rest: &[u8], out: &mut impl Write) -> Result<()> {
    let (length, place) = (Number::of(length(place, rest)), Number::of(place));
    out.write_all(length.digits())?;
    out.write_all(&[0, 0])?; // its attributes and, as all records of a batch have one timestamp, the difference to it
    out.write_all(place.digits())?;
    out.write_all(rest)
}

/// The bytes that `record` writes.
pub fn size(place: usize, rest: &[u8]) -> usize {
    let length = length(place, rest);
    Number::of(length).digits().len() + length
}

fn length(place: usize, rest: &[u8]) -> usize {
    2 + Number::of(place).digits().len() + rest.len()
}

/// The bytes of a batch whose records take so many.
pub fn whole_size(records: usize) -> usize {
    HEAD + records
}

/// Writes a batch of so many records, which are written by the codec of that number, into as many bytes as it has.
pub fn whole(records: &[u8], codec: i16, count: usize, timestamp: i64, mut out: &mut [u8]) -> Option<()> {
    let count = i32::try_from(count).ok()?;
    let length = i32::try_from(HEAD - 12 + records.len()).ok()?;
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(&0i64.to_be_bytes());
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(&EPOCH_UNKNOWN.to_be_bytes());
    head.push(2);
    head.extend_from_slice(&[0; 4]);
    head.extend_from_slice(&codec.to_be_bytes());
    head.extend_from_slice(&(count - 1).to_be_bytes());
    head.extend_from_slice(&timestamp.to_be_bytes());
    head.extend_from_slice(&timestamp.to_be_bytes());
    head.extend_from_slice(&NO_PRODUCER.to_be_bytes());
    head.extend_from_slice(&(-1i16).to_be_bytes());
    head.extend_from_slice(&0i32.to_be_bytes());
    head.extend_from_slice(&count.to_be_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&head[UNCHECKED + 4..]), records);
    head[UNCHECKED..UNCHECKED + 4].copy_from_slice(&checksum.to_be_bytes());
    out.write_all(&head).and_then(|()| out.write_all(records)).ok()
}

/// A length or a place: seven bits a byte, least first, zigzag (which doubles what is not negative).
struct Number {
    bytes: [u8; 10],
    count: usize,
}

impl Number {
    fn of(value: usize) -> Self {
        let (mut bytes, mut count, mut rest) = ([0; 10], 1, value << 1);
        while rest >= 0x80 {
            bytes[count - 1] = rest.to_le_bytes()[0] | 0x80;
            rest >>= 7;
            count += 1;
        }
        bytes[count - 1] = rest.to_le_bytes()[0];
        Self { bytes, count }
    }

    fn digits(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}
