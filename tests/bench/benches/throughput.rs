//! How fast `holdwater run` is beside the parsing of its input alone.
//!
//! CSV with 100,000 keys; count, a sum and a maximum per key, on two subtasks, with a checkpoint
//! each second; beside it the `csv` crate, which reads the same file into `ByteRecord`s on one
//! thread. `HOLDWATER_ROWS` sets the number of rows (10 million).

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use csv::ByteRecord;
use holdwater_bench::{Clock, Sequence, median, print_table};
use holdwater_cli::arguments::{Arguments, Command};

const KEYS: u64 = 100_000;
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let rows = match std::env::var("HOLDWATER_ROWS") {
        Ok(rows) => rows.parse()?,
        Err(_) => 10_000_000,
    };
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let input = place.path().join("rows.csv");
    let bytes = generate(&input, rows)?;
    println!("{rows} rows of {:.1} bytes, {KEYS} keys\n", bytes as f64 / rows as f64);
    let mut samples = [const { Vec::new() }; 6];
    for _ in 0..ROUNDS {
        let parsed = Spent::by(rows, || parse(&input, rows))?;
        let ran = Spent::by(rows, || run(&input, place.path()))?;
        let found = [parsed.wall, parsed.process, ran.wall, ran.process];
        let ratios = [ran.wall / parsed.wall, ran.process / parsed.process];
        for (sample, figure) in samples.iter_mut().zip(found.into_iter().chain(ratios)) {
            sample.push(figure);
        }
    }
    let [parsed_wall, parsed, ran_wall, ran, wall, process] = samples.map(median);
    let line = |label: &str, cells: [String; 3]| (label.to_owned(), cells.to_vec());
    let table = [
        line("time", [parsed_wall, ran_wall, wall].map(shown)),
        line("time of processors", [parsed, ran, process].map(shown)),
    ];
    print_table(&["ns per row", "parsing", "run", "ratio"], &table);
    Ok(())
}

fn shown(figure: f64) -> String {
    format!("{figure:.2}")
}

/// What something took, in nanoseconds per row.
struct Spent {
    wall: f64,
    /// The time of all threads together.
    process: f64,
}

impl Spent {
    fn by(
        rows: u64,
        work: impl FnOnce() -> Result<(), Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let now = || [Clock::Wall.now(), Clock::Process.now()];
        let before = now();
        work()?;
        let each = |(after, before): (Duration, Duration)| {
            (after - before).as_nanos() as f64 / rows as f64
        };
        let [wall, process] = now();
        Ok(Self { wall: each((wall, before[0])), process: each((process, before[1])) })
    }
}

/// Writes rows that are the same each time: a key, a whole number, a price.
fn generate(path: &Path, rows: u64) -> Result<u64, Box<dyn Error>> {
    let mut random = Sequence::new(1);
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "key,amount,price")?;
    for _ in 0..rows {
        let (key, amount) = (random.below(KEYS), random.below(20_001) as i64 - 10_000);
        let (whole, cents) = (random.below(500), random.below(100));
        writeln!(file, "k{key},{amount},{whole}.{cents:02}")?;
    }
    Ok(file.into_inner()?.metadata()?.len())
}

fn parse(input: &Path, rows: u64) -> Result<(), Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(input)?;
    let (mut record, mut read) = (ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record)? {
        read += 1;
    }
    assert_eq!(read, rows, "all rows are parsed");
    Ok(())
}

fn run(input: &Path, place: &Path) -> Result<(), Box<dyn Error>> {
    let (output, checkpoints) = (place.join("out.csv"), place.join("checkpoints"));
    let line = format!(
        "holdwater run --input {} --key key --agg count sum:amount max:price --parallelism 2 \
         --checkpoints {} --checkpoint-every 1s --output {} --progress never",
        input.display(),
        checkpoints.display(),
        output.display()
    );
    let Ok(Command::Run(job)) = Arguments::read(line.split_whitespace()) else {
        return Err(format!("no job: {line}").into());
    };
    assert_eq!(holdwater_cli::run::run(&job)?, 0, "the job is done");
    std::fs::remove_file(output)?;
    std::fs::remove_dir_all(checkpoints)?;
    Ok(())
}
