//! The command line driven as a process: what a user sees, and nothing of the code behind it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`program`] | the program, built once |
//! | [`place`] | a directory of its own for each test, with files, jobs and checkpoints in it |
//! | [`page`] | pages of the documentation, whose commands are run |
//! | [`mount`] | what it takes to mount a file system for one test |
//! | [`process`] | a run of the program: started, fed, signalled, killed, waited for |
//! | [`rows`] | rows of text under named columns, read and written as CSV and JSON lines |
//! | [`generate`] | rows that follow from a seed |
//! | [`s3`] | an S3 server on loopback, whose requests can be made to fail |
//! | [`windows`] | what comes out of windows, computed independently |
//! | [`expiring`] | what comes out of windows whose content expires, computed independently |
//! | [`expected`] | what each SPEC comes to, computed independently |

#![forbid(unsafe_code)]
// What cannot be done here fails the test that wanted it.
#![allow(clippy::unwrap_used)]

pub mod expected;
pub mod expiring;
pub mod generate;
pub mod mount;
pub mod page;
pub mod place;
pub mod process;
pub mod program;
pub mod rows;
pub mod s3;
pub mod windows;
