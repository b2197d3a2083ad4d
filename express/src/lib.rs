//! Ingest's express lane: takes events that are certainly good and ordinary, and leaves all else to the Python domain.
//!
//! The law: what it takes, the domain would have accepted with the very same record, key, hash and message id.

mod batch;
mod canonical;
mod event;
mod head;
mod instants;
mod packed;
mod reading;
mod recent;
mod record;
mod scanner;

use std::ops::Range;
use std::panic::{catch_unwind, AssertUnwindSafe};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFrozenSet, PyString, PyTuple, PyType};

use crate::event::Event;
use crate::packed::{Packed, Packing, Part};
use crate::reading::Form;
use crate::recent::{Ids, Recent};
use crate::record::Arrival;

/// A request's body and what was read of it.
#[pyclass(frozen)]
struct Reading {
    body: Py<PyBytes>,
    request: reading::Request,
}

/// Reads a body of the form `batch`, `events` or that of a single event; None if others are to read it.
#[pyfunction]
#[pyo3(signature = (body, form, call=None))]
fn read(py: Python, body: &Bound<PyAny>, form: &str, call: Option<&str>) -> Option<Reading> {
    let body: Py<PyBytes> = body.extract().ok()?;
    let form = match form {
        "batch" => Form::Batch,
        "events" if body.as_bytes(py).trim_ascii_start().starts_with(b"[") => Form::Array,
        "events" => Form::Single(None),
        _ => Form::Single(event::call(call?.as_bytes())),
    };
    let request = unless_panicking(|| reading::request(body.as_bytes(py), form))?;
    Some(Reading { body, request })
}

#[pymethods]
impl Reading {
    /// How many events there are, declined ones included.
    fn __len__(&self) -> usize {
        self.request.events.len()
    }

    /// The write keys that its top and the events that are taken name.
    #[getter]
    fn write_keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        PyFrozenSet::new(py, &self.request.write_keys)
    }

    /// The `sentAt` that its top states for all events.
    #[getter]
    fn sent_at(&self) -> Option<&str> {
        self.request.sent_at.as_ref().map(|(text, _)| text.as_str())
    }

    /// Whether every event is taken.
    #[getter]
    fn is_whole(&self) -> bool {
        self.request.events.iter().all(Result::is_ok)
    }

    /// The events that are to be judged by others: place in the request, and text.
    #[getter]
    fn declined<'py>(&self, py: Python<'py>) -> Vec<(usize, Bound<'py, PyBytes>)> {
        let body = self.body.as_bytes(py);
        let declined =
            self.request.events.iter().enumerate().filter_map(|(index, event)| Some((index, event.as_ref().err()?)));
        declined.map(|(index, place)| (index, PyBytes::new(py, &body[place.clone()]))).collect()
    }

    /// A verdict for each event, made by `accept` of message id, key, payload hash and record; None for declined ones.
    ///
    /// None at all where a clock runs ahead, by which all events are moved, or an event lies in the future.
    #[pyo3(signature = (accept, head, about, history, received_at, arrival))]
    #[allow(clippy::too_many_arguments)]
    fn accepted<'py>(
        &self,
        py: Python<'py>,
        accept: &Bound<'py, PyType>,
        head: &[u8],
        about: &[u8],
        history: i64,
        received_at: i64,
        arrival: &Bound<PyAny>,
    ) -> PyResult<Option<Vec<Option<Bound<'py, PyAny>>>>> {
        let mut received = Vec::with_capacity(32);
        instants::write(received_at, &mut received);
        let request_id = self.request_id(arrival)?;
        let arrival = Arrival { head, received_at, received: &received, request_id: &request_id, history };
        if !record::in_time(&self.request, &arrival) {
            return Ok(None);
        }
        let new = py.get_type::<PyTuple>().getattr(intern!(py, "__new__"))?;
        let mut written = Written::new();
        let mut verdicts = Vec::with_capacity(self.request.events.len());
        for (index, event) in self.request.events.iter().enumerate() {
            let Ok(event) = event else {
                verdicts.push(None);
                continue;
            };
            let done = unless_panicking(|| {
                self.write(py, event, index, about, &arrival, &mut written);
                Some(())
            });
            if done.is_none() {
                return Ok(None);
            }
            let parts = (
                PyString::from_bytes(py, &written.id)?,
                PyBytes::new(py, &written.key),
                PyString::from_bytes(py, &record::hex(event.hash))?,
                PyBytes::new(py, &written.record),
            );
            verdicts.push(Some(new.call1((accept, parts))?));
        }
        Ok(Some(verdicts))
    }

    /// The records of all events, with these headers; none unless every event is taken.
    #[pyo3(signature = (head, about, history, received_at, arrival, headers))]
    #[allow(clippy::too_many_arguments)]
    fn packed(
        &self,
        py: Python,
        head: &[u8],
        about: &[u8],
        history: i64,
        received_at: i64,
        arrival: &Bound<PyAny>,
        headers: &Bound<PyAny>,
    ) -> PyResult<Option<Packed>> {
        let pairs: Vec<(String, Vec<u8>)> = headers.extract()?;
        let mut received = Vec::with_capacity(32);
        instants::write(received_at, &mut received);
        let request_id = self.request_id(arrival)?;
        let arrival = Arrival { head, received_at, received: &received, request_id: &request_id, history };
        if !record::in_time(&self.request, &arrival) {
            return Ok(None);
        }
        let packing = unless_panicking(|| {
            let body = self.body.as_bytes(py);
            let mut packing = Packing::new(self.request.events.len(), body.len(), &pairs);
            let mut written = Written::new();
            for (index, event) in self.request.events.iter().enumerate() {
                let event = event.as_ref().ok()?;
                self.write(py, event, index, about, &arrival, &mut written);
                packing.add(&written.id, event.hash, &written.key, &written.record);
            }
            Some(packing)
        });
        Ok(packing.map(|packing| packing.done(headers.clone().unbind())))
    }
}

/// What is written of an event, in room that the next one has again.
struct Written {
    id: Vec<u8>,
    record: Vec<u8>,
    key: Vec<u8>,
}

impl Written {
    fn new() -> Self {
        Self { id: Vec::with_capacity(128), record: Vec::with_capacity(2_048), key: Vec::with_capacity(128) }
    }
}

impl Reading {
    /// The id of the request, which is drawn only where an event has none of its own.
    fn request_id(&self, arrival: &Bound<PyAny>) -> PyResult<String> {
        let is_without = |event: &Result<Event, _>| event.as_ref().is_ok_and(|event| event.message_id.is_none());
        if self.request.events.iter().any(is_without) {
            arrival.getattr(intern!(arrival.py(), "request_id"))?.extract()
        } else {
            Ok(String::new())
        }
    }

    fn write(&self, py: Python, event: &Event, index: usize, about: &[u8], arrival: &Arrival, out: &mut Written) {
        let Written { id, record, key } = out;
        id.clear();
        match &event.message_id {
            Some(given) => id.extend_from_slice(&self.request.arena[given.clone()]),
            None => id.extend_from_slice(format!("{}-{index}", arrival.request_id).as_bytes()),
        }
        record::write(event, id, &self.request, self.body.as_bytes(py), arrival, record);
        key.clear();
        key.extend_from_slice(about);
        key.extend_from_slice(&self.request.arena[event.customer.clone()]);
    }
}

/// What is broken here is no concern of the request's: it goes the way of the odd ones.
fn unless_panicking<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(None)
}

/// A request that is there as a whole. Nobody who does not ask pays for what of it is made an object.
#[pyclass(frozen)]
struct Whole {
    data: Py<PyBytes>,
    read: head::Whole,
}

/// The request, of bytes that are one ordinary POST as a whole.
#[pyfunction]
fn whole(py: Python, data: &Bound<PyAny>) -> Option<Whole> {
    let data: Py<PyBytes> = data.extract().ok()?;
    let read = head::whole(data.as_bytes(py))?;
    Some(Whole { data, read })
}

#[pymethods]
impl Whole {
    #[getter]
    fn target<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.bytes(py, &self.read.target)
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.data.as_bytes(py)[self.read.body..])
    }

    /// The bytes of its body.
    #[getter]
    fn length(&self, py: Python) -> usize {
        self.data.as_bytes(py).len() - self.read.body
    }

    /// Names, in lower case, and values, in their order.
    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let lower =
            |place: &Range<usize>| PyBytes::new(py, &self.data.as_bytes(py)[place.clone()].to_ascii_lowercase());
        self.read.headers.iter().map(|(name, value)| (lower(name), self.bytes(py, value))).collect()
    }

    /// The value of the last field of a name, which is in lower case.
    fn get<'py>(&self, py: Python<'py>, name: &[u8]) -> Option<Bound<'py, PyBytes>> {
        let data = self.data.as_bytes(py);
        let is = |place: &Range<usize>| data[place.clone()].eq_ignore_ascii_case(name);
        self.read.headers.iter().rev().find(|(name, _)| is(name)).map(|(_, value)| self.bytes(py, value))
    }
}

impl Whole {
    fn bytes<'py>(&self, py: Python<'py>, place: &Range<usize>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.data.as_bytes(py)[place.clone()])
    }
}

#[pymodule]
fn jornada_express(module: &Bound<PyModule>) -> PyResult<()> {
    module.add_class::<Reading>()?;
    module.add_class::<Packed>()?;
    module.add_class::<Part>()?;
    module.add_class::<Ids>()?;
    module.add_class::<Recent>()?;
    module.add_class::<Whole>()?;
    module.add_function(wrap_pyfunction!(whole, module)?)?;
    module.add_function(wrap_pyfunction!(read, module)?)
}
