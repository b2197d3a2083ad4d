//! JSON as RFC 8259 has it, byte by byte over a text that is known to be UTF-8.
//!
//! Whatever is wrong, odd or too deep is `None`: whoever asked leaves it to others.

/// How deep a value may be nested; an event is the first level.
pub const DEPTH: usize = 32;
const LARGEST_INTEGER: u64 = (1 << 53) - 1;
/// As many significant digits always come back from a double; up to `LONGEST` may.
const CERTAIN: usize = 15;
const LONGEST: usize = 17;

/// A place in a text.
pub struct Scanner<'a> {
    text: &'a [u8],
    pub at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// What stands between two places.
    pub fn between(&self, from: usize, to: usize) -> &'a [u8] {
        &self.text[from..to]
    }

    /// The next byte; 0, which begins nothing in JSON, at the end.
    pub fn next(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// The next byte after space.
    pub fn next_token(&mut self) -> u8 {
        while matches!(self.next(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.next()
    }

    /// Takes a token that must follow.
    pub fn take(&mut self, token: u8) -> Option<()> {
        self.takes(token).then_some(())
    }

    /// Takes a token if it follows.
    pub fn takes(&mut self, token: u8) -> bool {
        let follows = self.next_token() == token;
        self.at += usize::from(follows);
        follows
    }

    /// After a part of an object or array: whether another follows.
    pub fn another(&mut self, end: u8) -> Option<bool> {
        if self.takes(b',') {
            return Some(true);
        }
        self.take(end).map(|()| false)
    }

    /// Whether nothing but space is left.
    pub fn at_end(&mut self) -> bool {
        self.next_token();
        self.at == self.text.len()
    }

    /// The inside of a text without escapes.
    pub fn plain_text(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let inside = self.run();
        (self.next() == b'"').then(|| self.at += 1)?;
        Some(inside)
    }

    /// Passes over one value of any kind.
    pub fn pass(&mut self, depth: usize) -> Option<()> {
        match self.next_token() {
            b'{' | b'[' if depth > DEPTH => None,
            b'{' => self.pass_parts(b'}', depth),
            b'[' => self.pass_parts(b']', depth),
            b'"' => self.pass_text(),
            b't' | b'f' | b'n' => self.word().map(drop),
            _ => self.digits().map(drop),
        }
    }

    fn pass_parts(&mut self, end: u8, depth: usize) -> Option<()> {
        self.at += 1;
        if self.takes(end) {
            return Some(());
        }
        loop {
            if end == b'}' {
                self.next_token();
                self.pass_text()?;
                self.take(b':')?;
            }
            self.pass(depth + 1)?;
            if !self.another(end)? {
                return Some(());
            }
        }
    }

    fn pass_text(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            self.run();
            self.at += 1;
            match self.text.get(self.at - 1)? {
                b'"' => return Some(()),
                b'\\' => {
                    self.at += 1;
                    match self.text.get(self.at - 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => self.unit().map(drop)?,
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
    }

    /// `true`, `false` or `null`.
    pub fn word(&mut self) -> Option<&'static [u8]> {
        let rest = &self.text[self.at..];
        let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word))?;
        self.at += word.len();
        Some(word)
    }

    /// Writes the next text as the canonical encoder does; none with half of a surrogate pair or with U+0000.
    pub fn text(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.take(b'"')?;
        let mut begin = self.at - 1;
        loop {
            self.run();
            self.at += 1;
            match self.text.get(self.at - 1)? {
                b'"' => break,
                b'\\' => {
                    out.extend_from_slice(&self.text[begin..self.at - 1]);
                    write_character(self.escaped()?, out);
                    begin = self.at;
                }
                _ => return None,
            }
        }
        out.extend_from_slice(&self.text[begin..self.at]);
        Some(())
    }

    /// The bytes up to a quote, a backslash or a control character, eight at a time while there are so many.
    fn run(&mut self) -> &'a [u8] {
        let from = self.at;
        while let Some(eight) = self.text.get(self.at..).and_then(<[u8]>::first_chunk) {
            let ends = ends(u64::from_le_bytes(*eight));
            self.at += if ends == 0 { 8 } else { ends.trailing_zeros() as usize / 8 };
            if ends != 0 {
                return &self.text[from..self.at];
            }
        }
        while !matches!(self.text.get(self.at), None | Some(b'"' | b'\\' | 0..=0x1f)) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    /// The character of an escape whose backslash was taken.
    fn escaped(&mut self) -> Option<char> {
        self.at += 1;
        Some(match self.text.get(self.at - 1)? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            plain @ (b'"' | b'\\' | b'/') => char::from(*plain),
            b'u' => return self.unicode().filter(|character| *character != '\0'),
            _ => return None,
        })
    }

    fn unicode(&mut self) -> Option<char> {
        let unit = self.unit()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return char::from_u32(unit);
        }
        if self.text.get(self.at..self.at + 2)? != b"\\u" {
            return None;
        }
        self.at += 2;
        let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + low)
    }

    fn unit(&mut self) -> Option<u32> {
        let hex = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        hex.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }

    /// Writes the next number as the canonical encoder does; none that might not come back digit for digit.
    pub fn number(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let number = self.digits()?;
        if number.exponent {
            return None;
        }
        match number.fraction {
            None => whole(number.text).map(|text| out.extend_from_slice(text)),
            Some(fraction) => broken(number.text, fraction).map(|text| out.extend_from_slice(text)),
        }
    }

    fn digits(&mut self) -> Option<Number<'a>> {
        let from = self.at;
        self.at += usize::from(self.next() == b'-');
        match self.next() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.pass_digits()?,
            _ => return None,
        }
        let mut fraction = None;
        if self.next() == b'.' {
            self.at += 1;
            let begin = self.at;
            self.pass_digits()?;
            fraction = Some(&self.text[begin..self.at]);
        }
        let exponent = matches!(self.next(), b'e' | b'E');
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.next(), b'+' | b'-'));
            self.pass_digits()?;
        }
        Some(Number { text: &self.text[from..self.at], fraction, exponent })
    }

    fn pass_digits(&mut self) -> Option<()> {
        let from = self.at;
        while self.next().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > from).then_some(())
    }
}

/// The highest bit of each byte that ends a run; of those after the first such byte it may say too much.
fn ends(eight: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (quote, backslash) = (eight ^ (EACH * 0x22), eight ^ (EACH * 0x5c));
    let (quote, backslash) = (quote.wrapping_sub(EACH) & !quote, backslash.wrapping_sub(EACH) & !backslash);
    let control = eight.wrapping_sub(EACH * 0x20) & !eight;
    (quote | backslash | control) & (EACH * 0x80)
}

struct Number<'a> {
    text: &'a [u8],
    fraction: Option<&'a [u8]>,
    exponent: bool,
}

/// An integer within ±(2^53−1).
fn whole(text: &[u8]) -> Option<&[u8]> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if text == b"-0" || digits.len() > 16 {
        return None;
    }
    let size = digits.iter().fold(0, |size, digit| size * 10 + u64::from(digit - b'0'));
    (size <= LARGEST_INTEGER).then_some(text)
}

/// A fraction without an exponent, of a size that the canonical encoder writes without one too: its trailing zeros go.
fn broken<'a>(text: &'a [u8], fraction: &[u8]) -> Option<&'a [u8]> {
    let zeros = fraction.iter().rev().take_while(|digit| **digit == b'0').count().min(fraction.len() - 1);
    let text = &text[..text.len() - zeros];
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let nothing = digits == b"0.0";
    let small = digits.starts_with(b"0.000") && !nothing;
    let point = digits.iter().position(|byte| *byte == b'.')?;
    let leading = digits.iter().take_while(|byte| matches!(byte, b'0' | b'.')).count();
    let significant = if leading > point { digits.len() - leading } else { digits.len() - 1 };
    if small || point > CERTAIN || significant > LONGEST {
        return None;
    }
    (significant <= CERTAIN || shortest(text)).then_some(text)
}

/// Whether a double's shortest text, which all writers agree on, is this very text.
fn shortest(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    text.parse::<f64>().is_ok_and(|number| number.to_string() == text)
}

fn write_character(character: char, out: &mut Vec<u8>) {
    match character {
        '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\0'..='\u{1f}' => out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
