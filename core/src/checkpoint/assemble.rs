//! Makes the manifest of a checkpoint of what all tasks reported and of what its base holds.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::job::Job;
use super::report::{GroupChange, Report, StateChange, TaskId};
use crate::barrier::Barrier;
use crate::manifest::{
    Chain, FileEntry, Manifest, NativePart, OperatorEntry, Origin, Part, PartShape, StateEntry,
    StateSchema,
};
use crate::planted::planted;
use crate::state::Kind;
use crate::storage::ObjectId;

/// Why the reports do not make a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The operator.
    pub operator: String,
    /// The state.
    pub state: String,
    /// What is wrong.
    pub fault: RefusalFault,
}

/// What is wrong with the reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalFault {
    /// The group stands on a base that it does not have.
    Base(u16),
    /// A part lies in a file, or was written for a checkpoint, that is not of this report.
    File(ObjectId),
    /// Several tasks reported the group (of operator state: the task), or none of those there are.
    Group(u16),
    /// Tasks differ in what the state holds, or it differs from what its base holds.
    Schema,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, state, fault } = self;
        write!(f, "the tasks of operator {operator} report state {state} wrongly: ")?;
        match fault {
            RefusalFault::Base(group) => write!(f, "key group {group} stands on no base"),
            RefusalFault::File(file) => write!(f, "a part lies in {file}, not a file of theirs"),
            RefusalFault::Group(group) => {
                write!(f, "key group {group} is reported by none or by several")
            }
            RefusalFault::Schema => {
                f.write_str("its schemas differ between tasks or from its base")
            }
        }
    }
}

/// Lets the chains of equal copies name the same part, the first one.
fn share_copies(chains: &mut [Chain]) {
    let mut copies = BTreeMap::new();
    for part in chains.iter_mut().flat_map(|chain| &mut chain.parts) {
        if let PartShape::Full { digest } = part.shape {
            *part = *copies.entry((digest, part.rows)).or_insert(*part);
        }
    }
}

/// What a manifest is made of.
pub(super) struct Assembly<'a> {
    pub(super) job: &'a Job,
    pub(super) origin: Origin,
    pub(super) barrier: Barrier,
    pub(super) created_ms: u64,
    pub(super) reports: &'a BTreeMap<TaskId, Report>,
    /// The newest complete checkpoint of the lineage.
    pub(super) newest: Option<&'a Manifest>,
}

impl Assembly<'_> {
    pub(super) fn manifest(&self) -> Result<Manifest, Refusal> {
        let mut operators = Vec::new();
        for (number, shape) in self.job.operators.iter().enumerate() {
            let natives = self.natives(number as u16, &shape.name)?;
            let states = self.states(number as u16, &shape.name, &natives)?;
            let (name, parallelism) = (shape.name.clone(), shape.parallelism);
            operators.push(OperatorEntry { name, parallelism, states, natives });
        }
        let mut counters = BTreeMap::<String, u64>::new();
        for (name, count) in self.reports.values().flat_map(|report| &report.counters) {
            let sum = counters.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        let sources = self.reports.values().flat_map(|report| report.sources.iter().cloned());
        let sinks = self.reports.values().flat_map(|report| report.sinks.iter().cloned());
        Ok(Manifest {
            job: self.job.id,
            id: self.barrier.id,
            kind: self.barrier.kind,
            created_ms: self.created_ms,
            signature: self.job.signature.clone(),
            parent: self.newest.map(|newest| newest.id),
            origin: self.origin,
            depth: self.base().map_or(0, |base| base.depth.saturating_add(1)),
            key_groups: self.job.key_groups,
            hash_function: self.job.hash_function,
            files: self.files(&operators),
            operators,
            sources: sources.collect(),
            sinks: sinks.collect(),
            counters: counters.into_iter().collect(),
        })
    }

    /// Returns the checkpoint that deltas stand on.
    fn base(&self) -> Option<&Manifest> {
        self.newest.filter(|newest| Some(newest.id) == self.barrier.base)
    }

    /// Brings together what the tasks of an operator report.
    fn states(
        &self,
        operator: u16,
        name: &str,
        natives: &[NativePart],
    ) -> Result<Vec<StateEntry>, Refusal> {
        let base = self.base().and_then(|base| base.operator(name));
        let mut states = BTreeMap::<&str, (StateEntry, BTreeSet<u16>)>::new();
        let tasks = self.reports.iter().filter(|(task, _)| task.operator == operator);
        for (_, report) in tasks {
            for change in &report.states {
                let groups = self.groups(operator, &change.schema);
                let place = Place { assembly: self, operator: name, groups, change, natives };
                let (entry, reported) =
                    states.entry(&change.name).or_insert_with(|| (place.entry(), BTreeSet::new()));
                place.add(
                    report,
                    base.and_then(|base| base.state(&change.name)),
                    entry,
                    reported,
                )?;
            }
        }
        let complete = |(_, (mut entry, reported)): (_, (StateEntry, BTreeSet<u16>))| {
            let groups = self.groups(operator, &entry.schema);
            let missing = (0..groups).find(|group| !reported.contains(group));
            if let Some(group) = missing.filter(|_| !planted(8)) {
                let (operator, state) = (String::from(name), entry.name);
                return Err(Refusal { operator, state, fault: RefusalFault::Group(group) });
            }
            entry.chains.sort_by_key(|chain| chain.group);
            if entry.is_broadcast() {
                share_copies(&mut entry.chains);
            }
            Ok(entry)
        };
        states.into_iter().map(complete).collect()
    }

    /// Brings together the native parts of an operator, whose files are those of its tasks or of
    /// the base.
    fn natives(&self, operator: u16, name: &str) -> Result<Vec<NativePart>, Refusal> {
        let base = self.base().map(Manifest::native_files).unwrap_or_default();
        let mut natives = Vec::new();
        for (_, report) in self.reports.iter().filter(|(task, _)| task.operator == operator) {
            for native in &report.natives {
                let is_known = |id: ObjectId| {
                    base.contains(&id) || report.files.iter().any(|file| file.id == id)
                };
                let refusal = |fault| {
                    let state = native.states.first().map(|state| state.name.clone());
                    Refusal { operator: name.into(), state: state.unwrap_or_default(), fault }
                };
                if let Some(file) = native.files.iter().find(|file| !is_known(file.file)) {
                    return Err(refusal(RefusalFault::File(file.file)));
                }
                let groups = usize::from(native.groups.end.saturating_sub(native.groups.start));
                if groups == 0 || native.states.iter().any(|state| state.keys.len() != groups) {
                    return Err(refusal(RefusalFault::Group(native.groups.start)));
                }
                natives.push(native.clone());
            }
        }
        natives.sort_by_key(|native| native.groups.start);
        Ok(natives)
    }

    /// Returns how many groups a state has: as many as there are tasks where it is an operator's.
    fn groups(&self, operator: u16, schema: &StateSchema) -> u16 {
        let shape = self.job.operators.get(usize::from(operator));
        match Kind::from_code(schema.kind) {
            Some(kind) if !kind.is_keyed() => shape.map_or(0, |shape| shape.parallelism),
            _ => self.job.key_groups,
        }
    }

    /// Returns the files that parts lie in.
    fn files(&self, operators: &[OperatorEntry]) -> Vec<FileEntry> {
        let chains = operators.iter().flat_map(|operator| &operator.states);
        let chains = chains.flat_map(|state| &state.chains);
        let mut named: BTreeSet<_> =
            chains.flat_map(|chain| &chain.parts).map(|part| part.file).collect();
        let natives = operators.iter().flat_map(|operator| &operator.natives);
        named.extend(natives.flat_map(|native| &native.files).map(|file| file.file));
        let reported = self.reports.values().flat_map(|report| &report.files);
        let known = reported.chain(self.base().into_iter().flat_map(|base| &base.files));
        let named: BTreeMap<_, _> =
            known.filter(|file| named.contains(&file.id)).map(|file| (file.id, *file)).collect();
        named.into_values().collect()
    }
}

/// One state in one report.
struct Place<'a> {
    assembly: &'a Assembly<'a>,
    operator: &'a str,
    /// How many groups the state has.
    groups: u16,
    change: &'a StateChange,
    natives: &'a [NativePart],
}

impl Place<'_> {
    fn entry(&self) -> StateEntry {
        let StateChange { name, schema, moment, .. } = self.change;
        let (name, schema, chains) = (name.clone(), schema.clone(), Vec::new());
        StateEntry { name, schema, moment: *moment, chains }
    }

    fn add(
        &self,
        report: &Report,
        base: Option<&StateEntry>,
        entry: &mut StateEntry,
        reported: &mut BTreeSet<u16>,
    ) -> Result<(), Refusal> {
        let schema = &self.change.schema;
        if !schema.is_same(&entry.schema) {
            return Err(self.refusal(RefusalFault::Schema));
        }
        entry.moment = entry.moment.earliest(self.change.moment);
        for (group, change) in &self.change.groups {
            if *group >= self.groups || !reported.insert(*group) {
                return Err(self.refusal(RefusalFault::Group(*group)));
            }
            let stands_on_base = match change {
                GroupChange::Empty => continue,
                GroupChange::Native => {
                    self.check_native(*group)?;
                    continue;
                }
                GroupChange::Part(part) => matches!(part.shape, PartShape::Delta { .. }),
                GroupChange::Unchanged => true,
            };
            let mut parts = Vec::new();
            if stands_on_base {
                let operator = self.assembly.base().map(|base| base.operator(self.operator));
                // What is in files of a store is no base of rows.
                let is_native = |operator: &OperatorEntry| operator.native(*group).is_some();
                if operator.is_none_or(|operator| operator.is_some_and(is_native)) {
                    return Err(self.refusal(RefusalFault::Base(*group)));
                }
                if base.is_some_and(|base| !base.schema.is_same(schema)) {
                    return Err(self.refusal(RefusalFault::Schema));
                }
                parts.extend(base.into_iter().flat_map(|base| base.parts(*group)));
            }
            if let GroupChange::Part(part) = change {
                self.check(report, *group, part)?;
                parts.push(*part);
            }
            if !parts.is_empty() {
                entry.chains.push(Chain { group: *group, parts });
            }
        }
        Ok(())
    }

    /// Checks that one native part has the group of the state.
    fn check_native(&self, group: u16) -> Result<(), Refusal> {
        let mut natives = self.natives.iter().filter(|native| native.groups.contains(&group));
        let has_state =
            |native: &NativePart| native.states.iter().any(|state| state.name == self.change.name);
        match (natives.next(), natives.next()) {
            (Some(native), None) if has_state(native) => Ok(()),
            _ => Err(self.refusal(RefusalFault::Group(group))),
        }
    }

    /// Checks that a part was written for this checkpoint, to a file of the report.
    fn check(&self, report: &Report, group: u16, part: &Part) -> Result<(), Refusal> {
        let Barrier { id, base, .. } = self.assembly.barrier;
        if let PartShape::Delta { base: stated } = part.shape
            && Some(stated) != base
        {
            return Err(self.refusal(RefusalFault::Base(group)));
        }
        let file = report.files.iter().find(|file| file.id == part.file);
        let lies_in_it = file.is_some_and(|file| {
            part.offset.checked_add(part.length).is_some_and(|end| end <= file.length)
        });
        let is_own = part.written == id
            && (part.file.checkpoint, part.file.epoch) == (id.checkpoint, id.epoch);
        // With these bugs nobody looks whose file it is.
        let is_own = is_own || planted(9) || planted(14) || planted(15);
        if lies_in_it && is_own { Ok(()) } else { Err(self.refusal(RefusalFault::File(part.file))) }
    }

    fn refusal(&self, fault: RefusalFault) -> Refusal {
        let (operator, state) = (String::from(self.operator), self.change.name.clone());
        Refusal { operator, state, fault }
    }
}
