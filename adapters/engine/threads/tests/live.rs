//! What a running job tells of its states to those who ask.

#![allow(clippy::unwrap_used)]

mod world;

use std::thread;
use std::time::Duration;

use holdwater::key::KeyGroups;
use holdwater_heap::Heap;
use holdwater_memory::Memory;
use holdwater_threads::{
    Checkpoints, KEY_GROUPS, Live, Operator, Outputs, Question, Stop, Subtask, Told, Unanswered,
    run,
};
use world::{
    Broken, Count, Figure, Figures, Manner, Outside, Row, Rows, Shared, counting_on_heap, job, rows,
};

/// As long as a test may wait.
const PATIENCE: Duration = Duration::from_secs(600);

/// Stops a job when the thread that asks it is over, however it ends.
struct Stopping(Stop);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn group_of(key: u64) -> u16 {
    KeyGroups::all(KEY_GROUPS).locate::<u64>(key).group().index()
}

/// Asks two states for the rows of a key.
fn ask(live: &Live, key: u64, patience: Duration) -> Result<Vec<Told>, Unanswered> {
    let bytes = Some(key.to_le_bytes().to_vec());
    let states = vec![("count".to_owned(), bytes.clone()), ("most".to_owned(), bytes)];
    live.ask(Question { group: group_of(key), states, bytes_max: 1 << 20 }, patience)
}

/// Reads rows of a key and a value of eight bytes each.
fn pairs(told: &Told) -> Vec<(u64, i64)> {
    let (mut pairs, mut rest) = (Vec::new(), &told.rows[..]);
    while let [1, low, high, tail @ ..] = rest {
        let (rows, tail) = tail.split_at(16 * usize::from(u16::from_le_bytes([*low, *high])));
        let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().unwrap());
        pairs.extend(rows.chunks(16).map(|row| (number(&row[..8]) as u64, number(&row[8..]))));
        rest = tail;
    }
    assert_eq!(rest, [0]);
    pairs
}

#[test]
fn a_running_job_tells_what_no_checkpoint_has_yet() {
    let left = rows(1, 3_000);
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = vec![Rows::new(&left, Manner::Silent(left.len()), &shared)];
    let none = None::<Checkpoints<Memory>>;
    let job = job(sources, counting_on_heap(&shared), &outside, none, 2);
    let (live, stopping) = (job.options.live.clone(), Stopping(job.options.stop.clone()));
    assert!(matches!(ask(&live, 5, PATIENCE), Err(Unanswered::NotRunning)));
    let (asked, expected) = (live.clone(), left.clone());
    let asker = thread::spawn(move || {
        let own = |key| expected.iter().filter(move |row| row.0 == key).map(|row| row.1);
        for key in 0..97 {
            // What is still on its way is counted later, and never is a count taken back.
            let mut before = 0;
            loop {
                let told = match ask(&asked, key, PATIENCE) {
                    // The job is about to begin.
                    Err(Unanswered::NotRunning) => continue,
                    told => told.unwrap(),
                };
                let [count, most] =
                    [&told[0], &told[1]].map(pairs).map(|rows| rows.first().copied());
                assert_eq!(count.is_some(), most.is_some(), "both are of one moment");
                let Some(((_, count), (_, most))) = count.zip(most) else { continue };
                assert!(count >= before);
                before = count;
                let most_of = own(key).take(count as usize).max();
                assert_eq!(Some(most), most_of, "of {count} rows of {key}");
                if count as usize == own(key).count() {
                    break;
                }
            }
        }
        // A whole group, a key that is not there, what there is not, and what is too much.
        let question = |state: &str, key, bytes_max| {
            let states = vec![(state.to_owned(), key)];
            asked.ask(Question { group: group_of(5), states, bytes_max }, PATIENCE)
        };
        let all: Vec<_> = (0..97).filter(|key| group_of(*key) == group_of(5)).collect();
        let mut found = pairs(&question("count", None, 1 << 20).unwrap()[0]);
        found.sort_unstable();
        assert_eq!(
            found,
            all.iter().map(|key| (*key, own(*key).count() as i64)).collect::<Vec<_>>()
        );
        let none = question("count", Some(vec![255; 8]), 1 << 20).unwrap();
        assert_eq!(pairs(&none[0]), []);
        let named = question("sum", None, 1 << 20).unwrap_err();
        assert_eq!(named.to_string(), "the job has no state sum");
        assert!(matches!(question("seen", None, 10), Err(Unanswered::TooLarge)));
        assert!(matches!(ask(&asked, 5, Duration::ZERO), Err(Unanswered::Late)));
        drop(stopping);
    });
    run(job, &mut ()).unwrap();
    asker.join().unwrap();
    assert!(matches!(ask(&live, 5, PATIENCE), Err(Unanswered::NotRunning)));
}

/// Counts nothing before it has to settle.
struct Late {
    count: Count<Heap>,
    kept: Vec<(usize, Vec<Row>)>,
}

impl Operator for Late {
    type Batch = Vec<Row>;
    type Output = Vec<Figure>;
    type States = Figures<Heap>;
    type Error = Broken;

    fn process(
        &mut self,
        source: usize,
        batch: Vec<Row>,
        _: &mut Outputs<Vec<Figure>>,
    ) -> Result<(), Broken> {
        self.kept.push((source, batch));
        Ok(())
    }

    fn settle(&mut self, outputs: &mut Outputs<Vec<Figure>>) -> Result<(), Broken> {
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        kept.try_for_each(|(source, batch)| self.count.process(source, batch, outputs))
    }

    fn finish(&mut self, outputs: &mut Outputs<Vec<Figure>>) -> Result<(), Broken> {
        self.settle(outputs)?;
        self.count.finish(outputs)
    }

    fn states(&mut self) -> &mut Figures<Heap> {
        self.count.states()
    }
}

#[test]
fn what_an_operator_keeps_beside_its_states_is_settled_before_it_is_told() {
    let left = rows(1, 640);
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = vec![Rows::new(&left, Manner::Silent(left.len()), &shared)];
    let make = |subtask: Subtask| {
        let count = Count::new(Heap::new(subtask.groups), &shared);
        Ok::<_, Broken>(Late { count, kept: Vec::new() })
    };
    let job = job(sources, make, &outside, None::<Checkpoints<Memory>>, 1);
    let (live, stopping) = (job.options.live.clone(), Stopping(job.options.stop.clone()));
    let asker = thread::spawn(move || {
        let of_key = |key| {
            let told = ask(&live, key, PATIENCE);
            told.map_or(0, |told| pairs(&told[0]).iter().map(|row| row.1).sum())
        };
        while (0..97).map(of_key).sum::<i64>() < 640 {}
        drop(stopping);
    });
    run(job, &mut ()).unwrap();
    asker.join().unwrap();
}
