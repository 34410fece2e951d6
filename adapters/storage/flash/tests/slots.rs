//! The snapshots of a job of one task, in memory that is known before it starts.
#![allow(clippy::result_large_err, reason = "there is no allocator to box an error with")]
#![allow(clippy::unwrap_used)]

mod chip;

use chip::{Chip, Fault, Random, Torn};
use holdwater::key::KeyGroups;
use holdwater::snapshot::{Owner, Workspace};
use holdwater::state::{Backend, Value};
use holdwater_fixed::{Fixed, FixedError};
use holdwater_flash::{Damage, FlashError, Restored, SlotError, Slots};
use holdwater_heap::Heap;

const GROUPS: KeyGroups = KeyGroups::all(2);
const OWNER: Owner<'static> = Owner { job: 7, operator: "meters", groups: GROUPS };
const PAGES: usize = 10;
/// What a snapshot of all meters takes.
const SNAPSHOT_PAGES: usize = 3;

type Nor = Chip<4, 1, 512>;
type Work = Workspace<512, 4>;

holdwater::states! {
    struct Meters<B> {
        total: Value<u32, u64>,
        last: Value<u32, u16>,
    }
}

impl<B: Backend> Meters<B> {
    fn read(&mut self, meter: u32, reading: u16) -> Result<(), B::Error> {
        let at = GROUPS.locate::<u32>(meter);
        self.total.update(at, || 0, |total| *total += u64::from(reading))?;
        self.last.put(at, reading)
    }

    /// What all of it comes to.
    fn sums(&self) -> [(u64, u16); 8] {
        core::array::from_fn(|meter| {
            let at = GROUPS.locate::<u32>(meter as u32);
            let total = self.total.get(at).ok().flatten().map_or(0, |total| *total);
            (total, self.last.get(at).ok().flatten().map_or(0, |last| *last))
        })
    }
}

fn fixed() -> Meters<Fixed<8, 2>> {
    Meters::open(&mut Fixed::new(GROUPS).unwrap()).unwrap()
}

fn open(chip: Nor) -> Slots<'static, Nor, PAGES> {
    Slots::open(chip, OWNER, 2).unwrap()
}

/// Restores into new states.
fn restore(
    slots: &mut Slots<'static, Nor, PAGES>,
) -> Result<(Option<Restored>, Meters<Fixed<8, 2>>), SlotError<FixedError>> {
    let mut meters = fixed();
    let restored = slots.restore(&mut meters, Work::new().lend())?;
    Ok((restored, meters))
}

/// Reads as many times as `round` says, and saves each time; returns the sums after each save.
fn rounds(
    slots: &mut Slots<'static, Nor, PAGES>,
    meters: &mut Meters<Fixed<8, 2>>,
    count: u64,
) -> Vec<[(u64, u16); 8]> {
    let mut random = Random::new(count);
    let mut sums = vec![meters.sums()];
    for _ in 0..count {
        for _ in 0..4 {
            meters.read(random.below(8) as u32, random.next() as u16).unwrap();
        }
        slots.save(meters, 0, 0, Work::new().lend()).unwrap();
        sums.push(meters.sums());
    }
    sums
}

#[test]
fn the_newest_snapshot_is_restored_and_older_ones_go() {
    let mut slots = open(Nor::new(PAGES, 1));
    let (none, mut meters) = restore(&mut slots).unwrap();
    assert_eq!(none, None);
    let sums = rounds(&mut slots, &mut meters, 20);
    let mut slots = open(slots.into_inner());
    let (restored, meters) = restore(&mut slots).unwrap();
    assert_eq!(restored, Some(Restored { checkpoint: 20, epoch: 1, damage: None }));
    assert_eq!(meters.sums(), sums[20]);
    assert_eq!(slots.flash().free_pages(), (PAGES - 2 * SNAPSHOT_PAGES, 0));
    let erases: Vec<_> = slots.into_inner().erases().collect();
    let (least, most) = (erases.iter().min().unwrap(), erases.iter().max().unwrap());
    assert!(*least > 0 && most - least <= 3, "pages wear alike: {erases:?}");
}

#[test]
fn a_cut_at_any_byte_of_a_save_gives_the_newest_states_or_the_ones_before() {
    let mut slots = open(Nor::new(PAGES, 2));
    let (_, mut meters) = restore(&mut slots).unwrap();
    let before = *rounds(&mut slots, &mut meters, 3).last().unwrap();
    let chip = slots.into_inner();
    for cut in 0.. {
        let torn = Torn::ALL[cut as usize % Torn::ALL.len()];
        let mut slots = open(chip.clone().cut_after(cut, torn, cut));
        let (_, mut meters) = restore(&mut slots).unwrap();
        meters.read(5, 500).unwrap();
        let after = meters.sums();
        let is_saved = slots.save(&mut meters, 0, 0, Work::new().lend()).is_ok();
        let cut_off = slots.into_inner();
        let is_through = !cut_off.is_off();
        let mut slots = open(cut_off.on());
        let (first, found) = restore(&mut slots).unwrap();
        let found = found.sums();
        assert!(found == after || found == before && !is_saved, "cut at {cut}, {torn:?}");
        let mut slots = open(slots.into_inner());
        let (again, mut meters) = restore(&mut slots).unwrap();
        assert_eq!((again, meters.sums()), (first, found), "cut at {cut}, {torn:?}: once more");
        meters.read(6, 600).unwrap();
        let saved = slots.save(&mut meters, 0, 0, Work::new().lend()).unwrap();
        let (last, restored) = restore(&mut open(slots.into_inner())).unwrap();
        assert_eq!(restored.sums(), meters.sums(), "cut at {cut}, {torn:?}: saved again");
        assert_eq!(last.unwrap().checkpoint, saved);
        if is_through {
            assert!(is_saved && cut > 1000, "a save programs and erases more than {cut} bytes");
            break;
        }
    }
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_reported_and_goes_with_the_next_save() {
    let mut slots = open(Nor::new(PAGES, 3));
    let (_, mut meters) = restore(&mut slots).unwrap();
    let sums = rounds(&mut slots, &mut meters, 2);
    let mut chip = slots.into_inner();
    // A bit of a row of the newest one: what the region itself does not look at.
    let image = chip.image();
    let total = sums[2].iter().map(|(total, _)| total).max().unwrap().to_le_bytes();
    let places = image.windows(8).enumerate().filter(|(_, bytes)| *bytes == total);
    chip.rot(places.map(|(at, _)| at).next_back().unwrap(), 0);
    let mut slots = open(chip);
    let (restored, mut meters) = restore(&mut slots).unwrap();
    let damage = Some(Damage { checkpoint: 2, count: 1 });
    assert_eq!(restored, Some(Restored { checkpoint: 1, epoch: 1, damage }));
    assert_eq!(meters.sums(), sums[1]);
    assert_eq!(slots.save(&mut meters, 0, 0, Work::new().lend()).unwrap(), 3);
    let (restored, meters) = restore(&mut open(slots.into_inner())).unwrap();
    assert_eq!(restored, Some(Restored { checkpoint: 3, epoch: 2, damage: None }));
    assert_eq!(meters.sums(), sums[1]);
}

#[test]
fn snapshots_that_are_all_damaged_are_no_fresh_start_unless_they_are_forgotten() {
    let mut slots = open(Nor::new(PAGES, 4));
    let (_, mut meters) = restore(&mut slots).unwrap();
    rounds(&mut slots, &mut meters, 1);
    let mut chip = slots.into_inner();
    let name = chip.image().windows(5).position(|bytes| bytes == b"total").unwrap();
    chip.rot(name, 3);
    let mut slots = open(chip);
    let error = restore(&mut slots).map(drop).unwrap_err();
    assert!(matches!(error, SlotError::NoneIntact { count: 1 }), "{error}");
    let refused = slots.save(&mut meters, 0, 0, Work::new().lend()).unwrap_err();
    assert!(matches!(refused, SlotError::NotRestored));
    slots.forget().unwrap();
    slots.save(&mut meters, 0, 0, Work::new().lend()).unwrap();
    assert_eq!(restore(&mut open(slots.into_inner())).unwrap().1.sums(), meters.sums());
}

#[test]
fn a_snapshot_of_another_job_is_refused_and_stays() {
    let mut slots = open(Nor::new(PAGES, 5));
    let (_, mut meters) = restore(&mut slots).unwrap();
    rounds(&mut slots, &mut meters, 1);
    let owner = Owner { operator: "other", ..OWNER };
    let mut other = Slots::<_, PAGES>::open(slots.into_inner(), owner, 2).unwrap();
    let error = other.restore(&mut fixed(), Work::new().lend()).unwrap_err();
    assert!(matches!(error, SlotError::Load { checkpoint: 1, .. }));
    assert_eq!(error.to_string(), "snapshot 1: the snapshot is of another job or operator");
    assert_eq!(restore(&mut open(other.into_inner())).unwrap().1.sums(), meters.sums());
}

#[test]
fn the_memory_of_a_region_is_what_the_readme_says() {
    // As in the table of README.md: the driver has no size of its own here.
    assert_eq!(memory::<16>(), 84);
    assert_eq!(memory::<64>(), 276);
    assert_eq!(memory::<256>(), 1044);
    assert_eq!(size_of::<holdwater_flash::NewObject>(), 160);
}

/// Returns the memory of a region of up to `P` pages, without its driver.
const fn memory<const P: usize>() -> usize {
    size_of::<holdwater_flash::Flash<(), P>>()
}

#[test]
fn what_one_store_saved_another_restores() {
    let mut slots = open(Nor::new(PAGES, 6));
    let mut heap = Meters::open(&mut Heap::new(GROUPS)).unwrap();
    assert_eq!(slots.restore(&mut heap, Work::new().lend()).unwrap(), None);
    for meter in 0..8 {
        heap.read(meter, meter as u16 * 3).unwrap();
    }
    slots.save(&mut heap, 0, 0, Work::new().lend()).unwrap();
    let mut slots = open(slots.into_inner());
    let (_, mut small) = restore(&mut slots).unwrap();
    assert_eq!(small.sums(), heap.sums());
    small.read(0, 1).unwrap();
    slots.save(&mut small, 0, 0, Work::new().lend()).unwrap();
    let mut heap = Meters::open(&mut Heap::new(GROUPS)).unwrap();
    open(slots.into_inner()).restore(&mut heap, Work::new().lend()).unwrap();
    assert_eq!(small.sums(), heap.sums());
}

#[test]
fn pages_that_go_bad_are_retired_until_the_newest_snapshot_has_no_room_beside_it() {
    for fault in
        [Fault::NoErase, Fault::NoProgram, Fault::Refuses, Fault::Stuck(100), Fault::Stuck(500)]
    {
        let mut slots = open(Nor::new(PAGES, 7));
        let (_, mut meters) = restore(&mut slots).unwrap();
        let sums = *rounds(&mut slots, &mut meters, 5).last().unwrap();
        let mut chip = slots.into_inner();
        for page in 0..PAGES {
            chip = chip.with_fault(page, fault);
            let mut slots = open(chip);
            let (restored, mut meters) = restore(&mut slots).unwrap();
            assert_eq!(meters.sums(), sums, "{fault:?} in pages 0 to {page}");
            assert_eq!(restored.unwrap().damage, None);
            match slots.save(&mut meters, 0, 0, Work::new().lend()) {
                Ok(_) => {}
                Err(SlotError::Save(error)) => {
                    // A snapshot whose last page the driver refuses to erase keeps its pages.
                    let kept = if fault == Fault::Refuses { SNAPSHOT_PAGES - 1 } else { 0 };
                    let good = PAGES - page - 1;
                    assert!(good < 2 * SNAPSHOT_PAGES + kept, "{fault:?} in {page}: {error}");
                }
                Err(error) => panic!("{fault:?} in pages 0 to {page}: {error}"),
            }
            chip = slots.into_inner();
        }
        assert_eq!(restore(&mut open(chip)).unwrap().1.sums(), sums, "{fault:?}");
    }
}

#[test]
fn a_region_wears_out_page_by_page_and_keeps_what_was_saved_last() {
    let mut chip = Nor::new(PAGES, 8);
    for page in 0..PAGES {
        chip = chip.with_fault(page, Fault::WearsOut(20 + 3 * page as u32));
    }
    let mut slots = open(chip);
    let (_, mut meters) = restore(&mut slots).unwrap();
    let mut sums = meters.sums();
    let error = loop {
        meters.read(3, 7).unwrap();
        match slots.save(&mut meters, 0, 0, Work::new().lend()) {
            Ok(_) => sums = meters.sums(),
            Err(error) => break error,
        }
    };
    let full = "nothing was saved: all 10 pages are taken, 7 of them bad: retain less, or give \
                the region more";
    assert_eq!(error.to_string(), full);
    let mut slots = open(slots.into_inner());
    let (restored, meters) = restore(&mut slots).unwrap();
    assert_eq!(meters.sums(), sums);
    // Each page gives what it has: some 33 erases, and a save takes three.
    assert!(restored.unwrap().checkpoint > 80);
    assert!(matches!(error, SlotError::Save(_)));
    assert_eq!(FlashError::Full { pages: 10, bad: 7 }.to_string(), full[19..]);
}
