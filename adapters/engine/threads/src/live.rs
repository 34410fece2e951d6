//! Questions to a running job: what its states hold at the moment.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use holdwater::codec::EncodeError;
use holdwater::error::StateError;
use holdwater::key::{KeyGroup, KeyGroups};
use holdwater::state::{
    Description, Moment, Output, OutputFailed, RowWriter, SaveError, State, States, Visitor,
};

use crate::message::Notice;

/// Asks the subtasks of a job that runs on threads what their states hold. Clones ask the same job.
///
/// The subtask that owns the key group answers, between two batches: nothing is locked, and what
/// nobody asks for costs nothing. What it tells is not in any checkpoint yet, and may never be: a
/// job that goes on from one forgets it.
///
/// ```
/// use std::time::Duration;
///
/// use holdwater_threads::{Job, Live, Question};
///
/// /// Has a job asked that is about to run.
/// fn connect<S, F, K, B>(job: &mut Job<S, F, K, B>) -> Live {
///     let live = Live::default();
///     job.options.live = live.clone();
///     live
/// }
///
/// /// Looks into it from another thread, while it runs.
/// fn look(live: &Live) {
///     let states = vec![("count".to_owned(), None)];
///     let question = Question { group: 7, states, bytes_max: 1 << 20 };
///     match live.ask(question, Duration::from_secs(1)) {
///         Ok(told) => println!("{} bytes of rows", told[0].rows.len()),
///         Err(why) => println!("{why}"),
///     }
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<Mutex<Option<Crew>>>);

/// The subtasks that can be asked.
#[derive(Debug)]
struct Crew {
    key_groups: u16,
    notices: Vec<Sender<Notice>>,
}

/// What is asked of a key group.
#[derive(Clone, Debug)]
pub struct Question {
    /// The group.
    pub group: u16,
    /// The names of states, each with the encoding of the key whose rows are wanted; without one,
    /// those of all keys of the group, whose number the answer waits for.
    pub states: Vec<(String, Option<Vec<u8>>)>,
    /// How many bytes all rows together may take.
    pub bytes_max: usize,
}

/// What a state holds. All states of one question are told of at one moment.
#[derive(Clone, Debug)]
pub struct Told {
    /// What its bytes mean.
    pub description: Description,
    /// Rows as in a full part, without what has expired (docs/format.md 5.3).
    pub rows: Vec<u8>,
}

/// Why a question has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unanswered {
    /// The subtask was busy for too long.
    Late,
    /// The operator has no state of that name.
    NoSuchState(String),
    /// No job runs that can be asked.
    NotRunning,
    /// The rows take more than they may.
    TooLarge,
    /// The state cannot be read.
    Unread(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("the job has not answered in time; try again"),
            Self::NoSuchState(name) => write!(f, "the job has no state {name}"),
            Self::NotRunning => {
                f.write_str("no job runs that can be asked; try again once one does")
            }
            Self::TooLarge => f.write_str("the rows take more than an answer may; ask for less"),
            Self::Unread(error) => write!(f, "the state cannot be read: {error}"),
        }
    }
}

impl Error for Unanswered {}

impl Live {
    /// Asks for rows, and waits for the answer as long as `patience` lasts.
    pub fn ask(&self, question: Question, patience: Duration) -> Result<Vec<Told>, Unanswered> {
        let (answer, answered) = bounded(1);
        let asked = Asked { question, until: Instant::now() + patience, answer };
        self.send(asked)?;
        match answered.recv_timeout(patience) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => Err(Unanswered::Late),
            Err(RecvTimeoutError::Disconnected) => Err(Unanswered::NotRunning),
        }
    }

    fn send(&self, asked: Asked) -> Result<(), Unanswered> {
        let crew = self.crew();
        let crew = crew.as_ref().ok_or(Unanswered::NotRunning)?;
        let (group, subtasks) = (asked.question.group, crew.notices.len() as u16);
        if group >= crew.key_groups {
            return Err(Unanswered::NotRunning);
        }
        let owner = KeyGroups::owner(KeyGroup::new(group), crew.key_groups, subtasks);
        let sent = crew.notices[usize::from(owner)].send(Notice::Asked(Box::new(asked)));
        sent.map_err(|_| Unanswered::NotRunning)
    }

    /// Has the subtasks asked that are told by `notices`, until what is returned is dropped.
    pub(crate) fn connect(&self, key_groups: u16, notices: &[Sender<Notice>]) -> Connected {
        *self.crew() = Some(Crew { key_groups, notices: notices.to_vec() });
        Connected(self.clone())
    }

    fn crew(&self) -> MutexGuard<'_, Option<Crew>> {
        // It is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job can be asked as long as this lives.
#[derive(Debug)]
pub(crate) struct Connected(Live);

impl Drop for Connected {
    fn drop(&mut self) {
        *self.0.crew() = None;
    }
}

/// A question on its way to a subtask.
#[derive(Clone, Debug)]
pub struct Asked {
    question: Question,
    /// Nobody waits for the answer from then on.
    until: Instant,
    answer: Sender<Result<Vec<Told>, Unanswered>>,
}

impl Asked {
    /// Returns the question, if somebody waits for the answer yet.
    pub(crate) fn in_time(self) -> Option<Self> {
        if Instant::now() < self.until {
            return Some(self);
        }
        let _ = self.answer.send(Err(Unanswered::Late));
        None
    }

    /// Answers with what `states` hold.
    pub(crate) fn answer<S: States>(self, states: &mut S, moment: Moment) {
        let Self { question, answer, .. } = self;
        let told = question.states.iter().map(|_| None).collect();
        let left = question.bytes_max;
        let mut look = Look { question: &question, moment, told, left };
        let told = states.each(&mut look).and_then(|()| look.all());
        // Who asked may wait no longer.
        let _ = answer.send(told);
    }
}

/// Looks for the states of a question.
struct Look<'q> {
    question: &'q Question,
    moment: Moment,
    told: Vec<Option<Told>>,
    left: usize,
}

impl Look<'_> {
    fn all(self) -> Result<Vec<Told>, Unanswered> {
        let named = self.question.states.iter().zip(self.told);
        named.map(|((name, _), told)| told.ok_or_else(|| no_such_state(name))).collect()
    }
}

fn no_such_state(name: &str) -> Unanswered {
    Unanswered::NoSuchState(name.to_owned())
}

impl<E: StateError> Visitor<E> for Look<'_> {
    type Stop = Unanswered;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Unanswered> {
        let Self { question, moment, told, left } = self;
        let description = state.description();
        let wanted = question.states.iter().zip(told);
        for ((_, key), told) in wanted.filter(|((name, _), _)| *name == description.name.as_str()) {
            let (mut rows, mut buffer) = (Rows { bytes: Vec::new(), left }, vec![0; BUFFER_BYTES]);
            let mut out = RowWriter::new(description, &mut rows, &mut buffer);
            let shown =
                state.show(KeyGroup::new(question.group), key.as_deref(), *moment, &mut out);
            shown.and_then(|()| Ok(out.finish()?)).map_err(|error| match error {
                SaveError::Row(EncodeError::Write(OutputFailed)) => Unanswered::TooLarge,
                error => Unanswered::Unread(Box::new(error)),
            })?;
            *told = Some(Told { description: description.clone(), rows: rows.bytes });
        }
        Ok(())
    }
}

/// Takes rows, up to so many bytes.
struct Rows<'l> {
    bytes: Vec<u8>,
    left: &'l mut usize,
}

impl Output for Rows<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<(), OutputFailed> {
        *self.left = self.left.checked_sub(bytes.len()).ok_or(OutputFailed)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// How many bytes of rows are gathered before they are counted.
const BUFFER_BYTES: usize = 4096;
