//! Reading the batches of one segment.

use std::io;

use super::batch::{self, Head};
use super::segment::{Position, SECTOR_BYTES, SegmentId};
use super::window::Window;

const ZEROS: [u8; SECTOR_BYTES as usize] = [0; SECTOR_BYTES as usize];

/// Reads batches of the segment's owner; it takes no other for one.
#[derive(Clone, Copy)]
pub(super) struct SegmentReader {
    pub(super) id: SegmentId,
}

/// What lies behind the end of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Behind {
    /// Bytes up to the last one that is not zero.
    pub(super) used: u64,
    /// The first whole batch that is not an old one: where, and its number.
    pub(super) later: Option<(u64, u64)>,
}

impl SegmentReader {
    /// The whole batch at `offset`, if there is one.
    pub(super) fn batch_at<'w>(
        &self,
        window: &'w mut Window<'_>,
        offset: u64,
    ) -> io::Result<Option<batch::Read<'w>>> {
        let Some(head) = self.head_at(window, offset)? else {
            return Ok(None);
        };
        let bytes = window.bytes(offset, head.length)?;
        Ok(batch::read(bytes, self.id.token))
    }

    /// What the batch at `offset` says of itself, if one begins there.
    pub(super) fn head_at(&self, window: &mut Window<'_>, offset: u64) -> io::Result<Option<Head>> {
        let head = window.bytes(offset, batch::BATCH_HEADER_BYTES)?;
        Ok(batch::head(head, self.id.token))
    }

    /// The records of the batch at `offset`, and where they lie.
    pub(super) fn records<'a>(
        &self,
        offset: u64,
        batch: &batch::Read<'a>,
    ) -> impl Iterator<Item = (Position, &'a [u8])> + use<'a> {
        let segment = self.id.number;
        batch.records().map(move |(at, record)| {
            let position = Position {
                segment,
                offset: u32::try_from(offset + at as u64).unwrap_or(u32::MAX),
                length: u32::try_from(record.len()).unwrap_or(u32::MAX),
            };
            (position, record)
        })
    }

    /// Looks at every sector from `start` on, until there is a whole batch numbered `next` or higher. Lower
    /// ones are of an earlier life of the file.
    pub(super) fn look_behind(
        &self,
        window: &mut Window<'_>,
        start: u64,
        next: u64,
    ) -> io::Result<Behind> {
        let step = ZEROS.len();
        let mut behind = Behind::default();
        let (mut at, mut begun) = (start, Vec::new());
        loop {
            let piece = window.piece(at)?;
            let length = piece.len() as u64;
            for (sector, offset) in piece.chunks(step).zip((at..).step_by(step)) {
                if *sector != ZEROS[..sector.len()] {
                    behind.used = offset + sector.len() as u64 - start;
                    let head = batch::head(sector, self.id.token);
                    begun.extend(head.filter(|h| h.number >= next).map(|_| offset));
                }
            }
            for offset in begun.drain(..) {
                if let Some(batch) = self.batch_at(window, offset)? {
                    behind.later = Some((offset, batch.number));
                    return Ok(behind);
                }
            }
            if length == 0 {
                return Ok(behind);
            }
            at += length;
        }
    }
}
