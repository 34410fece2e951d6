//! Manifests, claims and records as whole files (docs/format.md 3, 6, 7).

use alloc::vec;
use alloc::vec::Vec;

use super::encode::to_bytes;
use super::{CheckpointId, Manifest, Origin};
use crate::codec::{Reader, Write as _};
use crate::error::{Fault, Malformed};
use crate::page::{
    BlockSize, FileHeader, FileKind, HEADER_LEN, PageWriter, Pages, Portable, ReadError,
    RestoreBudget, SectionKind,
};

impl Manifest {
    /// Returns the bytes of its file.
    pub fn to_file(&self) -> Vec<u8> {
        let header = header(FileKind::Manifest, self.job, self.id);
        write(&header, &to_bytes(|out| self.encode(out)))
    }

    /// Reads the file of the manifest of checkpoint `id`, of whichever job it is.
    ///
    /// Whatever the bytes are, no more is spent than [`RestoreBudget::of_manifest`] of them grants.
    pub fn from_file(id: CheckpointId, bytes: &[u8]) -> Result<Self, Malformed> {
        Self::from_file_within(id, bytes, RestoreBudget::of_manifest(bytes.len() as u64))
    }

    /// Reads the file within `budget`.
    pub fn from_file_within(
        id: CheckpointId,
        bytes: &[u8],
        mut budget: RestoreBudget,
    ) -> Result<Self, Malformed> {
        let (header, body) = read(FileKind::Manifest, id, bytes, &mut budget)?;
        Self::decode_within(header.job, id, &body, budget)
    }
}

/// Returns the bytes of the claim to `epoch`. That there is such an object is all that counts;
/// the content serves those who look.
pub fn claim_file(job: u128, epoch: u64) -> Vec<u8> {
    write(&header(FileKind::Claim, job, CheckpointId { checkpoint: 0, epoch }), &[])
}

/// Returns the bytes of the record of what `epoch` was started from.
pub fn record_file(job: u128, epoch: u64, origin: &Origin) -> Vec<u8> {
    let header = header(FileKind::Record, job, CheckpointId { checkpoint: 0, epoch });
    write(&header, &to_bytes(|out| origin.encode(out)))
}

/// Reads what `epoch` was started from.
pub fn decode_record(epoch: u64, bytes: &[u8]) -> Result<Origin, Malformed> {
    let mut budget = RestoreBudget::of_manifest(bytes.len() as u64);
    let id = CheckpointId { checkpoint: 0, epoch };
    let (_, body) = read(FileKind::Record, id, bytes, &mut budget)?;
    let mut reader = Reader::new(&body);
    let origin = Origin::decode(&mut reader)?;
    reader.finish()?;
    Ok(origin)
}

const fn header(kind: FileKind, job: u128, id: CheckpointId) -> FileHeader {
    let CheckpointId { checkpoint, epoch } = id;
    FileHeader { kind, block: BlockSize::HOST, job, checkpoint, epoch, attempt: 0, part: 0 }
}

fn write(header: &FileHeader, body: &[u8]) -> Vec<u8> {
    to_bytes(|out| {
        let mut block = vec![0; header.block.bytes()];
        let mut pages = PageWriter::new(header, out, &mut block, Portable)?;
        pages.begin(SectionKind::Body)?;
        pages.write(body)?;
        pages.end()?;
        pages.finish(0).map(drop)
    })
}

/// Verifies every byte of a file and returns its header and body, for whose memory it takes from
/// `budget`.
fn read(
    kind: FileKind,
    id: CheckpointId,
    bytes: &[u8],
    budget: &mut RestoreBudget,
) -> Result<(FileHeader, Vec<u8>), Malformed> {
    let malformed = |error| match error {
        ReadError::Malformed(malformed) => malformed,
    };
    let mut pages = Pages::open(bytes, Portable).map_err(malformed)?;
    let found = *pages.header();
    if found != (FileHeader { block: found.block, ..header(kind, found.job, id) }) {
        return Err(Malformed::new(Fault::Identity, 0));
    }
    // A short file needs no block of the size that its header names.
    let mut buffer = zeros(found.block.bytes().min(bytes.len()), budget)?;
    let (mut offset, end) = (HEADER_LEN as u64, pages.end());
    let mut body = zeros(bytes.len(), budget)?;
    body.clear();
    while offset < end {
        let block = pages.block(offset, end, &mut buffer).map_err(malformed)?;
        if block.kind != SectionKind::Body || block.continued != (offset > HEADER_LEN as u64) {
            return Err(Malformed::new(Fault::Identity, offset));
        }
        body.extend_from_slice(block.payload);
        offset = block.next;
    }
    // Last: the offset of a damaged block says more.
    pages.verify_hash(&mut buffer).map_err(malformed)?;
    Ok((found, body))
}

fn zeros(length: usize, budget: &mut RestoreBudget) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::new();
    budget.take(length, 1).map_err(|fault| Malformed::new(fault, 0))?;
    bytes.try_reserve_exact(length).map_err(|_| Malformed::new(Fault::Budget, 0))?;
    bytes.resize(length, 0);
    Ok(bytes)
}
