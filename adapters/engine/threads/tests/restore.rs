//! What a job goes on from: damaged checkpoints, other places, other jobs.

#![allow(clippy::unwrap_used)]

mod world;

use std::num::NonZero;
use std::sync::Arc;

use holdwater::checkpoint::RecoveryError;
use holdwater::checkpoint::RestorePolicy;
use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, Manifest, PartShape};
use holdwater::rescale::Misfit;
use holdwater::state::Backend;
use holdwater::storage::{Area, Storage};
use holdwater_bytes::Bytes;
use holdwater_memory::Memory;
use holdwater_threads::{
    Checkpoints, EngineError, Operator, Outputs, Start, Subtask, Summary, run,
};
use world::{Broken, Figure, Manner, Outside, Row, Rows, Shared, Witness, counting, damage};
use world::{damage_newest, every, figures, job, newest, rows, sorted};

/// Runs a job over one input, and returns its output with how it went.
fn run_over(
    input: &Arc<Vec<Row>>,
    manner: Manner,
    checkpoints: Checkpoints<Memory>,
) -> (Result<Summary, EngineError>, Witness, Vec<Figure>) {
    let (shared, outside, mut witness) =
        (Shared::default(), Outside::default(), Witness::default());
    let sources = vec![Rows::new(input, manner, &shared)];
    let job = job(sources, counting(&shared), &outside, Some(checkpoints), 2);
    let ended = run(job, &mut witness);
    (ended, witness, sorted(outside.rows()))
}

/// Returns a storage with several checkpoints of a job that was cut off.
fn cut_off(input: &Arc<Vec<Row>>, full_every: u32) -> (Memory, Vec<CheckpointId>) {
    let memory = Memory::default();
    let mut checkpoints = every(400, &memory);
    checkpoints.full_every = NonZero::new(full_every).unwrap();
    checkpoints.retain = NonZero::new(100).unwrap();
    let (ended, witness, _) = run_over(input, Manner::Paced(500), checkpoints);
    ended.unwrap();
    (memory, witness.completed.iter().map(|completed| completed.id).collect())
}

fn read_manifest(memory: &mut Memory, id: CheckpointId) -> Manifest {
    let mut bytes = vec![0; memory.length(id.manifest()).unwrap() as usize];
    memory.read(id.manifest(), 0, &mut bytes).unwrap();
    Manifest::from_file(id, &bytes).unwrap()
}

#[test]
fn a_damaged_file_leads_to_the_checkpoint_before_it_and_is_named() {
    let input = rows(1, 3_000);
    let (mut memory, ids) = cut_off(&input, 1);
    let [.., before, last] = ids[..] else { panic!("several checkpoints") };
    let file = damage_newest(&mut memory);
    let (ended, witness, output) = run_over(&input, Manner::Plain, every(10_000, &memory));
    assert_eq!(ended.unwrap().restored, Some(before));
    assert_eq!(output, figures(&[&input]));
    let [skipped] = &witness.skipped[..] else { panic!("{:?}", witness.skipped) };
    let start = format!("checkpoint {last} is passed over: {file}, part of state ");
    assert!(skipped.starts_with(&start) && skipped.contains(" at byte "), "{skipped}");
}

#[test]
fn a_missing_file_is_damage_too() {
    let input = rows(1, 3_000);
    let (mut memory, ids) = cut_off(&input, 1);
    let file = newest(&mut memory);
    memory.remove(file).unwrap();
    let (ended, witness, output) = run_over(&input, Manner::Plain, every(10_000, &memory));
    assert_eq!(ended.unwrap().restored, Some(ids[ids.len() - 2]));
    assert_eq!(output, figures(&[&input]));
    assert!(witness.skipped[0].ends_with(&format!("{file} is missing")), "{:?}", witness.skipped);
}

#[test]
fn a_file_that_is_sound_but_not_the_one_that_was_written_is_damage() {
    let input = rows(1, 3_000);
    let (mut memory, ids) = cut_off(&input, 1);
    let (target, mut other) = (newest(&mut memory), cut_off(&rows(2, 9_000), 1).0);
    // The same name, the same job, other rows.
    let mut bytes = vec![0; other.length(target).unwrap() as usize];
    other.read(target, 0, &mut bytes).unwrap();
    memory.remove(target).unwrap();
    let mut file = memory.create(target).unwrap();
    memory.write(&mut file, &bytes).unwrap();
    let (ended, witness, output) = run_over(&input, Manner::Plain, every(10_000, &memory));
    assert_eq!(ended.unwrap().restored, Some(ids[ids.len() - 2]));
    assert_eq!(output, figures(&[&input]));
    let found = "header, table and seal: identity mismatch";
    assert!(witness.skipped[0].contains(found), "{:?}", witness.skipped);
}

#[test]
fn a_job_may_be_told_to_use_no_older_checkpoint() {
    let input = rows(1, 3_000);
    let (mut memory, ids) = cut_off(&input, 1);
    damage_newest(&mut memory);
    let checkpoints = Checkpoints { policy: RestorePolicy::Fail, ..every(10_000, &memory) };
    let (ended, ..) = run_over(&input, Manner::Plain, checkpoints);
    assert!(matches!(ended, Err(EngineError::Damaged(skipped)) if Some(&skipped.id) == ids.last()));
}

#[test]
fn a_damaged_group_may_be_left_out_and_the_next_checkpoint_is_full() {
    let input = rows(1, 6_000);
    let (mut memory, ids) = cut_off(&input, 100);
    let last = *ids.last().unwrap();
    let manifest = read_manifest(&mut memory, last);
    assert!(manifest.depth > 0, "it stands on others");
    let chain = &manifest.operator("count").unwrap().state("count").unwrap().chains[3];
    let (group, part) = (chain.group, *chain.parts.last().unwrap());
    damage(&mut memory, part.file, part.offset + part.length - 1);

    let skipping = Checkpoints { policy: RestorePolicy::SkipGroup, ..every(100_000, &memory) };
    let (ended, witness, output) = run_over(&input, Manner::Plain, skipping);
    let summary = ended.unwrap();
    assert_eq!(summary.restored, Some(last));
    let [skipped] = &summary.skipped[..] else { panic!("{:?}", summary.skipped) };
    assert_eq!((skipped.state.as_str(), skipped.group), ("count", group));
    assert_eq!((skipped.damage.file, witness.skipped), (part.file, vec![skipped.to_string()]));
    // The whole input was read before: keys of that group have no count, all others theirs.
    let groups = KeyGroups::all(128);
    let mut due = figures(&[&input]);
    let all = due.len();
    due.retain(|figure| groups.locate::<u64>(figure.0).group().index() != group);
    assert!(!due.is_empty() && due.len() < all);
    assert_eq!(output, due);

    let newest = summary.newest.unwrap();
    assert_eq!(read_manifest(&mut memory, newest).depth, 0, "it is full");
    let checkpoints = Checkpoints { policy: RestorePolicy::Fail, ..every(100_000, &memory) };
    let (ended, _, again) = run_over(&input, Manner::Plain, checkpoints);
    assert_eq!((ended.unwrap().restored, again), (Some(newest), output));
}

#[test]
fn without_an_intact_checkpoint_nothing_is_begun() {
    let input = rows(1, 3_000);
    let (mut memory, _) = cut_off(&input, 1);
    let mut files = Vec::new();
    memory.list(Area::Data, &mut |id| files.push(id)).unwrap();
    for file in files {
        memory.remove(file).unwrap();
    }
    for _ in 0..2 {
        let (ended, witness, output) = run_over(&input, Manner::Plain, every(10_000, &memory));
        let Err(EngineError::Recovery { recovery: RecoveryError::NoneIntact(skipped), .. }) = ended
        else {
            panic!("{ended:?}");
        };
        assert_eq!(skipped.len(), witness.skipped.len());
        assert_eq!(output, []);
    }
    let checkpoints = Checkpoints { start: Start::Fresh, ..every(10_000, &memory) };
    let (ended, _, output) = run_over(&input, Manner::Plain, checkpoints);
    assert_eq!((ended.unwrap().restored, output), (None, figures(&[&input])));
}

#[test]
fn what_has_not_changed_since_the_last_checkpoint_is_not_written_again() {
    let (mut input, mut memory) = (rows(1, 3_000).to_vec(), Memory::default());
    run_over(&Arc::new(input.clone()), Manner::Plain, every(10_000, &memory)).0.unwrap();
    // One row at a time: the first on what was restored, the others on what this run wrote.
    input.extend([(5, 1), (5, 2), (5, 3)]);
    let (ended, witness, _) = run_over(&Arc::new(input), Manner::Paced(1), every(1, &memory));
    ended.unwrap();
    assert_eq!(witness.completed.len(), 3);
    for completed in witness.completed {
        let manifest = read_manifest(&mut memory, completed.id);
        let chains = manifest.operators.iter().flat_map(|operator| &operator.states);
        let parts = chains.flat_map(|state| &state.chains).flat_map(|chain| &chain.parts);
        let own: Vec<_> = parts.filter(|part| part.written == completed.id).collect();
        assert_eq!(own.len(), 3, "one group of each state");
        assert!(own.iter().all(|part| matches!(part.shape, PartShape::Delta { .. })));
    }
}

#[test]
fn deltas_are_restored_on_their_bases() {
    let input = rows(1, 6_000);
    let (mut memory, ids) = cut_off(&input, 4);
    let depths: Vec<_> =
        ids[ids.len() - 3..].iter().map(|id| read_manifest(&mut memory, *id).depth).collect();
    assert!(depths.iter().any(|depth| *depth > 0), "{depths:?}");
    let (ended, witness, output) = run_over(&input, Manner::Plain, every(10_000, &memory));
    assert_eq!((ended.unwrap().restored.as_ref(), output), (ids.last(), figures(&[&input])));
    assert_eq!(witness.skipped, [""; 0]);
}

#[test]
fn a_job_goes_on_from_a_checkpoint_of_its_directory_or_of_another() {
    let input = rows(1, 3_000);
    let (mut memory, ids) = cut_off(&input, 1);
    let id = ids[0];
    let manifest = Box::new(read_manifest(&mut memory, id));
    let other = Memory::default();
    let import = Start::Import { manifest, storage: memory.clone() };
    for (storage, start) in [(other, import), (memory, Start::From(id))] {
        let checkpoints = || Checkpoints { start: start.clone(), ..every(10_000, &storage) };
        let (ended, _, output) = run_over(&input, Manner::Plain, checkpoints());
        let summary = ended.unwrap();
        assert_eq!((summary.restored, summary.checkpoints), (Some(id), 1));
        assert_eq!(output, figures(&[&input]));
        // By now there is one that descends from it.
        let (again, ..) = run_over(&input, Manner::Plain, checkpoints());
        assert_eq!(again.unwrap().restored, summary.newest);
    }
}

#[test]
fn a_checkpoint_of_another_job_is_refused() {
    let input = rows(1, 1_000);
    let (memory, ids) = cut_off(&input, 1);
    let another = Checkpoints { job: 8, signature: b"sum".to_vec(), ..every(500, &memory) };
    let same_number = Checkpoints { job: 7, ..another.clone() };
    for checkpoints in [another, same_number] {
        let (ended, ..) = run_over(&input, Manner::Plain, checkpoints);
        assert!(matches!(ended, Err(EngineError::OtherJob { id, signature })
            if Some(&id) == ids.last() && signature == b"count"));
    }
}

#[test]
fn a_job_of_another_shape_is_refused() {
    let (input, shared) = (rows(1, 1_000), Shared::default());
    let (memory, ids) = cut_off(&input, 1);
    for (inputs, groups, parallelism, expected) in [
        (2, None, 1, Misfit::Inputs { stored: 1, inputs: 2 }),
        (1, Some(64), 1, Misfit::KeyGroups { stored: 128, asked: 64 }),
        (1, None, 129, Misfit::Parallelism { key_groups: 128, parallelism: 129 }),
    ] {
        let sources = (0..inputs).map(|_| Rows::new(&input, Manner::Plain, &shared)).collect();
        let checkpoints = Some(every(500, &memory));
        let mut job =
            job(sources, counting(&shared), &Outside::default(), checkpoints, parallelism);
        job.options.key_groups = groups;
        let ended = run(job, &mut ());
        assert!(matches!(ended, Err(EngineError::Misfit { id, misfit })
            if id.as_ref() == ids.last() && misfit == expected));
    }
}

#[test]
fn an_input_that_is_shorter_than_it_was_is_refused() {
    let input = rows(1, 3_000);
    let (memory, _) = cut_off(&input, 1);
    let shorter = Arc::new(input[..100].to_vec());
    let (ended, ..) = run_over(&shorter, Manner::Plain, every(500, &memory));
    assert!(matches!(ended, Err(EngineError::Source { error, .. })
        if error.downcast_ref() == Some(&Broken("the input is shorter"))));
}

holdwater::states! {
    /// Fewer states than before, and one of another kind.
    pub struct Fewer<B> {
        most: List<u64, i64>,
    }
}

struct Other<B: Backend>(Fewer<B>);

impl<B: Backend + 'static> Operator for Other<B> {
    type Batch = Vec<Row>;
    type Output = Vec<Figure>;
    type States = Fewer<B>;
    type Error = Broken;

    fn process(
        &mut self,
        _: usize,
        _: Vec<Row>,
        _: &mut Outputs<Vec<Figure>>,
    ) -> Result<(), Broken> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Outputs<Vec<Figure>>) -> Result<(), Broken> {
        Ok(())
    }

    fn states(&mut self) -> &mut Fewer<B> {
        &mut self.0
    }
}

#[test]
fn a_state_of_another_kind_is_refused() {
    let (input, shared) = (rows(1, 1_000), Shared::default());
    let (memory, _) = cut_off(&input, 1);
    let make =
        |subtask: Subtask| Ok(Other(Fewer::open(&mut Bytes::in_memory(subtask.groups)).unwrap()));
    let sources = vec![Rows::new(&input, Manner::Plain, &shared)];
    let job = job(sources, make, &Outside::default(), Some(every(500, &memory)), 2);
    let error = run(job, &mut ()).unwrap_err();
    assert!(matches!(&error, EngineError::OtherKind { state, .. } if state == "most"), "{error}");
}
