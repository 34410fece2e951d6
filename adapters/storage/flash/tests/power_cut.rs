//! The power is cut at every byte of every program and every erase: what was there stays, what was
//! being done is done or not, and whichever it is, it is so each time.
#![allow(clippy::unwrap_used)]

mod chip;

use chip::{Chip, Objects, Random, Torn, objects};
use holdwater::storage::{ObjectId, Storage};
use holdwater_flash::Flash;

const PAGES: usize = 8;

/// A step of a storage, whole.
#[derive(Clone, Debug)]
enum Step {
    Publish(ObjectId, ObjectId),
    Remove(ObjectId),
    Store(ObjectId, Vec<u8>),
}

impl Step {
    /// Carries it out; fails once the power is cut.
    fn run<S: Storage>(&self, storage: &mut S) -> Result<(), ()> {
        match self {
            Self::Publish(draft, id) => storage.publish(*draft, *id).map_err(drop),
            Self::Remove(id) => storage.remove(*id).map_err(drop),
            Self::Store(id, content) => {
                let mut file = storage.create(*id).map_err(drop)?;
                for piece in content.chunks(100) {
                    storage.write(&mut file, piece).map_err(drop)?;
                }
                storage.sync(file).map_err(drop)
            }
        }
    }

    /// Carries it out on what there should be.
    fn apply(&self, objects: &mut Objects) {
        match self {
            Self::Publish(draft, id) => {
                let content = objects.remove(draft).unwrap();
                objects.insert(*id, content);
            }
            Self::Remove(id) => _ = objects.remove(id),
            Self::Store(id, content) => _ = objects.insert(*id, content.clone()),
        }
    }
}

fn open<const WORD: usize, const READ: usize, const PAGE: usize>(
    chip: Chip<WORD, READ, PAGE>,
) -> Flash<Chip<WORD, READ, PAGE>, PAGES> {
    Flash::open(chip).unwrap()
}

/// Steps of a job: each kind of object, of one page and of several.
fn steps(random: &mut Random, payload: usize) -> Vec<Step> {
    let mut content = |length| random.bytes(length);
    let (draft, manifest) = (ObjectId::draft(1, 1), ObjectId::manifest(1, 1));
    vec![
        Step::Store(ObjectId::claim(1), content(8)),
        Step::Store(ObjectId::data(1, 1, 0, 0), content(payload + 5)),
        Step::Store(draft, content(2 * payload)),
        Step::Publish(draft, manifest),
        Step::Store(ObjectId::record(1), Vec::new()),
        Step::Remove(ObjectId::data(1, 1, 0, 0)),
        Step::Remove(manifest),
    ]
}

/// Cuts the power at every byte of each step, in so many ways.
fn cut_everywhere<const WORD: usize, const READ: usize, const PAGE: usize>(ways: usize) {
    let mut random = Random::new(WORD as u64);
    let mut chip = Chip::<WORD, READ, PAGE>::new(PAGES, 5);
    let mut before = Objects::new();
    for step in steps(&mut random, PAGE - 64 - 3 * WORD.max(16)) {
        let mut after = before.clone();
        step.apply(&mut after);
        for way in 0..ways {
            for cut in 0.. {
                let torn = Torn::ALL[(way + cut as usize) % Torn::ALL.len()];
                // The region is opened first: what follows cuts the step alone.
                let whole = chip.clone().cut_after(cut, torn, cut);
                let mut flash = open(whole);
                let is_done = step.run(&mut flash).is_ok();
                let chip = flash.into_inner();
                if !chip.is_off() {
                    assert!(is_done);
                    break;
                }
                let context = format!("{step:?} cut at {cut}, {torn:?}");
                go_on(chip, &step, [if is_done { &after } else { &before }, &after], &context);
            }
        }
        let mut flash = open(chip);
        step.run(&mut flash).unwrap();
        (chip, before) = (flash.into_inner(), after);
    }
}

/// Switches on after a cut: one of the two is there, and stays; then the step can be done.
fn go_on<const WORD: usize, const READ: usize, const PAGE: usize>(
    chip: Chip<WORD, READ, PAGE>,
    step: &Step,
    [before, after]: [&Objects; 2],
    context: &str,
) {
    let mut flash = open(chip.on());
    let mut found = objects(&mut flash);
    if let Step::Remove(id) = step {
        // Nobody relies on it any more, until it is removed.
        Step::Remove(*id).run(&mut flash).unwrap();
        found = objects(&mut flash);
        assert_eq!(found, *after, "{context}");
    }
    assert!(found == *before || found == *after, "{context}: {found:?}");
    for _ in 0..2 {
        flash = open(flash.into_inner().on());
        assert_eq!(objects(&mut flash), found, "{context}: at the next start");
    }
    if found != *after {
        step.run(&mut flash).unwrap();
    }
    flash = open(flash.into_inner().on());
    assert_eq!(objects(&mut flash), *after, "{context}: once it was done");
}

#[test]
fn a_cut_at_any_byte_leaves_what_was_and_does_or_does_not_what_was_being_done() {
    cut_everywhere::<4, 1, 256>(Torn::ALL.len());
    cut_everywhere::<1, 1, 256>(1);
    cut_everywhere::<8, 4, 512>(1);
    cut_everywhere::<16, 16, 256>(1);
    cut_everywhere::<64, 64, 320>(1);
}

/// Two cuts: the first one at each byte, the second one at some bytes of going on after it, others
/// each time.
fn cut_twice<const WORD: usize, const READ: usize, const PAGE: usize>(step: &Step, given: &[Step]) {
    let (mut flash, mut before) = (open(Chip::<WORD, READ, PAGE>::new(PAGES, 9)), Objects::new());
    for step in given {
        step.run(&mut flash).unwrap();
        step.apply(&mut before);
    }
    let mut after = before.clone();
    step.apply(&mut after);
    let chip = flash.into_inner();
    let mut random = Random::new(77);
    for first in 0.. {
        let torn = Torn::ALL[random.below(Torn::ALL.len())];
        let mut flash = open(chip.clone().cut_after(first, torn, random.next()));
        let is_done = step.run(&mut flash).is_ok();
        let chip = flash.into_inner();
        if !chip.is_off() {
            break;
        }
        let (chip, sure) = (chip.on(), if is_done { &after } else { &before });
        for second in (first % 53..).step_by(53) {
            let torn = Torn::ALL[random.below(Torn::ALL.len())];
            let cut = chip.clone().cut_after(second, torn, random.next());
            let context = format!("{step:?}, cut at {first} and {second}");
            let chip = match Flash::<_, PAGES>::open(cut.clone()) {
                Ok(mut flash) => {
                    // What the first cut left is what the second one may not touch.
                    let found = objects(&mut flash);
                    let is_there = found == after || step.run(&mut flash).is_ok();
                    let chip = flash.into_inner();
                    let sure = if is_there { &after } else { sure };
                    assert!(found == *sure || found == after || is_there, "{context}");
                    let is_through = !chip.is_off();
                    go_on(chip, step, [sure, &after], &context);
                    if is_through {
                        break;
                    }
                    continue;
                }
                // What was settled by then is lost with the region; the chip is found again.
                Err(_) => settle_again(cut),
            };
            go_on(chip, step, [&before, &after], &context);
        }
    }
}

/// Opens a region on a chip that outlives it, so that the chip is there when that fails.
fn settle_again<const WORD: usize, const READ: usize, const PAGE: usize>(
    mut chip: Chip<WORD, READ, PAGE>,
) -> Chip<WORD, READ, PAGE> {
    let opened = Flash::<_, PAGES>::open(&mut chip).map(drop);
    assert!(opened.is_err() && chip.is_off());
    chip
}

#[test]
fn two_cuts_in_one_step_lose_nothing() {
    let mut random = Random::new(3);
    let (draft, manifest) = (ObjectId::draft(2, 1), ObjectId::manifest(2, 1));
    let claim = Step::Store(ObjectId::claim(1), random.bytes(8));
    let drafted = Step::Store(draft, random.bytes(200));
    let published = Step::Publish(draft, manifest);
    cut_twice::<4, 4, 256>(&drafted, std::slice::from_ref(&claim));
    cut_twice::<4, 1, 256>(&published, &[claim.clone(), drafted.clone()]);
    cut_twice::<16, 1, 256>(&published, &[drafted, claim]);
}
