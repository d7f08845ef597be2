//! BLOBs that are filled in place.
//!
//! `duckdb_vector_assign_string_element_len` copies what it is given, which for the pixels of an image is a second time through
//! memory, and twice the memory. Here DuckDB copies zeros of the right length, which take no memory of ours, and the bytes are
//! written where they stay. A `duckdb_string_t` longer than 12 bytes repeats the first 4 of them beside its pointer: that is set
//! when all is written, as DuckDB's own `string_t::Finalize` does.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::slice;

use duckdb::ffi;
use memmap2::{Mmap, MmapMut};

use super::exception::call;
use super::{TypeId, Writer};
use crate::error::{Error, Result};

/// The BLOBs of a vector's rows, zeroed at first. They are in order once this is dropped.
pub(crate) struct Blobs<'a> {
    strings: *mut ffi::duckdb_string_t,
    lengths: Vec<Option<usize>>,
    lifetime: PhantomData<&'a mut ()>,
}

impl Writer<'_> {
    /// Makes each row a BLOB of so many zeros; None is NULL.
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
        // SAFETY: the vector is live, and stores strings.
        let strings = unsafe { call(|api| api.duckdb_vector_get_data, (self.vector(),)) }?.cast();
        Ok(Blobs { strings, lengths, lifetime: PhantomData })
    }
}

/// So many zeros, which stay the system's own page of zeros, mapped again and again, as long as they are only read.
fn zeros(length: usize) -> Result<Mmap> {
    let no_memory = |error| Error::Internal(format!("no memory for a BLOB of {length} bytes: {error}"));
    let zeros = MmapMut::map_anon(length.max(1)).and_then(MmapMut::make_read_only).map_err(no_memory)?;
    // One fault for 2 MiB instead of 512; where that cannot be had, zeros are zeros.
    #[cfg(target_os = "linux")]
    let _ = zeros.advise(memmap2::Advice::HugePage);
    Ok(zeros)
}

impl Blobs<'_> {
    /// The bytes of each row; None where it is NULL.
    pub(crate) fn rows(&mut self) -> impl Iterator<Item = Option<&mut [u8]>> {
        let strings = self.strings;
        self.lengths.iter().enumerate().map(move |(row, length)| {
            // SAFETY: `row` was written with this length. Its bytes are in the vector or its heap, which nobody else uses while
            // this borrow of the writer's vector lasts; rows do not share them.
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
            // SAFETY: `row` was written and is not NULL; of what is not inlined, at least 13 bytes lie behind the pointer.
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
