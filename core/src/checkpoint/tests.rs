mod coordinator;
mod disk;
mod job;
mod recovery;
mod retention;
