//! What a running job holds at the moment: in no checkpoint yet, and perhaps in none ever.

use std::collections::BTreeMap;
use std::time::Duration;

use holdwater::manifest::StateSchema;
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::encoded::EncodedRows;
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;
use holdwater_threads::{Live, Question, Told, Unanswered};

use crate::view::View;

impl View {
    /// Asks a running job for the rows of a key in each of these states, as they are now. What they
    /// are called and how they are shown is taken from this checkpoint, one of the same job.
    ///
    /// What lies in one key group, as all that keys of one type have, is of one moment. Of a state
    /// with windows its subtask looks through all of the group.
    ///
    /// # Errors
    ///
    /// [`Failure::Busy`] where no job runs, it does not answer in time, or its rows are of other
    /// types than those of the checkpoint; [`Failure::Usage`] for what cannot be asked live.
    pub fn live(
        &self,
        live: &Live,
        asked: &[(StateReader<'_>, Datum)],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let mut groups = BTreeMap::<u16, Vec<usize>>::new();
        for (place, (state, key)) in asked.iter().enumerate() {
            if !self.is_routed(state)? {
                return Err(Failure::Usage(format!(
                    "state {} is not kept by key groups that can be told; leave live= away",
                    state.name()
                )));
            }
            groups.entry(state.group_of(key)?).or_default().push(place);
        }
        let mut found: Vec<_> = asked.iter().map(|_| Vec::new()).collect();
        for (group, places) in groups {
            let of_state = |place: &usize| {
                let (state, key) = &asked[*place];
                // Which windows a key has, only a look at all of them tells.
                let is_alone = state.window_schema().is_none();
                let key = is_alone.then(|| state.encoding_of(key)).transpose()?;
                Ok((state.name().to_owned(), key))
            };
            let states = places.iter().map(of_state).collect::<Result<_, Failure>>()?;
            let question = Question { group, states, bytes_max: BYTES_MAX };
            let told = live.ask(question, PATIENCE).map_err(unanswered)?;
            for (place, told) in places.iter().zip(told) {
                let (state, key) = &asked[*place];
                found[*place] = state.pick(&rows(state, &told)?, key)?;
            }
        }
        Ok(found)
    }
}

/// Reads rows that a job has told, by the types of a checkpoint.
fn rows(state: &StateReader<'_>, told: &Told) -> Result<EncodedRows, Failure> {
    let own = StateSchema::from(&told.description);
    if !own.is_same(&state.entry().schema) {
        return Err(Failure::Busy(format!(
            "the job holds state {} by other types than its newest checkpoint has: ask again once \
             there is another",
            state.name()
        )));
    }
    state.types().rows(&told.rows).map_err(|malformed| {
        Failure::Data(format!("what the job holds of state {}: {malformed}", state.name()))
    })
}

fn unanswered(why: Unanswered) -> Failure {
    let said = why.to_string();
    match why {
        Unanswered::Late | Unanswered::NotRunning | Unanswered::NoSuchState(_) => {
            Failure::Busy(said)
        }
        Unanswered::TooLarge => Failure::Usage(format!("{said}, or without live=")),
        _ => Failure::Data(said),
    }
}

/// How long a job has to answer: many batches, and the pause of a checkpoint.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many bytes of rows the subtask writes between two batches: some milliseconds.
const BYTES_MAX: usize = 4 << 20;
