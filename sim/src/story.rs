//! The story of a run: every event as a line for those who read it, and as a hash for those who
//! compare runs.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// What happened, event by event.
#[derive(Clone, Default)]
pub struct Story {
    hash: Xxh3,
    told: Option<Vec<String>>,
}

impl Story {
    /// Keeps every event as a line.
    pub fn told() -> Self {
        Self { told: Some(Vec::new()), ..Self::default() }
    }

    /// Adds an event: `facts` for the hash, `line` for who reads it. A line takes time only if it
    /// is kept.
    pub fn event(&mut self, step: u64, facts: &[u64], line: fmt::Arguments<'_>) {
        self.hash.update(&step.to_le_bytes());
        for fact in facts {
            self.hash.update(&fact.to_le_bytes());
        }
        if let Some(told) = &mut self.told {
            told.push(format!("{step:>6}  {line}"));
        }
    }

    /// Adds bytes to the hash.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// Returns what is equal for equal runs.
    pub fn hash(&self) -> u64 {
        self.hash.digest()
    }

    /// Returns the lines, if they were kept.
    pub fn lines(&self) -> &[String] {
        self.told.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").field("hash", &self.hash()).finish_non_exhaustive()
    }
}
