use core::fmt;

/// Where in a value something is wrong: names of fields and variants, as in `trip.origin`.
///
/// Takes no memory of its own; of a path beyond some fifty bytes only the end is kept.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Path {
    /// The names in order, at the end of the array, since they are put in from the inside out.
    bytes: [u8; PATH_BYTES_MAX],
    start: u8,
    cut: bool,
}

impl Path {
    /// The path of the value itself.
    pub const fn new() -> Self {
        Self { bytes: [0; PATH_BYTES_MAX], start: PATH_BYTES_MAX as u8, cut: false }
    }

    /// Returns whether this is the path of the value itself.
    pub const fn is_empty(&self) -> bool {
        self.start as usize == PATH_BYTES_MAX
    }

    /// Returns the path with `name` in front: that of a part of what `name` names. Elements of a
    /// tuple have none.
    #[must_use]
    pub fn inside(mut self, name: &str) -> Self {
        if name.is_empty() {
            return self;
        }
        if !self.is_empty() {
            self.put(".");
        }
        self.put(name);
        self
    }

    /// Puts `text` in front, or marks the path as cut where it does not fit.
    fn put(&mut self, text: &str) {
        let start = usize::from(self.start).checked_sub(text.len()).filter(|_| !self.cut);
        let place = start.and_then(|start| self.bytes.get_mut(start..usize::from(self.start)));
        match (start, place) {
            (Some(start), Some(place)) => {
                place.copy_from_slice(text.as_bytes());
                self.start = start as u8;
            }
            _ => self.cut = true,
        }
    }
}

impl Default for Path {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cut {
            f.write_str("..")?;
        }
        let bytes = self.bytes.get(usize::from(self.start)..).unwrap_or_default();
        f.write_str(core::str::from_utf8(bytes).unwrap_or_default())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

const PATH_BYTES_MAX: usize = 54;
