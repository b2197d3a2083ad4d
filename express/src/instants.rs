//! Instants as RFC 3339 has them, in microseconds since 1970 (UTC).

/// 2000-01-01: nothing that happened before is taken.
pub const EARLIEST: i64 = 946_684_800_000_000;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400;
const CENTURY: std::ops::Range<i64> = 2000..2100;

/// The instant of a text with upper case `T` and `Z`, or an offset, and up to nine decimals, from this century.
pub fn instant(text: &[u8]) -> Option<i64> {
    let (moment, rest) = text.split_at_checked(19)?;
    if [moment[4], moment[7], moment[10], moment[13], moment[16]] != *b"--T::" {
        return None;
    }
    let two = |at: usize| digits(&moment[at..at + 2]);
    let (year, month, day) = (digits(&moment[..4])?, two(5)?, two(8)?);
    if !CENTURY.contains(&year) || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let seconds = clock(two(11)?, two(14)?)? + two(17).filter(|seconds| *seconds < 60)?;
    let (fraction, zone) = fraction(rest)?;
    let at = (days_since_1970(year, month, day) * DAY + seconds - offset(zone)?) * SECOND + fraction;
    (at >= EARLIEST).then_some(at)
}

/// Writes an instant as the stream has it: microseconds, none where there are none, and `Z`.
pub fn write(at: i64, out: &mut Vec<u8>) {
    let (seconds, micros) = (at.div_euclid(SECOND), at.rem_euclid(SECOND));
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    let pairs = [year / 100, year % 100, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60].map(pair);
    for (pair, after) in pairs.into_iter().zip(["", "-", "-", "T", ":", ":", ""]) {
        out.extend_from_slice(&pair);
        out.extend_from_slice(after.as_bytes());
    }
    if micros > 0 {
        out.push(b'.');
        [micros / 10_000, micros / 100 % 100, micros % 100]
            .map(pair)
            .iter()
            .for_each(|pair| out.extend_from_slice(pair));
    }
    out.push(b'Z');
}

fn pair(number: i64) -> [u8; 2] {
    let number = number.to_le_bytes()[0];
    [b'0' + number / 10, b'0' + number % 10]
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

fn clock(hours: i64, minutes: i64) -> Option<i64> {
    (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)
}

/// The microseconds of up to nine decimals, cut off; and what follows them.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(decimals) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let count = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let (counted, zone) = decimals.split_at(count);
    let kept = &counted[..count.min(6)];
    Some((digits(kept)? * [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1][kept.len()], zone))
}

/// Seconds ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), hours @ .., b':', tens, ones] if hours.len() == 2 => {
            let seconds = clock(digits(hours)?, digits(&[*tens, *ones])?)?;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 => 29, // in this century
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// By a calendar whose years begin in March, so that the day of a leap year is its last (Howard Hinnant).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * march + 2) / 5 + 1)
}
