//! How fast `holdwater run` is beside the parsing of its input alone.
//!
//! CSV with some 100,000 keys; count, a sum and a maximum per key, on two subtasks, with a
//! checkpoint each second; beside it the `csv` crate, which reads the same file into `ByteRecord`s
//! on one thread. Once with rows of the five columns that the sample has, once with no more than
//! the three that are read. `HOLDWATER_ROWS` sets the number of rows (10 million).
//!
//! Then the same jobs on timely, beside threads with as many subtasks as it has workers.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use csv::ByteRecord;
use holdwater_bench::{Clock, Sequence, median, print_table};
use holdwater_cli::arguments::{Arguments, Command};

const ROUNDS: usize = 5;

/// What the rows of an input look like.
struct Shape {
    name: &'static str,
    header: &'static str,
    row: fn(&mut Sequence, &mut dyn Write) -> io::Result<()>,
    /// What `run` is to do with them.
    job: &'static str,
}

const SHAPES: [Shape; 2] = [
    Shape {
        name: "rows like the sample: 316 x 316 keys",
        header: "date,origin,destination,delay,distance",
        row: flight,
        job: "--key origin,destination --agg count sum:distance max:delay",
    },
    Shape {
        name: "rows of three columns: 100,000 keys",
        header: "key,amount,price",
        row: |random, out| {
            let (key, amount) = (random.below(100_000), random.below(20_001) as i64 - 10_000);
            let (whole, cents) = (random.below(500), random.below(100));
            writeln!(out, "k{key},{amount},{whole}.{cents:02}")
        },
        job: "--key key --agg count sum:amount max:price",
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let rows = match std::env::var("HOLDWATER_ROWS") {
        Ok(rows) => rows.parse()?,
        Err(_) => 10_000_000,
    };
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let input = place.path().join("rows.csv");
    for shape in &SHAPES {
        let bytes = generate(&input, shape, rows)?;
        println!("{}; {rows} rows of {:.1} bytes\n", shape.name, bytes as f64 / rows as f64);
        measure(&input, shape, rows, place.path())?;
        engines(&input, shape, rows, place.path())?;
    }
    Ok(())
}

fn measure(input: &Path, shape: &Shape, rows: u64, place: &Path) -> Result<(), Box<dyn Error>> {
    let mut samples = [const { Vec::new() }; 6];
    for _ in 0..ROUNDS {
        let parsed = Spent::by(rows, || parse(input, rows))?;
        let ran = Spent::by(rows, || run(input, shape.job, "--parallelism 2", place))?;
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
    println!();
    Ok(())
}

/// Compares threads with timely, by the time that each takes for the job.
fn engines(input: &Path, shape: &Shape, rows: u64, place: &Path) -> Result<(), Box<dyn Error>> {
    let mut table = Vec::new();
    for workers in [1, 2] {
        let mut samples = [const { Vec::new() }; 3];
        let threads = format!("--parallelism {workers}");
        let timely = format!("--engine timely -- -w {workers}");
        for _ in 0..ROUNDS {
            let threads = Spent::by(rows, || run(input, shape.job, &threads, place))?.wall;
            let timely = Spent::by(rows, || run(input, shape.job, &timely, place))?.wall;
            for (sample, figure) in samples.iter_mut().zip([threads, timely, threads / timely]) {
                sample.push(figure);
            }
        }
        let [threads, timely, speed] = samples.map(median);
        let per_second = |nanos: f64| format!("{:.2}", 1e3 / nanos);
        let cells = vec![per_second(threads), per_second(timely), shown(speed)];
        table.push((format!("{workers} subtasks"), cells));
    }
    print_table(&["million rows/s", "threads", "timely", "timely / threads"], &table);
    println!();
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

/// Writes rows that are the same each time.
fn generate(path: &Path, shape: &Shape, rows: u64) -> Result<u64, Box<dyn Error>> {
    let mut random = Sequence::new(1);
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "{}", shape.header)?;
    for _ in 0..rows {
        (shape.row)(&mut random, &mut file)?;
    }
    Ok(file.into_inner()?.metadata()?.len())
}

/// Writes a flight: a day and a minute, two airports, a delay in minutes, a distance in miles.
fn flight(random: &mut Sequence, out: &mut dyn Write) -> io::Result<()> {
    let [month, day, hour, minute] =
        [(12, 1), (28, 1), (24, 0), (60, 0)].map(|(below, from)| random.below(below) + from);
    let mut airport = || {
        let number = random.below(316);
        [100, 10, 1].map(|place| char::from(b'A' + u8::try_from(number / place % 10).unwrap_or(0)))
    };
    let [[a, b, c], [d, e, f]] = [airport(), airport()];
    let (delay, distance) = (random.below(180) as i64 - 30, 100 + random.below(2_500));
    writeln!(
        out,
        "2001-{month:02}-{day:02}T{hour:02}:{minute:02},{a}{b}{c},{d}{e}{f},{delay},{distance}"
    )
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

fn run(input: &Path, job: &str, engine: &str, place: &Path) -> Result<(), Box<dyn Error>> {
    let (output, checkpoints) = (place.join("out.csv"), place.join("checkpoints"));
    let line = format!(
        "holdwater run --input {} {job} \
         --checkpoints {} --checkpoint-every 1s --output {} --progress never {engine}",
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
