//! The states of a job with windows: those of its SPECs under key and window, and which windows are
//! open.

use std::fmt;

use holdwater::error::Malformed;
use holdwater::key::{At, In, KeyGroups};
use holdwater::schema::StoredSchema;
use holdwater::state::{Backend, Descriptor, States, Visitor};
use holdwater::timer::Sweep;
use holdwater::ttl::{Ttl, When};
use holdwater::window::{Assigner, Step, Window, Windows};

use super::batch::RowBatch;
use super::columns::{Added, Columns, Joining, Timing};
use super::failures::AddError;
use super::operator::ResultRow;
use crate::fields::Fields;
use crate::spec::Spec;

/// The states of a job with windows, on one store.
pub(super) struct WindowedAggregates<B: Backend> {
    groups: KeyGroups,
    windows: Windows<Fields, B>,
    columns: Columns<B, In<Fields, Window>>,
    /// Whether windows are shown in which a key has nothing: it had rows without values. Otherwise
    /// what it had has expired.
    shows_all: bool,
}

impl<B: Backend> WindowedAggregates<B> {
    /// Opens the states; `key` is the schema of the keys, `windowed` that of key and window.
    pub(super) fn open(
        backend: &mut B,
        specs: &[Spec],
        assigner: Assigner,
        (key, windowed): (&StoredSchema, &StoredSchema),
        ttl: Option<Ttl>,
    ) -> Result<Self, B::Error> {
        let joining = match assigner {
            Assigner::Aligned(_) => Joining::Never,
            Assigner::Session(_) => Joining::Sessions,
        };
        let windows = Descriptor::new("windows").key_schema(windowed.clone());
        let sessions = Descriptor::new("sessions").key_schema(key.clone());
        let columns = Columns::open(backend, specs, windowed, joining, ttl)?;
        Ok(Self {
            groups: backend.groups(),
            windows: Windows::open_as(backend, assigner, windows, sessions)?,
            shows_all: ttl.is_none() && !columns.have_every_key(),
            columns,
        })
    }

    /// Adds the rows of a batch of an input, each to its windows.
    pub(super) fn add(
        &mut self,
        batch: &RowBatch,
        input: usize,
        specs: &[Spec],
    ) -> Result<(), AddError<B::Error>> {
        let Self { groups, windows, columns, .. } = self;
        let mut gathered = Gathered { places: Vec::new(), rows: Vec::new(), batch, input };
        for (row, at) in batch.places(*groups).enumerate() {
            let moment = batch.moment(row);
            windows.add(at, moment.time, moment.watermark, |step| match step {
                Step::Add(window) => {
                    gathered.places.push(at.within(window));
                    gathered.rows.push(row);
                    Ok(())
                }
                Step::Merge { from, into } => {
                    // What is moved has to be there.
                    gathered.add_to(columns, specs)?;
                    let joined = (batch.line(row), moment.when());
                    columns.merge(at.within(into), at.within(from), joined, specs)
                }
            })?;
        }
        gathered.add_to(columns, specs)
    }

    /// Takes out the windows that are due, in the order of their ends, as far as `sweep` goes.
    ///
    /// What a window holds is judged at its last moment, or at `watermark` if the inputs ended
    /// before that: how far the watermark went at once makes no difference.
    pub(super) fn close(
        &mut self,
        sweep: &mut Sweep,
        watermark: i64,
        mut show: impl FnMut(ResultRow),
    ) -> Result<(), B::Error> {
        while let Some(closed) = self.windows.due(sweep)? {
            let at = closed.at(self.groups);
            let last = When::from(watermark.min(closed.window.end.saturating_sub(1)));
            let is_shown = self.shows_all || self.columns.hold(at, last)?;
            let answers = self.columns.answers(at, last)?;
            self.columns.remove(at)?;
            if is_shown {
                show(ResultRow { window: Some(closed.window), answers, key: closed.key });
            }
        }
        Ok(())
    }

    /// Returns whether windows may be due that `sweep` had no step left for.
    pub(super) fn is_cut(&self, sweep: &Sweep) -> Result<bool, B::Error> {
        self.windows.is_cut(sweep)
    }
}

impl<B: Backend> States for WindowedAggregates<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.windows.each(visitor)?;
        self.columns.each(visitor)
    }
}

impl<B: Backend> fmt::Debug for WindowedAggregates<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowedAggregates").finish_non_exhaustive()
    }
}

/// Rows whose windows are known, and that are not added yet.
struct Gathered<'b> {
    places: Vec<At<'b, In<Fields, Window>>>,
    /// Which row stands at each place.
    rows: Vec<usize>,
    batch: &'b RowBatch,
    input: usize,
}

impl Gathered<'_> {
    fn add_to<B: Backend>(
        &mut self,
        columns: &mut Columns<B, In<Fields, Window>>,
        specs: &[Spec],
    ) -> Result<(), AddError<B::Error>> {
        let Self { places, rows, batch, input } = &*self;
        let (batch, input) = (*batch, *input);
        let (row, timing) = (|place: usize| rows[place], Timing::ByRow);
        columns.add(Added { places, numbers: None, row, batch, input, timing }, specs)?;
        self.places.clear();
        self.rows.clear();
        Ok(())
    }
}

/// Returns the schema of a key within a window, of keys of the given schema.
pub(super) fn windowed_schema(key: &StoredSchema) -> Result<StoredSchema, Malformed> {
    let window = StoredSchema::of::<Window>().expect("a window has a schema");
    StoredSchema::fields([("key", key), ("window", &window)])
}
