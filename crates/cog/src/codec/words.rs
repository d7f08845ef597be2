//! Unsigned words, the representation of samples for byte orders and predictors.

use bytemuck::Pod;

/// An unsigned integer.
pub(super) trait Word: Pod + Default {
    /// Reverses the byte order.
    fn swapped(self) -> Self;

    /// Wrapping sum.
    fn plus(self, other: Self) -> Self;

    /// Assembles words from byte planes, most significant first. Both slices have the same length in bytes.
    fn join_planes(planes: &[u8], row: &mut [Self]);
}

impl Word for u8 {
    #[inline(always)]
    fn swapped(self) -> Self {
        self
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn join_planes(planes: &[u8], row: &mut [Self]) {
        row.copy_from_slice(planes);
    }
}

impl Word for u16 {
    #[inline(always)]
    fn swapped(self) -> Self {
        self.swap_bytes()
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn join_planes(planes: &[u8], row: &mut [Self]) {
        let (first, second) = planes.split_at(row.len());
        for ((number, a), b) in row.iter_mut().zip(first).zip(second) {
            *number = Self::from_be_bytes([*a, *b]);
        }
    }
}

impl Word for u32 {
    #[inline(always)]
    fn swapped(self) -> Self {
        self.swap_bytes()
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn join_planes(planes: &[u8], row: &mut [Self]) {
        let (first, last) = planes.split_at(2 * row.len());
        let (first, second) = first.split_at(row.len());
        let (third, fourth) = last.split_at(row.len());
        for ((((number, a), b), c), d) in row.iter_mut().zip(first).zip(second).zip(third).zip(fourth) {
            *number = Self::from_be_bytes([*a, *b, *c, *d]);
        }
    }
}

impl Word for u64 {
    #[inline(always)]
    fn swapped(self) -> Self {
        self.swap_bytes()
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn join_planes(planes: &[u8], row: &mut [Self]) {
        row.fill(0);
        for plane in planes.chunks_exact(row.len().max(1)) {
            for (number, byte) in row.iter_mut().zip(plane) {
                *number = *number << 8 | Self::from(*byte);
            }
        }
    }
}
