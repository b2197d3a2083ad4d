//! Records as Kafka's record batches have them (message format 2).

const CODEC_NONE: i16 = 0;
const EPOCH_UNKNOWN: i32 = -1;
const NO_PRODUCER: i64 = -1;
/// What a batch has before its checksum: where it begins, its length, its leader's epoch and its format.
const UNCHECKED: usize = 17;
const HEAD: usize = 61;

/// A record's headers, as every record that carries them ends.
pub fn headers(pairs: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    number(pairs.len(), &mut out);
    for (name, value) in pairs {
        bytes(name.as_bytes(), &mut out);
        bytes(value, &mut out);
    }
    out
}

/// Appends a text with its length before it.
pub fn bytes(text: &[u8], out: &mut Vec<u8>) {
    number(text.len(), out);
    out.extend_from_slice(text);
}

/// Appends the record at a place in its batch, of what is the same at each: key, value and headers.
pub fn record(place: usize, rest: &[u8], out: &mut Vec<u8>) {
    let fixed = 2; // its attributes and, as all records of a batch have one timestamp, the difference to it: zeros
    number(rest.len() + fixed + digits(place), out);
    out.extend_from_slice(&[0, 0]);
    number(place, out);
    out.extend_from_slice(rest);
}

/// The most bytes that `record` adds to a record.
pub const OVERHEAD: usize = 12;

/// A batch of so many records. `compressed` are they by a codec, `plain` without.
pub fn whole(plain: &[u8], compressed: Option<(i16, &[u8])>, count: usize, timestamp: i64) -> Option<Vec<u8>> {
    let (codec, records) = compressed.filter(|(_, records)| records.len() < plain.len()).unwrap_or((CODEC_NONE, plain));
    let count = i32::try_from(count).ok()?;
    let length = i32::try_from(HEAD - 12 + records.len()).ok()?;
    let mut checked = Vec::with_capacity(HEAD + records.len());
    checked.extend_from_slice(&0i64.to_be_bytes());
    checked.extend_from_slice(&length.to_be_bytes());
    checked.extend_from_slice(&EPOCH_UNKNOWN.to_be_bytes());
    checked.push(2);
    checked.extend_from_slice(&[0; 4]);
    checked.extend_from_slice(&codec.to_be_bytes());
    checked.extend_from_slice(&(count - 1).to_be_bytes());
    checked.extend_from_slice(&timestamp.to_be_bytes());
    checked.extend_from_slice(&timestamp.to_be_bytes());
    checked.extend_from_slice(&NO_PRODUCER.to_be_bytes());
    checked.extend_from_slice(&(-1i16).to_be_bytes());
    checked.extend_from_slice(&0i32.to_be_bytes());
    checked.extend_from_slice(&count.to_be_bytes());
    checked.extend_from_slice(records);
    let checksum = crc32c::crc32c(&checked[UNCHECKED + 4..]);
    checked[UNCHECKED..UNCHECKED + 4].copy_from_slice(&checksum.to_be_bytes());
    Some(checked)
}

/// A length or a place: seven bits a byte, least first, zigzag (which doubles what is not negative).
fn number(value: usize, out: &mut Vec<u8>) {
    let mut rest = value << 1;
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

fn digits(value: usize) -> usize {
    let bits = (usize::BITS - (value << 1).leading_zeros()) as usize;
    bits.div_ceil(7).max(1)
}
