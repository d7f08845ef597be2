//! BLOBs that are written in place.
//!
//! `duckdb_vector_assign_string_element_len` copies its argument: for the pixels of an image, this would cost a second
//! pass and twice the memory. Here DuckDB copies zeros of the right length, which need no memory of their own, and the
//! bytes are written to their final location. A `duckdb_string_t` longer than 12 bytes repeats the first 4 of them next
//! to its pointer; they are set after all bytes are written, like in DuckDB's own `string_t::Finalize`.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::slice;

use duckdb::ffi;
use memmap2::{Mmap, MmapMut};

use super::exception::call;
use super::{TypeId, Writer};
use crate::error::{Error, Result};

/// The BLOBs of the rows of a vector, initially zero. They are valid once this is dropped.
pub(crate) struct Blobs<'a> {
    strings: *mut ffi::duckdb_string_t,
    lengths: Vec<Option<usize>>,
    lifetime: PhantomData<&'a mut ()>,
}

impl Writer<'_> {
    /// Sets each row to a BLOB of the given number of zeros; None is NULL.
    pub(crate) fn blobs(&mut self, lengths: Vec<Option<usize>>) -> Result<Blobs<'_>> {
        if self.kind().id() != TypeId::Blob {
            return Err(self.mismatch("bytes"));
        }
        let longest = lengths.iter().flatten().max().copied().unwrap_or(0);
        if u32::try_from(longest).is_err() {
            return Err(Error::Internal(format!("{longest} bytes are more than a BLOB can have")));
        }
        let zeros = zeros(longest)?;
        self.texts(lengths.iter().map(|length| zeros.get(..(*length)?)))?;
        // SAFETY: the vector is live and stores strings.
        let strings = unsafe { call(|api| api.duckdb_vector_get_data, (self.vector(),)) }?.cast();
        Ok(Blobs { strings, lengths, lifetime: PhantomData })
    }
}

/// A slice of zeros. As long as it is only read, all of it is mapped to the zero page of the system.
fn zeros(length: usize) -> Result<Mmap> {
    let no_memory = |error| Error::Internal(format!("no memory for a BLOB of {length} bytes: {error}"));
    let zeros = MmapMut::map_anon(length.max(1)).and_then(MmapMut::make_read_only).map_err(no_memory)?;
    // One page fault per 2 MiB instead of 512, if huge pages are available.
    #[cfg(target_os = "linux")]
    let _ = zeros.advise(memmap2::Advice::HugePage);
    Ok(zeros)
}

impl Blobs<'_> {
    /// The bytes of each row; None for NULL.
    pub(crate) fn rows(&mut self) -> impl Iterator<Item = Option<&mut [u8]>> {
        let strings = self.strings;
        self.lengths.iter().enumerate().map(move |(row, length)| {
            // SAFETY: `row` was written with this length. Its bytes are in the vector or its heap, are not accessed
            // otherwise during this borrow of the writer's vector, and are not shared between rows.
            length.map(|length| unsafe {
                slice::from_raw_parts_mut(ffi::duckdb_string_t_data(strings.add(row)).cast::<u8>().cast_mut(), length)
            })
        })
    }
}

impl Drop for Blobs<'_> {
    fn drop(&mut self) {
        for (row, length) in self.lengths.iter().enumerate() {
            if length.is_none() {
                continue;
            }
            // SAFETY: `row` was written and is not NULL; a string that is not inlined has at least 13 bytes.
            unsafe {
                let string = self.strings.add(row);
                if !ffi::duckdb_string_is_inlined(*string) {
                    let pointer = &mut (*string).value.pointer;
                    pointer.prefix = pointer.ptr.cast::<[c_char; 4]>().read();
                }
            }
        }
    }
}
