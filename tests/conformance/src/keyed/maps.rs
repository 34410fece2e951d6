use holdwater::key::{Key, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{Backend, Descriptor, Map};

/// A kind of map: what holds of all maps is shown of each.
pub trait Maps {
    /// The state.
    type Map<B: Backend, K: Key, F: OrderedKey, V: Data>: Map<K, F, V, Error = B::Error>;

    /// Opens it.
    fn open<B: Backend, K: Key, F: OrderedKey, V: Data>(
        store: &mut B,
    ) -> Result<Self::Map<B, K, F, V>, B::Error>;
}

/// Maps whose fields have no order.
#[derive(Debug)]
pub enum Plain {}

impl Maps for Plain {
    type Map<B: Backend, K: Key, F: OrderedKey, V: Data> = B::Map<K, F, V>;

    fn open<B: Backend, K: Key, F: OrderedKey, V: Data>(
        store: &mut B,
    ) -> Result<B::Map<K, F, V>, B::Error> {
        store.map(Descriptor::new("map"))
    }
}

/// Maps whose fields are in order.
#[derive(Debug)]
pub enum Ordered {}

impl Maps for Ordered {
    type Map<B: Backend, K: Key, F: OrderedKey, V: Data> = B::OrderedMap<K, F, V>;

    fn open<B: Backend, K: Key, F: OrderedKey, V: Data>(
        store: &mut B,
    ) -> Result<B::OrderedMap<K, F, V>, B::Error> {
        store.ordered_map(Descriptor::new("map"))
    }
}
