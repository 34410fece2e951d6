//! A real S3 server on loopback: this test starts it, and itself with the settings for it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]
#![cfg(feature = "cloud")]

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use holdwater::storage::{Failure, ObjectId, Storage};
use holdwater_objects::{Cause, Objects};

#[test]
fn s3_is_a_storage_and_a_fence() {
    if env::var_os(STARTED).is_some() {
        return check();
    }
    let test = env::current_exe().unwrap();
    let mut folders = test.ancestors().map(|directory| directory.join("moto"));
    let moto = folders.find(|folder| folder.join("moto").is_dir());
    let moto = moto.expect("run `make objects`, which installs moto");
    let mut server = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/s3/serve.py"))
        .env("PYTHONPATH", moto)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let tested = Command::new(test)
        .args(["--exact", "--nocapture", "s3_is_a_storage_and_a_fence"])
        .env(STARTED, "1")
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", port.trim()))
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .status();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(tested.unwrap().success());
}

fn check() {
    let mut places = 0;
    let mut make = || {
        places += 1;
        Objects::open(&format!("s3://bucket/place/{places}")).unwrap()
    };
    holdwater_conformance::storage::check(&mut make);
    holdwater_conformance::storage::check_clones(&mut make);
    one_of_many_that_claim_an_epoch_does(&make());
    a_large_file_is_sent_in_parts(make());
    let mut nowhere = Objects::open("s3://no-such-bucket/path").unwrap();
    let Err(Failure::NotDone(error)) = nowhere.list(ObjectId::claim(1).area(), &mut |_| {}) else {
        panic!("there is no such bucket");
    };
    assert_eq!(error.cause, Cause::NoBucket, "{error}");
}

fn one_of_many_that_claim_an_epoch_does(objects: &Objects) {
    for epoch in 1..=10 {
        let won = thread::scope(|scope| {
            let claim = || {
                let mut objects = objects.clone();
                scope.spawn(move || store(&mut objects, ObjectId::claim(epoch), b"the same bytes"))
            };
            let rivals: Vec<_> = (0..6).map(|_| claim()).collect();
            rivals.into_iter().map(|rival| rival.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1, "epoch {epoch}");
    }
}

fn a_large_file_is_sent_in_parts(objects: Objects) {
    let mut objects = objects.with_part_bytes(5 << 20);
    let bytes: Vec<u8> = (0..12_000_000_u32).map(|n| (n / 11) as u8).collect();
    let id = ObjectId::data(1, 1, 0, 0);
    assert!(store(&mut objects, id, &bytes));
    let mut read = vec![0; bytes.len()];
    assert_eq!(objects.read(id, 0, &mut read).unwrap(), bytes.len());
    assert!(read == bytes);
}

/// Returns whether it was this one that created the object.
fn store(objects: &mut Objects, id: ObjectId, content: &[u8]) -> bool {
    let mut file = objects.create(id).unwrap();
    objects.write(&mut file, content).unwrap();
    match objects.sync(file) {
        Ok(()) => true,
        Err(Failure::Exists(_)) => false,
        Err(failure) => panic!("{failure}"),
    }
}

const STARTED: &str = "HOLDWATER_S3_STARTED";
