//! Reads values of several types from the bytes of an input; zeros and None after its end.

/// The remaining bytes of an input.
pub(crate) struct Input<'a>(&'a [u8]);

/// Numbers that are special cases of georeferencing and statistics.
const DOUBLES: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    10.0,
    -10.0,
    500_000.0,
    4_600_000.0,
    1e-300,
    1e300,
    -1e18,
    4_294_967_296.5,
    f64::NAN,
    f64::INFINITY,
    f64::MIN,
];

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The remaining bytes.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Up to `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        array.iter_mut().zip(self.bytes(N)).for_each(|(byte, found)| *byte = *found);
        array
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// True for an odd byte.
    pub(crate) fn bool(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// A size or position, usually a small one.
    pub(crate) fn size(&mut self) -> u32 {
        match self.u8() {
            byte @ 0..=199 => byte.into(),
            200..=239 => self.u16().into(),
            _ => self.u32(),
        }
    }

    /// A special number, or any number.
    pub(crate) fn f64(&mut self) -> f64 {
        let byte = self.u8();
        match DOUBLES.get(usize::from(byte)) {
            Some(number) => *number,
            None if byte < 200 => f64::from(byte) - 100.0,
            None => f64::from_le_bytes(self.array()),
        }
    }

    /// Six coefficients of an affine transform, usually without rotation.
    pub(crate) fn affine(&mut self) -> [f64; 6] {
        let [a, c, e, f] = [self.f64(), self.f64(), self.f64(), self.f64()];
        if self.bool() { [a, self.f64(), c, self.f64(), e, f] } else { [a, 0.0, c, 0.0, e, f] }
    }

    /// A short list.
    pub(crate) fn list<T>(&mut self, mut of: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.u8() % 8;
        (0..count).map(|_| of(self)).collect()
    }

    /// A value, or None for an even byte.
    pub(crate) fn option<T>(&mut self, of: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| of(self))
    }

    /// Text, with replacements for invalid UTF-8.
    pub(crate) fn text(&mut self) -> String {
        let count = self.u8();
        String::from_utf8_lossy(self.bytes(count.into())).into_owned()
    }

    /// One of these.
    pub(crate) fn one_of<T: Clone>(&mut self, values: &[T]) -> Option<T> {
        let at = usize::from(self.u8()) % values.len().max(1);
        values.get(at).cloned()
    }
}
