//! The states of one operator together: declared, opened and walked.

use core::convert::Infallible;

use super::State;
use crate::error::StateError;

/// The states of one operator, in the order in which a snapshot names them.
pub trait States {
    /// Why an access can fail.
    type Error: StateError;

    /// Shows every state to `visitor`.
    fn each<V: Visitor<Self::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop>;

    /// Tells every state that `checkpoint` is complete ([`State::completed`]).
    fn completed(&mut self, checkpoint: u64) {
        let Ok(()) = self.each(&mut Tell::Completed(checkpoint));
    }

    /// Tells every state that `checkpoint` will never be complete ([`State::aborted`]).
    fn aborted(&mut self, checkpoint: u64) {
        let Ok(()) = self.each(&mut Tell::Aborted(checkpoint));
    }

    /// Drops every row of every state, up to the first that cannot.
    fn clear(&mut self) -> Result<(), Self::Error> {
        self.each(&mut Clear)
    }
}

/// Something that is done to every state of an operator.
pub trait Visitor<E: StateError> {
    /// Why to stop early.
    type Stop;

    /// Does it to `state`.
    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop>;
}

/// Tells every state what became of a checkpoint.
enum Tell {
    Aborted(u64),
    Completed(u64),
}

impl<E: StateError> Visitor<E> for Tell {
    type Stop = Infallible;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Infallible> {
        match self {
            Self::Aborted(checkpoint) => state.aborted(*checkpoint),
            Self::Completed(checkpoint) => state.completed(*checkpoint),
        }
        Ok(())
    }
}

struct Clear;

impl<E: StateError> Visitor<E> for Clear {
    type Stop = E;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), E> {
        state.clear()
    }
}

/// Declares the states of an operator: the struct, how it is opened, and how it is walked.
///
/// The name of a field is the name of the state. The kinds are `Value<K, V>`, `List<K, V>`,
/// `Map<K, F, V>`, `OrderedMap<K, F, V>`, and the timers `EventTimers<K>` and
/// `ProcessingTimers<K>`.
///
/// ```
/// use holdwater::key::At;
/// use holdwater::state::{Backend, Map, Value};
///
/// holdwater::states! {
///     /// What an account did.
///     pub struct Totals<B> {
///         sum: Value<u64, i64>,
///         seen: Map<u64, u32, u64>,
///     }
/// }
///
/// impl<B: Backend> Totals<B> {
///     /// Adds `amount`, and counts the transfers with `party`.
///     pub fn add(&mut self, at: At<'_, u64>, party: u32, amount: i64) -> Result<i64, B::Error> {
///         self.seen.update(at, party, || 0, |times| *times += 1)?;
///         self.sum.update(at, || 0, |sum| { *sum += amount; *sum })
///     }
/// }
/// ```
#[macro_export]
macro_rules! states {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident<$backend:ident> {
            $($(#[$doc:meta])* $state:ident: $kind:ident<$($type:ty),+>,)+
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $name<$backend: $crate::state::Backend> {
            $($(#[$doc])* $state: $crate::states!(@type $kind, $backend, $($type),+),)+
        }

        impl<$backend: $crate::state::Backend> $name<$backend> {
            /// Opens the states on `backend`.
            $visibility fn open(backend: &mut $backend) -> Result<Self, $backend::Error> {
                Ok(Self {
                    $($state: $crate::states!(@open $kind, backend, stringify!($state)),)+
                })
            }
        }

        impl<$backend: $crate::state::Backend> $crate::state::States for $name<$backend> {
            type Error = $backend::Error;

            fn each<V: $crate::state::Visitor<$backend::Error>>(
                &mut self,
                visitor: &mut V,
            ) -> Result<(), V::Stop> {
                $(visitor.state(&mut self.$state)?;)+
                Ok(())
            }
        }
    };
    (@type EventTimers, $backend:ident, $key:ty) => { $backend::Timers<$key> };
    (@type ProcessingTimers, $backend:ident, $key:ty) => { $backend::Timers<$key> };
    (@type $kind:ident, $backend:ident, $($type:ty),+) => { $backend::$kind<$($type),+> };
    (@open Value, $backend:expr, $name:expr) => {
        $backend.value($crate::state::Descriptor::new($name))?
    };
    (@open List, $backend:expr, $name:expr) => {
        $backend.list($crate::state::Descriptor::new($name))?
    };
    (@open Map, $backend:expr, $name:expr) => {
        $backend.map($crate::state::Descriptor::new($name))?
    };
    (@open OrderedMap, $backend:expr, $name:expr) => {
        $backend.ordered_map($crate::state::Descriptor::new($name))?
    };
    (@open EventTimers, $backend:expr, $name:expr) => {
        $backend.timers(
            $crate::state::Descriptor::new($name),
            $crate::state::TimeDomain::Event,
        )?
    };
    (@open ProcessingTimers, $backend:expr, $name:expr) => {
        $backend.timers(
            $crate::state::Descriptor::new($name),
            $crate::state::TimeDomain::Processing,
        )?
    };
}
