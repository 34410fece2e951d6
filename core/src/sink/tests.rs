use super::*;
use core::convert::Infallible;
use std::vec;
use std::vec::Vec;

const fn id(checkpoint: u64) -> CheckpointId {
    CheckpointId { checkpoint, epoch: 1 }
}

/// There is no newer epoch.
const fn nobody() -> Result<(), Infallible> {
    Ok(())
}

fn resolutions(transactions: &mut Transactions) -> Vec<Resolution> {
    core::iter::from_fn(|| transactions.poll()).collect()
}

fn commits(names: &[&[u8]]) -> Vec<Resolution> {
    names.iter().map(|name| Resolution::Commit(name.to_vec())).collect()
}

#[test]
fn a_notice_commits_every_older_transaction_and_no_newer_one() {
    let mut transactions = Transactions::new();
    for (number, name) in [(1, b"a"), (2, b"b"), (3, b"c")] {
        transactions.prepared(id(number), name.to_vec());
    }
    assert_eq!(resolutions(&mut transactions), []);
    transactions.completed(id(2));
    assert_eq!(resolutions(&mut transactions), commits(&[b"a", b"b"]));
    // Repeated and late: nothing is committed twice.
    transactions.completed(id(2));
    transactions.completed(id(1));
    assert_eq!(resolutions(&mut transactions), []);
    transactions.completed(id(9));
    assert_eq!(resolutions(&mut transactions), commits(&[b"c"]));
}

#[test]
fn a_transaction_stays_pending_until_its_commit_is_done() {
    let mut transactions = Transactions::new();
    transactions.prepared(id(1), b"a".to_vec());
    transactions.completed(id(1));
    let resolution = transactions.poll().unwrap();
    transactions.prepared(id(2), b"b".to_vec());
    assert_eq!(transactions.pending(), [b"a", b"b"]);
    transactions.resolved(&resolution);
    assert_eq!(transactions.pending(), [b"b"]);
}

#[test]
fn a_restore_commits_what_the_checkpoint_names_and_aborts_the_rest() {
    let named = [b"a".to_vec(), b"b".to_vec()];
    let found = [b"b".to_vec(), b"c".to_vec()];
    let mut transactions = Transactions::restored(&named, &found);
    let mut expected = commits(&[b"a", b"b"]);
    expected.push(Resolution::Abort(b"c".to_vec()));
    // The next checkpoint names them too until they are resolved.
    assert_eq!(transactions.pending(), named);
    assert_eq!(resolutions(&mut transactions), expected);
}

/// An output in memory.
#[derive(Default)]
struct Lines {
    open: Vec<u8>,
    prepared: Vec<Vec<u8>>,
    visible: Vec<u8>,
    can_be_cut: bool,
}

impl Sink for Lines {
    type Batch = u8;
    type Error = Infallible;

    fn write(&mut self, batch: &u8) -> Result<(), Infallible> {
        self.open.push(*batch);
        Ok(())
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Vec<u8>, Infallible> {
        self.prepared.push(core::mem::take(&mut self.open));
        Ok(self.prepared[self.prepared.len() - 1].clone())
    }

    fn commit(&mut self, transaction: &[u8]) -> Result<(), Infallible> {
        if let Some(at) = self.prepared.iter().position(|prepared| prepared == transaction) {
            self.visible.extend(self.prepared.remove(at));
        }
        Ok(())
    }

    fn abort(&mut self, transaction: &[u8]) -> Result<(), Infallible> {
        self.prepared.retain(|prepared| prepared != transaction);
        Ok(())
    }

    fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, Infallible> {
        Ok(self.prepared.clone())
    }

    fn committed(&self) -> Vec<u8> {
        vec![self.visible.len() as u8]
    }

    fn cut_back(&mut self, entry: &SinkEntry) -> Result<CutBack, Infallible> {
        if !self.can_be_cut {
            return Ok(CutBack::Impossible);
        }
        let own: usize = entry.transactions.iter().map(Vec::len).sum();
        self.visible.truncate(usize::from(entry.committed[0]) + own);
        Ok(CutBack::Done)
    }
}

/// Writes 1 and 2, each committed by its checkpoint, then 3, which is only prepared. Returns the
/// output and what the first checkpoint knows of it.
fn output(can_be_cut: bool) -> (Lines, SinkEntry) {
    let mut sink = Lines { can_be_cut, ..Lines::default() };
    let mut transactions = Transactions::new();
    let mut first = None;
    for number in 1..=3 {
        sink.write(&number).unwrap();
        let committed = sink.committed();
        let transaction = sink.prepare(id(u64::from(number))).unwrap();
        transactions.prepared(id(u64::from(number)), transaction);
        let name = "output".into();
        first.get_or_insert(SinkEntry { name, transactions: transactions.pending(), committed });
        if number < 3 {
            transactions.completed(id(u64::from(number)));
            resolve(&mut sink, &mut transactions).unwrap();
        }
    }
    assert_eq!(sink.visible, [1, 2]);
    (sink, first.unwrap())
}

#[test]
fn an_output_that_can_be_cut_back_equals_the_restored_checkpoint() {
    let (mut sink, first) = output(true);
    restore(&mut sink, &first, true, false, nobody).unwrap();
    assert_eq!(sink.visible, [1]);
    assert!(sink.prepared.is_empty());
}

#[test]
fn an_output_that_cannot_be_cut_back_stops_unless_duplicates_are_accepted() {
    let (mut sink, first) = output(false);
    assert_eq!(restore(&mut sink, &first, true, false, nobody), Err(RestoreError::Beyond));
    assert_eq!(sink.prepared, [vec![3]], "nothing is resolved before the decision");
    restore(&mut sink, &first, true, true, nobody).unwrap();
    assert_eq!(sink.visible, [1, 2]);
    assert!(sink.prepared.is_empty());
    let (mut sink, first) = output(false);
    restore(&mut sink, &first, false, false, nobody).unwrap();
}

#[test]
fn a_newer_epoch_leaves_the_output_as_it_was() {
    let (mut sink, first) = output(true);
    let fenced = restore(&mut sink, &first, true, false, || Err("epoch 2"));
    assert_eq!(fenced, Err(RestoreError::Fence("epoch 2")));
    assert_eq!((&*sink.visible, &*sink.prepared), (&[1, 2][..], &[vec![3]][..]));
}

#[test]
fn what_a_newer_epoch_prepares_behind_its_claim_is_not_aborted() {
    use core::cell::RefCell;

    /// An output that a rival writes to as well.
    struct Rivalled<'l>(&'l RefCell<Lines>);

    impl Sink for Rivalled<'_> {
        type Batch = u8;
        type Error = Infallible;

        fn write(&mut self, batch: &u8) -> Result<(), Infallible> {
            self.0.borrow_mut().write(batch)
        }

        fn prepare(&mut self, id: CheckpointId) -> Result<Vec<u8>, Infallible> {
            self.0.borrow_mut().prepare(id)
        }

        fn commit(&mut self, transaction: &[u8]) -> Result<(), Infallible> {
            self.0.borrow_mut().commit(transaction)
        }

        fn abort(&mut self, transaction: &[u8]) -> Result<(), Infallible> {
            self.0.borrow_mut().abort(transaction)
        }

        fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, Infallible> {
            self.0.borrow_mut().unresolved()
        }

        fn committed(&self) -> Vec<u8> {
            self.0.borrow().committed()
        }

        fn cut_back(&mut self, entry: &SinkEntry) -> Result<CutBack, Infallible> {
            self.0.borrow_mut().cut_back(entry)
        }
    }

    let (lines, first) = output(false);
    let lines = RefCell::new(lines);
    // The rival claims just behind the look for claims.
    let fence = || {
        lines.borrow_mut().prepared.push(vec![4]);
        nobody()
    };
    restore(&mut Rivalled(&lines), &first, false, false, fence).unwrap();
    assert_eq!(lines.borrow().prepared, [vec![4]], "its own was dropped, that of the rival not");
}
