//! A value in the canonical encoder's words: no space, the members of each object by key, one escape for each character.

use std::cmp::Ordering;

use crate::scanner::{Scanner, DEPTH};

const KEYS: usize = 500;
const KEY_BYTES: usize = 256;

/// A member of an object: `key":` begins after a quote at `start`, and its value ends at `end`.
#[derive(Clone, Copy)]
pub struct Member {
    pub start: usize,
    pub key_end: usize,
    pub end: usize,
    /// The key's first eight bytes as a number.
    first: u64,
}

/// Where values are written, each object's members one after the other until it ends and they are put in order.
pub struct Canonical {
    pub text: Vec<u8>,
    members: Vec<Member>,
    spare: Vec<u8>,
}

impl Canonical {
    /// With room for a text of so many bytes.
    pub fn new(bytes: usize) -> Self {
        let (text, spare) = (Vec::with_capacity(bytes), Vec::with_capacity(bytes));
        Self { text, members: Vec::with_capacity(64), spare }
    }

    pub fn clear(&mut self) {
        self.text.clear();
        self.members.clear();
    }

    pub fn key(&self, member: &Member) -> &[u8] {
        &self.text[member.start + 1..member.key_end]
    }

    /// The value of a member, written.
    pub fn value_of(&self, member: &Member) -> &[u8] {
        &self.text[member.key_end + 2..member.end]
    }

    /// Writes the key of a member, and takes the colon.
    pub fn begin(&mut self, from: &mut Scanner) -> Option<Member> {
        let start = self.text.len();
        from.text(&mut self.text)?;
        from.take(b':')?;
        let key_end = self.text.len() - 1;
        let member = self.member(start, key_end, key_end);
        let key = self.key(&member);
        if key.len() > KEY_BYTES || key.contains(&b'\\') {
            return None; // a key that is written with escapes sorts by another text
        }
        self.text.push(b':');
        Some(member)
    }

    /// A member that stands in the text.
    pub fn member(&self, start: usize, key_end: usize, end: usize) -> Member {
        let key = &self.text[start + 1..key_end];
        let mut first = [0; 8];
        let length = key.len().min(8);
        first[..length].copy_from_slice(&key[..length]);
        Member { start, key_end, end, first: u64::from_be_bytes(first) }
    }

    /// Writes the next value, which stands `depth` deep.
    pub fn value(&mut self, from: &mut Scanner, depth: usize) -> Option<()> {
        match from.next_token() {
            b'{' => self.object(from, depth, |_, _| Some(())),
            b'[' => self.array(from, depth),
            b'"' => from.text(&mut self.text),
            b't' | b'f' | b'n' => from.word().map(|word| self.text.extend_from_slice(word)),
            _ => from.number(&mut self.text),
        }
    }

    fn array(&mut self, from: &mut Scanner, depth: usize) -> Option<()> {
        from.take(b'[').filter(|()| depth <= DEPTH)?;
        self.text.push(b'[');
        if !from.takes(b']') {
            loop {
                self.value(from, depth + 1)?;
                if !from.another(b']')? {
                    break;
                }
                self.text.push(b',');
            }
        }
        self.text.push(b']');
        Some(())
    }

    /// Writes the next object; `watch` sees each member once it is written, and may refuse it.
    pub fn object(
        &mut self,
        from: &mut Scanner,
        depth: usize,
        mut watch: impl FnMut(&Self, &Member) -> Option<()>,
    ) -> Option<()> {
        from.take(b'{').filter(|()| depth <= DEPTH)?;
        let (begin, first) = (self.text.len(), self.members.len());
        self.text.push(b'{');
        if !from.takes(b'}') {
            loop {
                let mut member = self.begin(from)?;
                self.value(from, depth + 1)?;
                member.end = self.text.len();
                watch(self, &member)?;
                self.members.push(member);
                if !from.another(b'}')? {
                    break;
                }
                self.text.push(b',');
            }
        }
        self.text.push(b'}');
        if self.are_in_order(&self.members[first..]) {
            self.members.truncate(first);
            return Some(());
        }
        let (mut members, mut spare) = (std::mem::take(&mut self.members), std::mem::take(&mut self.spare));
        let ordered = self.in_order(&mut members[first..]);
        self.write(&members[first..], &mut spare);
        self.text.truncate(begin);
        self.text.extend_from_slice(&spare);
        members.truncate(first);
        (self.members, self.spare) = (members, spare);
        ordered
    }

    /// Puts an object's members in order; none where there are too many or one is there twice.
    pub fn in_order(&self, members: &mut [Member]) -> Option<()> {
        members.sort_unstable_by(|one, other| self.compare(one, other));
        self.are_in_order(members).then_some(())
    }

    fn are_in_order(&self, members: &[Member]) -> bool {
        members.len() <= KEYS && members.windows(2).all(|pair| self.compare(&pair[0], &pair[1]).is_lt())
    }

    /// By the first bytes, which mostly tell, then by all.
    fn compare(&self, one: &Member, other: &Member) -> Ordering {
        one.first.cmp(&other.first).then_with(|| self.key(one).cmp(self.key(other)))
    }

    /// Writes an object of these members anew.
    pub fn write(&self, members: &[Member], out: &mut Vec<u8>) {
        out.clear();
        out.push(b'{');
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&self.text[member.start..member.end]);
        }
        out.push(b'}');
    }
}
