//! The records of a request that are all to be published, and what is asked of them without looking at each in Python.

use std::ops::Range;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::batch;
use crate::recent::Ids;

/// Bytes that a record mostly has at most beside the event's own text and its headers.
const ABOUT: usize = 640;

/// One record. Ranges are of the arena; the record begins with its key and value, each after its length.
pub struct Place {
    pub message_id: Range<usize>,
    pub hash: u128,
    pub key: Range<usize>,
    pub value: Range<usize>,
    pub record: Range<usize>,
    /// CRC-32 of the key.
    pub check: u32,
}

/// The records of one request, in its order.
#[pyclass(frozen)]
pub struct Packed {
    arena: Vec<u8>,
    places: Vec<Place>,
    headers: Py<PyAny>,
}

/// Those of the records of several calls that one partition gets. It holds on to no other call.
#[pyclass(frozen)]
#[derive(Default)]
pub struct Part {
    calls: Vec<Call>,
    /// Each by the places of its call in this part, and within that call.
    records: Vec<(usize, usize)>,
    size: usize,
}

/// A call by its place among all that were parted together.
struct Call {
    place: usize,
    packed: Py<Packed>,
}

/// What makes a Packed, record by record.
pub struct Packing {
    arena: Vec<u8>,
    places: Vec<Place>,
    headers: Vec<u8>,
}

impl Packing {
    pub fn new(events: usize, bytes: usize, headers: &[(String, Vec<u8>)]) -> Self {
        let headers = batch::headers(headers);
        let arena = Vec::with_capacity(bytes + events * (ABOUT + headers.len()));
        Self { arena, places: Vec::with_capacity(events), headers }
    }

    /// Adds a record.
    pub fn add(&mut self, message_id: &[u8], hash: u128, key: &[u8], value: &[u8]) {
        let message_id = self.keep(|arena| arena.extend_from_slice(message_id));
        let begin = self.arena.len();
        let key_end = self.keep(|arena| batch::bytes(key, arena)).end;
        let value_end = self.keep(|arena| batch::bytes(value, arena)).end;
        self.arena.extend_from_slice(&self.headers);
        self.places.push(Place {
            message_id,
            hash,
            key: key_end - key.len()..key_end,
            value: value_end - value.len()..value_end,
            record: begin..self.arena.len(),
            check: crc32fast::hash(key),
        });
    }

    /// Of the very headers that it was made with.
    pub fn done(mut self, headers: Py<PyAny>) -> Packed {
        self.arena.shrink_to_fit(); // many wait for the stream at once
        Packed { arena: self.arena, places: self.places, headers }
    }

    fn keep(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let begin = self.arena.len();
        write(&mut self.arena);
        begin..self.arena.len()
    }
}

#[pymethods]
impl Packed {
    fn __len__(&self) -> usize {
        self.places.len()
    }

    /// Bytes of keys, values and headers, or a little more.
    #[getter]
    fn size(&self) -> usize {
        self.arena.len()
    }

    /// Key and value of the record at a place.
    fn __getitem__<'py>(&self, py: Python<'py>, index: usize) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let place = self.places.get(index).ok_or_else(|| PyIndexError::new_err(index))?;
        Ok(self.pair(py, place))
    }

    /// The message ids, in order.
    fn message_ids<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyString>>> {
        self.places.iter().map(|place| PyString::from_bytes(py, &self.arena[place.message_id.clone()])).collect()
    }

    /// The ids of its events: their message ids after a prefix.
    #[allow(clippy::needless_pass_by_value)] // as it is handed in
    fn ids(slf: Bound<Self>, prefix: &str) -> Ids {
        Ids::new(slf.unbind(), prefix)
    }

    /// The JSON of what a sender is told: of each event that it was accepted.
    fn results<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut json = Vec::with_capacity(self.places.len() * 96 + 2);
        json.push(b'[');
        for (index, place) in self.places.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            json.extend_from_slice(b"{\"message_id\":\"");
            let id = &self.arena[place.message_id.clone()];
            if id.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
                for byte in id {
                    if matches!(byte, b'"' | b'\\') {
                        json.push(b'\\');
                    }
                    json.push(*byte);
                }
            } else {
                json.extend_from_slice(id);
            }
            json.extend_from_slice(b"\",\"status\":\"accepted\"}");
        }
        json.push(b']');
        PyBytes::new(py, &json)
    }

    /// Counts one record in the cell of each key; the places of those that make a cell count more than `most`.
    #[allow(clippy::needless_pass_by_value)] // as it is handed in
    fn count(&self, py: Python, cells: PyBuffer<u32>, most: u32) -> PyResult<Vec<usize>> {
        let cells = cells.as_mut_slice(py).ok_or_else(|| PyValueError::new_err("cells are to be written to"))?;
        let mut above = Vec::new();
        for (index, place) in self.places.iter().enumerate() {
            let cell = &cells[place.check as usize % cells.len()];
            cell.set(cell.get().saturating_add(1));
            if cell.get() > most {
                above.push(index);
            }
        }
        Ok(above)
    }

    /// The parts that so many partitions get of the records of calls, by CRC-32 of the key, in the order of the calls;
    /// and of each call, how many parts have records of it.
    #[staticmethod]
    #[allow(clippy::needless_pass_by_value)] // as they are handed in
    fn parted(calls: Vec<Bound<Packed>>, partitions: u32) -> (Vec<(u32, Part)>, Vec<usize>) {
        let mut parts: Vec<Option<Part>> = (0..partitions).map(|_| None).collect();
        let mut counts = vec![0; calls.len()];
        for (call, packed) in calls.iter().enumerate() {
            for (index, place) in packed.get().places.iter().enumerate() {
                let part = parts[(place.check % partitions) as usize].get_or_insert_with(Part::default);
                if part.calls.last().is_none_or(|last| last.place != call) {
                    part.calls.push(Call { place: call, packed: packed.clone().unbind() });
                    counts[call] += 1;
                }
                part.add(index, place);
            }
        }
        let filled = (0..).zip(parts).filter_map(|(number, part)| Some((number, part?))).collect();
        (filled, counts)
    }
}

impl Packed {
    /// The message id and the payload hash of each event, in order.
    pub fn events(&self) -> impl ExactSizeIterator<Item = (&[u8], u128)> {
        self.places.iter().map(|place| (&self.arena[place.message_id.clone()], place.hash))
    }

    fn pair<'py>(&self, py: Python<'py>, place: &Place) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        (PyBytes::new(py, &self.arena[place.key.clone()]), PyBytes::new(py, &self.arena[place.value.clone()]))
    }
}

#[pymethods]
impl Part {
    fn __len__(&self) -> usize {
        self.records.len()
    }

    /// The places of the calls that have records in it.
    #[getter]
    fn members(&self) -> Vec<usize> {
        self.calls.iter().map(|call| call.place).collect()
    }

    /// Bytes of keys, values and headers.
    #[getter]
    fn size(&self) -> usize {
        self.size
    }

    /// A part for each of those calls.
    fn apart(&self, py: Python) -> Vec<Part> {
        let of_call = |records: &[(usize, usize)]| {
            let call = &self.calls[records[0].0];
            let mut part = Part::default();
            part.calls.push(Call { place: call.place, packed: call.packed.clone_ref(py) });
            for (_, index) in records {
                part.add(*index, &call.packed.get().places[*index]);
            }
            part
        };
        self.records.chunk_by(|one, next| one.0 == next.0).map(of_call).collect()
    }

    /// What `make` makes of the key, the value and the headers of each.
    fn records<'py>(&self, py: Python<'py>, make: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.places()
            .map(|(packed, place)| {
                let (key, value) = packed.pair(py, place);
                make.call1((key, value, &packed.headers))
            })
            .collect()
    }

    /// Record batches of the records of all parts, in order: as few as have about `most` bytes each, a record at least.
    ///
    /// `compress` turns bytes into bytes by the codec of that number; `timestamp` is in milliseconds. Each batch is told
    /// with the number of its records.
    #[staticmethod]
    #[allow(clippy::needless_pass_by_value)] // as they are handed in
    fn batches<'py>(
        py: Python<'py>,
        parts: Vec<Bound<'py, Part>>,
        most: usize,
        timestamp: i64,
        codec: i16,
        compress: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<(Bound<'py, PyBytes>, usize)>> {
        let (mut done, mut records, mut size) = (Vec::with_capacity(1), Vec::new(), 0);
        let batch = |records: &[&[u8]], size| -> PyResult<_> {
            let plain = PyBytes::new_with(py, size, |mut out| {
                records.iter().enumerate().try_for_each(|(place, rest)| Ok(batch::record(place, rest, &mut out)?))
            })?;
            let compressed: Bound<PyBytes> = compress.call1((&plain,))?.extract()?;
            let smaller = compressed.as_bytes().len() < size;
            let (codec, bytes) =
                if smaller { (codec, compressed.as_bytes()) } else { (batch::CODEC_NONE, plain.as_bytes()) };
            let whole = PyBytes::new_with(py, batch::whole_size(bytes.len()), |out| {
                batch::whole(bytes, codec, records.len(), timestamp, out)
                    .ok_or_else(|| PyValueError::new_err("a batch of over two gigabytes"))
            })?;
            Ok((whole, records.len()))
        };
        for part in &parts {
            for (packed, place) in part.get().places() {
                let rest = &packed.arena[place.record.clone()];
                let mut more = batch::size(records.len(), rest);
                if !records.is_empty() && size + more > most {
                    done.push(batch(&records, size)?);
                    records.clear();
                    (size, more) = (0, batch::size(0, rest));
                }
                records.push(rest);
                size += more;
            }
        }
        if !records.is_empty() {
            done.push(batch(&records, size)?);
        }
        Ok(done)
    }
}

impl Part {
    /// Adds a record of its latest call.
    fn add(&mut self, index: usize, place: &Place) {
        self.size += place.record.len();
        self.records.push((self.calls.len() - 1, index));
    }

    fn places(&self) -> impl Iterator<Item = (&Packed, &Place)> {
        self.records.iter().map(|(call, index)| {
            let packed = self.calls[*call].packed.get();
            (packed, &packed.places[*index])
        })
    }
}
