//! The ids of the latest events with their payload hashes, each known again by 128 bits.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::LazyLock;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::packed::Packed;
use crate::record::hex;

/// Drawn for each process: nobody outside can find two ids that are taken for one.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

type Hashes = HashMap<u128, u128, BuildHasherDefault<Hashed>>;

/// Hashes what is a hash already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |first| u64::from_ne_bytes(*first));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The ids of a request's events: its message ids after a prefix that names their source.
#[pyclass(frozen)]
pub struct Ids {
    packed: Py<Packed>,
    prefix: Vec<u8>,
}

#[pymethods]
impl Ids {
    fn __len__(&self) -> usize {
        self.packed.get().events().len()
    }

    /// The payload hashes by id.
    fn hashes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let hashes = PyDict::new(py);
        for (id, hash) in self.named(|id| PyString::from_bytes(py, id)) {
            hashes.set_item(id?, PyString::from_bytes(py, &hex(hash))?)?;
        }
        Ok(hashes)
    }
}

impl Ids {
    pub fn new(packed: Py<Packed>, prefix: &str) -> Self {
        Self { packed, prefix: prefix.as_bytes().to_vec() }
    }

    /// What `make` makes of each id, and the payload hash.
    fn named<'a, T>(&'a self, make: impl Fn(&[u8]) -> T + 'a) -> impl Iterator<Item = (T, u128)> + 'a {
        let mut id = self.prefix.clone();
        self.packed.get().events().map(move |(message_id, hash)| {
            id.truncate(self.prefix.len());
            id.extend_from_slice(message_id);
            (make(&id), hash)
        })
    }

    fn known(&self) -> impl Iterator<Item = (u128, u128)> + '_ {
        self.named(known)
    }
}

/// Ids of a request, or payload hashes by id.
#[derive(FromPyObject)]
enum Held<'py> {
    Ids(Bound<'py, Ids>),
    Hashes(HashMap<String, String>),
}

impl Held<'_> {
    fn known(&self) -> PyResult<Vec<(u128, u128)>> {
        match self {
            Self::Ids(ids) => Ok(ids.get().known().collect()),
            Self::Hashes(hashes) => {
                hashes.iter().map(|(id, hash)| Ok((known(id.as_bytes()), u128::from_str_radix(hash, 16)?))).collect()
            }
        }
    }
}

fn known(id: &[u8]) -> u128 {
    xxh3_128_with_seed(id, *SEED)
}

/// Ids in two halves: those since the last turn, and those since the one before it.
#[pyclass]
pub struct Recent {
    young: Hashes,
    old: Hashes,
}

#[pymethods]
impl Recent {
    /// With room for so many ids between two turns.
    #[new]
    fn new(half: usize) -> Self {
        let room = || Hashes::with_capacity_and_hasher(half, BuildHasherDefault::default());
        Self { young: room(), old: room() }
    }

    /// Notes ids if each of them is new; else none. Whether they were noted.
    fn begin(&mut self, ids: &Ids) -> bool {
        for (place, (id, hash)) in ids.known().enumerate() {
            if self.old.contains_key(&id) || self.young.contains_key(&id) {
                for (id, _) in ids.known().take(place) {
                    self.young.remove(&id);
                }
                return false;
            }
            self.young.insert(id, hash);
        }
        true
    }

    /// Notes ids.
    #[allow(clippy::needless_pass_by_value)] // as they are handed in
    fn keep(&mut self, ids: Held) -> PyResult<()> {
        self.young.extend(ids.known()?);
        Ok(())
    }

    /// Forgets ids.
    #[allow(clippy::needless_pass_by_value)] // as they are handed in
    fn drop(&mut self, ids: Held) -> PyResult<()> {
        for (id, _) in ids.known()? {
            self.young.remove(&id);
            self.old.remove(&id);
        }
        Ok(())
    }

    /// The payload hash of an id, if it is known.
    fn of<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Option<Bound<'py, PyString>>> {
        let id = known(id.as_bytes());
        let hash = self.young.get(&id).or_else(|| self.old.get(&id));
        hash.map(|hash| PyString::from_bytes(py, &hex(*hash))).transpose()
    }

    /// Forgets the older half; the younger one is the older one now.
    fn turn(&mut self) {
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
    }
}
