//! What the host does of the job, on the heap: the first third and the last.

use std::error::Error;

use embedded_storage::nor_flash::NorFlashErrorKind;
use holdwater_bare_metal::{
    GROUPS, HAND_OVER, IMAGE_LEN, Image, Meters, Nor, OWNER, PAGES, READINGS, RETAIN, TAKE_OVER,
    Tally, Work, scramble, verify,
};
use holdwater_flash::Slots;
use holdwater_heap::Heap;

/// The image of a flash in memory, whose power never goes.
struct Memory(Vec<u8>);

impl Image for Memory {
    fn load(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(&self.0[at..at + bytes.len()]);
        Ok(())
    }

    fn store(&mut self, at: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn power_lost(&mut self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

fn slots(image: Vec<u8>) -> Result<Slots<'static, Nor<Memory>, PAGES>, Box<dyn Error>> {
    Ok(Slots::open(Nor::new(Memory(image), u32::MAX, 0), OWNER, RETAIN)?)
}

/// Processes what comes before the firmware; returns the image of a flash that it is saved in.
pub(crate) fn save() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut meters = Meters::open(&mut Heap::new(GROUPS))?;
    // Nobody knows what is in a flash that is new.
    let image = (0..IMAGE_LEN as u64).map(|at| scramble(at) as u8 | 1).collect();
    let (mut slots, mut work) = (slots(image)?, Work::new());
    slots.restore(&mut meters, work.lend())?;
    for number in 0..TAKE_OVER {
        meters.read(number)?;
    }
    let time = meters.watermark();
    slots.save(&mut meters, time, time, work.lend())?;
    Ok(slots.into_inner().into_image().0)
}

/// Goes on from what the firmware saved, to the end of all readings.
pub(crate) fn go_on(image: Vec<u8>) -> Result<Tally, Box<dyn Error>> {
    let mut meters = Meters::open(&mut Heap::new(GROUPS))?;
    slots(image)?.restore(&mut meters, Work::new().lend())?;
    let next = meters.resume()?;
    if next != HAND_OVER {
        return Err(format!("the firmware handed over at {next}, not at {HAND_OVER}").into());
    }
    verify(&mut meters, next).map_err(|difference| difference.to_string())?;
    for number in next..READINGS {
        meters.read(number)?;
    }
    Ok(verify(&mut meters, READINGS).map_err(|difference| difference.to_string())?)
}
