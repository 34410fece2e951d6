//! What a firmware takes of flash and RAM, from the head of its file (ELF for 32 bits).

use std::error::Error;

/// Where the RAM of the board begins.
const RAM: u32 = 0x2000_0000;
/// The words that the processor starts with: the top of the stack, and three behind it where a
/// hard fault goes.
const VECTORS: u32 = 0;
const HARD_FAULT: usize = 3 * 4;

/// A firmware.
#[derive(Debug)]
pub(crate) struct Elf {
    bytes: Vec<u8>,
    segments: Vec<Segment>,
    /// Where the vectors are in the file.
    vectors: usize,
}

/// What is loaded together.
#[derive(Debug)]
struct Segment {
    address: u32,
    in_file: u32,
    in_memory: u32,
}

impl Elf {
    /// Reads the program headers.
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, Box<dyn Error>> {
        let word = |at: usize| {
            let word = bytes.get(at..at + 4).ok_or("the firmware is cut off")?;
            Ok::<u32, Box<dyn Error>>(u32::from_le_bytes(word.try_into()?))
        };
        if word(0)? != u32::from_le_bytes(*b"\x7fELF") {
            return Err("the firmware is no ELF file".into());
        }
        let (headers, sizes) = (word(0x1c)? as usize, word(0x2a)?);
        let (length, count) = ((sizes & 0xffff) as usize, (sizes >> 16) as usize);
        let (mut segments, mut vectors) = (Vec::new(), None);
        for at in (headers..).step_by(length).take(count) {
            let [kind, offset, address, _, in_file, in_memory] =
                [word(at)?, word(at + 4)?, word(at + 8)?, 0, word(at + 16)?, word(at + 20)?];
            // 1 is what is loaded. The head of the file may be, before the vectors.
            if kind == 1 && (address..address.saturating_add(in_file)).contains(&VECTORS) {
                vectors = Some((offset + VECTORS - address) as usize);
            }
            if kind == 1 {
                segments.push(Segment { address, in_file, in_memory });
            }
        }
        let vectors = vectors.ok_or("the firmware has no vectors")?;
        Ok(Self { bytes, segments, vectors })
    }

    /// Returns the bytes of flash that it takes.
    pub(crate) fn code(&self) -> u32 {
        self.segments.iter().map(|segment| segment.in_file).sum()
    }

    /// Returns the bytes of RAM that it takes beside its stack.
    pub(crate) fn data(&self) -> u32 {
        let in_ram = self.segments.iter().filter(|segment| segment.address >= RAM);
        in_ram.map(|segment| segment.in_memory).sum()
    }

    /// Returns the bytes of RAM that are kept for the stack, which is below the data.
    pub(crate) fn stack(&self) -> u32 {
        let [a, b, c, d, ..] = self.bytes[self.vectors..] else { return 0 };
        u32::from_le_bytes([a, b, c, d]) - RAM
    }

    /// Returns a firmware that differs in two words: it has so much stack, at the start of RAM, and
    /// a fault, as of a stack that outgrows its place, stops the emulator instead of waiting.
    pub(crate) fn with_stack(&self, stack: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let vectors = &mut bytes[self.vectors..];
        vectors[..4].copy_from_slice(&(RAM + stack).to_le_bytes());
        vectors[HARD_FAULT..HARD_FAULT + 4].fill(0);
        bytes
    }
}
