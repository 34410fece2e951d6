//! How a value lies in its row: in place, or shared with the snapshots that hold it.

use alloc::sync::Arc;
use core::mem::needs_drop;

use holdwater::codec::Encoding;
use holdwater::schema::Data;

use crate::row::{Touch, owned_bytes};

/// A value as a row holds it.
pub trait Cell: Clone + Send + Sync + 'static {
    /// The value.
    type Value: Data;

    /// Whether an edit can make it take more memory.
    const GROWS: bool;

    /// Whether it lies elsewhere than in its row.
    const BEHIND: bool;

    fn new(value: Self::Value, touch: &mut Touch) -> Self;

    fn get(&self) -> &Self::Value;

    /// Edits the value, and measures what it takes then.
    fn edit<R>(&mut self, touch: &mut Touch, edit: impl FnOnce(&mut Self::Value) -> R) -> R;

    /// Returns how many bytes it owns outside of its row.
    fn bytes(&self, encoding: Encoding) -> usize;
}

/// A value in place: one that owns nothing, so that copying a segment copies bytes; or one that
/// seldom does, so that there is seldom anything else to copy.
#[derive(Clone, Debug)]
pub(crate) struct Inline<V>(V);

impl<V: Data> Cell for Inline<V> {
    type Value = V;

    const GROWS: bool = needs_drop::<V>();

    const BEHIND: bool = false;

    #[inline]
    fn new(value: V, touch: &mut Touch) -> Self {
        touch.meter.owned += owned_bytes(&value, touch.encoding).cast_signed();
        Self(value)
    }

    #[inline]
    fn get(&self) -> &V {
        &self.0
    }

    #[inline]
    fn edit<R>(&mut self, touch: &mut Touch, edit: impl FnOnce(&mut V) -> R) -> R {
        let before = owned_bytes(&self.0, touch.encoding);
        let result = edit(&mut self.0);
        let after = owned_bytes(&self.0, touch.encoding);
        touch.meter.owned += after.cast_signed() - before.cast_signed();
        result
    }

    #[inline]
    fn bytes(&self, encoding: Encoding) -> usize {
        owned_bytes(&self.0, encoding)
    }
}

/// A value behind a handle: one that owns memory. Copying a segment copies handles; the value is
/// copied when it is edited while a snapshot holds it.
#[derive(Debug)]
pub(crate) struct Shared<V>(Arc<Measured<V>>);

#[derive(Clone, Debug)]
struct Measured<V> {
    value: V,
    bytes: usize,
}

impl<V> Clone for Shared<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V: Data> Cell for Shared<V> {
    type Value = V;

    const GROWS: bool = true;

    const BEHIND: bool = true;

    fn new(value: V, touch: &mut Touch) -> Self {
        let bytes = measure(&value, touch);
        touch.meter.owned += bytes.cast_signed();
        Self(Arc::new(Measured { value, bytes }))
    }

    fn get(&self) -> &V {
        &self.0.value
    }

    fn edit<R>(&mut self, touch: &mut Touch, edit: impl FnOnce(&mut V) -> R) -> R {
        if Arc::get_mut(&mut self.0).is_none() {
            touch.meter.held += self.0.bytes.cast_signed();
        }
        let measured = Arc::make_mut(&mut self.0);
        let result = edit(&mut measured.value);
        let bytes = measure(&measured.value, touch);
        touch.meter.owned += bytes.cast_signed() - measured.bytes.cast_signed();
        measured.bytes = bytes;
        result
    }

    fn bytes(&self, _: Encoding) -> usize {
        self.0.bytes
    }
}

/// Returns how many bytes a value behind a handle takes.
fn measure<V: Data>(value: &V, touch: &Touch) -> usize {
    size_of::<[usize; 2]>() + size_of::<Measured<V>>() + owned_bytes(value, touch.encoding)
}
