//! Reading and writing bits, the most significant first.

/// Reads bits.
pub(crate) struct BitReader<'a> {
    data: &'a [u8],
    place: usize,
}

/// Writes bits.
#[derive(Default)]
pub(crate) struct BitWriter {
    data: Vec<u8>,
    free: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, place: 0 }
    }

    pub(crate) fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        self.bit()
    }

    /// `uvlc()` of AV1 (section 4.10.3).
    pub(crate) fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }

    pub(crate) fn place(&self) -> usize {
        self.place
    }

    fn bit(&mut self) -> Option<bool> {
        let byte = self.data.get(self.place / 8)?;
        let bit = byte >> (7 - self.place % 8) & 1;
        self.place += 1;
        Some(bit == 1)
    }
}

impl BitWriter {
    pub(crate) fn write(&mut self, value: u32, count: u32) {
        for place in (0..count).rev() {
            self.bit(value >> place & 1 == 1);
        }
    }

    /// Copies the bits between two places.
    pub(crate) fn copy(&mut self, data: &[u8], places: std::ops::Range<usize>) {
        let mut reader = BitReader {
            data,
            place: places.start,
        };
        for _ in places {
            if let Some(bit) = reader.bit() {
                self.bit(bit);
            }
        }
    }

    /// The bytes, with a one and zeros at the end (`rbsp_trailing_bits`, `trailing_bits`).
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bit(true);
        self.data
    }

    fn bit(&mut self, bit: bool) {
        if self.free == 0 {
            self.data.push(0);
            self.free = 8;
        }
        self.free -= 1;
        if let Some(last) = self.data.last_mut() {
            *last |= u8::from(bit) << self.free;
        }
    }
}

/// The place of the one that ends the bits of a unit.
pub(crate) fn end_of_bits(data: &[u8]) -> Option<usize> {
    let last = data.iter().rposition(|byte| *byte != 0)?;
    let zeros = data.get(last)?.trailing_zeros() as usize;
    Some(last * 8 + 7 - zeros)
}
