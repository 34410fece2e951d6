//! Sequences of steps and cuts: a published one that lost data elsewhere, and any others.
#![allow(clippy::unwrap_used)]

mod chip;

use chip::{Chip, Fault, Objects, Random, Torn, objects};
use holdwater::storage::{ObjectId, Storage};
use holdwater_flash::{Flash, FlashError};
use proptest::prelude::*;

const PAGES: usize = 16;

fn open<const WORD: usize, const PAGE: usize>(
    chip: Chip<WORD, 1, PAGE>,
) -> Flash<Chip<WORD, 1, PAGE>, PAGES> {
    Flash::open(chip).unwrap()
}

fn store<S: Storage>(storage: &mut S, id: ObjectId, content: &[u8]) -> Result<(), ()> {
    let mut file = storage.create(id).map_err(drop)?;
    storage.write(&mut file, content).map_err(drop)?;
    storage.sync(file).map_err(drop)
}

/// Issue 136 of sequential-storage: the power is cut a few bytes into the header of an item, then
/// into that of the next. An item stored after that is acknowledged, and gone at the next start.
/// It takes data that is random to see it.
#[test]
fn what_is_stored_after_two_cuts_a_few_bytes_into_a_header_is_there_at_the_next_start() {
    let mut random = Random::new(136);
    for first in 0..=80 {
        for second in [0, 1, 6, 7, 8, 9, 63, 64, 65, 71, 72, 80] {
            for torn in Torn::ALL {
                let mut chip = Chip::<1, 1, 256>::new(4, random.next());
                for (epoch, cut) in [(1, first), (2, second)] {
                    // The erase of the page is in front.
                    let mut flash = open(chip.cut_after(256 + cut, torn, random.next()));
                    let _ = store(&mut flash, ObjectId::claim(epoch), &random.bytes(8));
                    chip = flash.into_inner().on();
                }
                let mut flash = open(chip);
                let before = objects(&mut flash);
                let (id, item) = (ObjectId::claim(3), random.bytes(8));
                store(&mut flash, id, &item).unwrap();
                let mut flash = open(flash.into_inner());
                let mut after = before.clone();
                after.insert(id, item);
                assert_eq!(objects(&mut flash), after, "cuts after {first} and {second}, {torn:?}");
            }
        }
    }
}

/// What a program does with a region, and where the power is cut in it.
#[derive(Clone, Debug)]
struct Action {
    what: What,
    cut: Option<(u64, usize)>,
}

#[derive(Clone, Debug)]
enum What {
    Abandon(u64, usize),
    Publish(u64),
    Remove(u64, u8),
    Store(u64, u8, usize),
}

/// Returns one of the objects of a number.
const fn id(number: u64, kind: u8) -> ObjectId {
    match kind {
        0 => ObjectId::data(number, 1, 0, 0),
        1 => ObjectId::draft(number, 1),
        2 => ObjectId::manifest(number, 1),
        _ => ObjectId::claim(number),
    }
}

impl What {
    /// Does it; whether it was done, is not done, or nobody knows.
    fn run<S: Storage>(&self, storage: &mut S, content: &[u8]) -> Result<(), ()> {
        match *self {
            Self::Abandon(number, length) => {
                let mut file = storage.create(id(number, 0)).map_err(drop)?;
                storage.write(&mut file, &content[..length]).map_err(drop)?;
                drop(file);
                storage.remove(id(number, 0)).map_err(drop)
            }
            Self::Publish(number) => storage.publish(id(number, 1), id(number, 2)).map_err(drop),
            Self::Remove(number, kind) => storage.remove(id(number, kind)).map_err(drop),
            Self::Store(number, kind, length) => {
                store(storage, id(number, kind), &content[..length])
            }
        }
    }

    /// Does it to what there should be; returns whether there is anything to do.
    fn apply(&self, objects: &mut Objects, content: &[u8]) -> bool {
        match *self {
            Self::Abandon(number, _) => !objects.contains_key(&id(number, 0)),
            Self::Publish(number) => {
                let is_free = !objects.contains_key(&id(number, 2));
                let draft = is_free.then(|| objects.remove(&id(number, 1))).flatten();
                draft.is_some_and(|content| objects.insert(id(number, 2), content).is_none())
            }
            Self::Remove(number, kind) => {
                objects.remove(&id(number, kind));
                true
            }
            Self::Store(number, kind, length) => {
                let is_free = !objects.contains_key(&id(number, kind));
                if is_free {
                    objects.insert(id(number, kind), content[..length].to_vec());
                }
                is_free
            }
        }
    }
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let what = prop_oneof![
        2 => (0..4u64, 0..600usize).prop_map(|(number, length)| What::Abandon(number, length)),
        4 => (0..4u64).prop_map(What::Publish),
        4 => (0..4u64, 0..4u8).prop_map(|(number, kind)| What::Remove(number, kind)),
        8 => (0..4u64, prop_oneof![Just(0u8), Just(1), Just(3)], 0..600usize)
            .prop_map(|(number, kind, length)| What::Store(number, kind, length)),
    ];
    let cut = prop::option::weighted(0.5, (0..1500u64, 0..Torn::ALL.len()));
    prop::collection::vec((what, cut).prop_map(|(what, cut)| Action { what, cut }), 1..25)
}

/// Carries out actions, starts again after each cut, and compares with what there should be.
fn check<const WORD: usize, const PAGE: usize>(
    mut chip: Chip<WORD, 1, PAGE>,
    actions: &[Action],
    seed: u64,
) {
    let mut random = Random::new(seed);
    let mut sure = Objects::new();
    for Action { what, cut } in actions {
        let content = random.bytes(600);
        if let Some((steps, torn)) = cut {
            chip = chip.cut_after(*steps, Torn::ALL[*torn], random.next());
        }
        // The cut may come while it is settled what an earlier one left.
        let mut flash = match Flash::<_, PAGES>::open(&mut chip) {
            Ok(flash) => flash,
            Err(FlashError::Driver(_)) => {
                chip = chip.on();
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let before = objects(&mut flash);
        assert_eq!(before, sure, "{what:?}: what there is before");
        let mut after = before.clone();
        let may = what.apply(&mut after, &content);
        let outcome = what.run(&mut flash, &content);
        let is_full = flash.free_pages().0 < 6;
        chip = chip.on();
        let mut flash = open(chip);
        let found = objects(&mut flash);
        match (outcome, what) {
            (Ok(()), _) => assert!(may && found == after, "{what:?}: it was done"),
            // Until it is removed, what is left of it may be anything.
            (Err(()), What::Remove(number, kind)) => {
                flash.remove(id(*number, *kind)).unwrap();
                assert_eq!(objects(&mut flash), after, "{what:?}: done after all");
                chip = flash.into_inner();
                sure = after;
                continue;
            }
            (Err(()), _) => {
                assert!(found == before || found == after, "{what:?}: {found:?}");
                assert!(!may || cut.is_some() || is_full, "{what:?}: why was it not done?");
            }
        }
        sure = found;
        chip = flash.into_inner();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_steps_and_cuts_leave_what_was_acknowledged(
        actions in actions(),
        seed in any::<u64>(),
    ) {
        check(Chip::<4, 1, 256>::new(PAGES, seed), &actions, seed);
        check(Chip::<16, 1, 512>::new(PAGES, seed), &actions, seed);
    }

    #[test]
    fn bad_pages_change_nothing_of_that(
        actions in actions(),
        seed in any::<u64>(),
        bad in prop::collection::vec((0..PAGES, 0..5usize, 0..512usize), 0..4),
    ) {
        let mut chip = Chip::<8, 1, 512>::new(PAGES, seed);
        for (page, fault, place) in bad {
            let fault = [
                Fault::NoErase,
                Fault::NoProgram,
                Fault::Refuses,
                Fault::Stuck(place),
                Fault::WearsOut(place as u32 % 8),
            ][fault];
            chip = chip.with_fault(page, fault);
        }
        check(chip, &actions, seed);
    }
}
