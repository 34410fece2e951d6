//! The dataflow: two operators on each worker.
//!
//! ```text
//! Pump --(worker, parcel)--> Keyed --results, told--> Gather
//! first                      all                      first
//! ```

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use holdwater::manifest::CheckpointId;
use holdwater::storage::Storage;
use holdwater_threads::{Operator, Subtask};
use timely::ExchangeData;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{OutputBuilder, OutputBuilderSession};
use timely::dataflow::{Scope, Stream};
use timely::scheduling::Activator;

use crate::gather::{Gather, Hall};
use crate::keyed::{Keyed, Out};
use crate::part::Shared;
use crate::pump::Addressed;
use crate::wire::Told;

type Results<T> = Vec<(u64, T)>;
type Tolds = Vec<(u64, Told)>;
type Flow<'scope, C> = Stream<'scope, u64, C>;
type Session<'s, C> = OutputBuilderSession<'s, u64, CapacityContainerBuilder<C>>;

/// What a process wants the first worker to know.
#[derive(Default)]
pub(crate) struct Wish {
    told: Cell<Option<Told>>,
    activator: OnceCell<Activator>,
}

impl Wish {
    /// Tells the first worker.
    pub(crate) fn tell(&self, told: Told) {
        self.told.set(Some(told));
        if let Some(activator) = self.activator.get() {
            activator.activate();
        }
    }
}

/// The capabilities of a worker: for the slice it is in, and for the checkpoints whose snapshots
/// are being written.
struct Held {
    results: Capability<u64>,
    told: Capability<u64>,
    retained: Vec<(CheckpointId, Capability<u64>)>,
}

impl Held {
    /// Sends what a worker gives.
    fn give<T: 'static>(
        &mut self,
        index: u64,
        out: &mut Vec<Out<T>>,
        results: &mut Session<'_, Results<T>>,
        told: &mut Session<'_, Tolds>,
    ) {
        for given in out.drain(..) {
            match given {
                Out::Result(result) => results.session(&self.results).give((index, result)),
                Out::Told(what) => told.session(&self.told).give((index, what)),
                Out::Retain(id, slice) => self.retained.push((id, self.told.delayed(&slice))),
                Out::Release(id, what) => {
                    let held = self.retained.iter().position(|(retained, _)| *retained == id);
                    let held = held.map(|held| self.retained.swap_remove(held).1);
                    if let (Some(held), Some(what)) = (held, what) {
                        told.session(&held).give((index, what));
                    }
                }
            }
        }
    }
}

/// Builds the operator with state.
pub(crate) fn keyed<'scope, O, F, B>(
    scope: Scope<'scope, u64>,
    parcels: Flow<'scope, Addressed<O::Batch>>,
    index: usize,
    shared: &Arc<Shared<F, B>>,
    wish: &Rc<Wish>,
) -> (Flow<'scope, Results<O::Output>>, Flow<'scope, Tolds>)
where
    O: Operator<Batch: ExchangeData + Clone, Output: ExchangeData>,
    F: Fn(Subtask) -> Result<O, O::Error> + Send + Sync + 'static,
    B: Storage + Clone + Send + Sync + 'static,
{
    let mut builder = OperatorBuilder::new("Keyed".to_owned(), scope);
    let address = builder.operator_info().address;
    let again = scope.activator_for(Rc::clone(&address));
    wish.activator.get_or_init(|| scope.activator_for(Rc::clone(&address)));
    let waker = scope.worker().sync_activator_for(address.to_vec());
    let wake = Arc::new(move || {
        // The worker is gone: there is nobody to be woken.
        let _ = waker.activate();
    });
    let pact = Exchange::new(|(worker, _): &(u64, _)| *worker);
    let mut input = builder.new_input(parcels, pact);
    let (results, results_flow) = builder.new_output::<Results<O::Output>>();
    let (told, told_flow) = builder.new_output::<Tolds>();
    let mut results = OutputBuilder::<_, CapacityContainerBuilder<_>>::from(results);
    let mut told = OutputBuilder::<_, CapacityContainerBuilder<_>>::from(told);
    let (shared, wish) = (Arc::clone(shared), Rc::clone(wish));
    builder.build(move |capabilities| {
        let [of_results, of_told] = capabilities.try_into().expect("one for each output");
        let mut held = Some(Held { results: of_results, told: of_told, retained: Vec::new() });
        let mut keyed = Keyed::<O, F, B>::new(index, shared, wake);
        let index = index as u64;
        move |frontiers| {
            let (mut results, mut told) = (results.activate(), told.activate());
            let mut out = Vec::new();
            input.for_each(|time, parcels| {
                for (_, parcel) in parcels.drain(..) {
                    keyed.receive(*time.time(), parcel, &mut out);
                }
            });
            let Some(own) = &mut held else { return };
            out.extend(wish.told.take().map(Out::Told));
            keyed.written(&mut out);
            own.give(index, &mut out, &mut results, &mut told);
            let lowest = lowest(frontiers[0].frontier().first());
            while let Some(slice) = keyed.advance(lowest, &mut out) {
                if slice > *own.results.time() {
                    own.results.downgrade(&slice);
                }
                own.give(index, &mut out, &mut results, &mut told);
            }
            if lowest == u64::MAX {
                held = None;
                return;
            }
            own.results.downgrade(&lowest);
            own.told.downgrade(&lowest);
            if keyed.work(&mut out) {
                again.activate();
            }
            own.give(index, &mut out, &mut results, &mut told);
        }
    });
    (results_flow, told_flow)
}

/// Builds the end of the dataflow.
pub(crate) fn gather<
    'scope,
    T: ExchangeData,
    F: 'static + Send + Sync,
    B: 'static + Send + Sync,
>(
    scope: Scope<'scope, u64>,
    results: Flow<'scope, Results<T>>,
    told: Flow<'scope, Tolds>,
    hall: &Rc<RefCell<Hall<T>>>,
    shared: &Arc<Shared<F, B>>,
) {
    let mut builder = OperatorBuilder::new("Gather".to_owned(), scope);
    let again = scope.activator_for(builder.operator_info().address);
    let mut results = builder.new_input(results, Exchange::new(|_: &(u64, T)| 0));
    let mut told = builder.new_input(told, Exchange::new(|_: &(u64, Told)| 0));
    let (mut gather, shared) = (Gather::new(Rc::clone(hall)), Arc::clone(shared));
    builder.build(move |_| {
        move |frontiers| {
            results.for_each(|time, results| {
                for (worker, result) in results.drain(..) {
                    gather.result(*time.time(), worker, result);
                }
            });
            told.for_each(|_, tolds| {
                for (worker, told) in tolds.drain(..) {
                    let failure = |worker, why| shared.failure(worker, why);
                    gather.told(worker as usize, told, failure);
                }
            });
            if gather.pass_on(lowest(frontiers[0].frontier().first())) {
                again.activate_after(SINK_WAIT);
            }
        }
    });
}

/// Returns the oldest slice that is open; the highest number once none is.
fn lowest(frontier: Option<&u64>) -> u64 {
    frontier.copied().unwrap_or(u64::MAX)
}

/// How long it takes the sink to make room.
const SINK_WAIT: Duration = Duration::from_millis(1);
