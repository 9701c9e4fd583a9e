//! Some payloads of a batch of entries, looked into.
//!
//! In: a connection, entries in the order of their turn, what reads them. Out: the size of each entry that was measured, and the
//! class of each payload that was looked into, if any is to be.
//! What was read is wiped from memory at once, as far as it is ours: nothing of it is kept or told.
//!
//! It costs a server as little as reading some hundred kilobytes, and the operator some milliseconds. Asking for an entry
//! makes it look used lately to LRU policies, unless the connection spares their clock: then fewer are asked for, too few to
//! change what is evicted.

use ::redis::Value;
use zeroize::Zeroizing;

use super::usage::{all, all_within, field, integer};
use crate::{
    api::v1alpha1::Inspect,
    entries::look::{Inspection, census::StoredKey, payloads::Payload},
    probe::wire::{bounded::Bounds, connection::Connection, failure::Failure},
    redis::look::Desired,
};

/// How many payloads are looked into at a look.
const PAYLOADS: usize = 100;
/// How many, where each makes an entry look used.
const FEW: usize = 10;
/// Bytes of all of them together: less than one answer may have. A longer one is passed over.
const BYTES: u64 = 192 << 10;

const BOUNDS: Bounds = Bounds { each: (192 << 10) + 1, kept: 1 << 20, read: 16 << 20, beginning: true };

/// How far it went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Looked {
    /// How many entries had their turn; `None` where no one is left to have it.
    pub(crate) step: Option<usize>,
    /// How many had it and are too big for that.
    pub(crate) passed_over: u64,
}

/// Measures these entries, and looks into the first of them that can be looked into. As many as are `left` are to have their turn.
pub(crate) async fn look_into(
    connection: &mut Connection,
    entries: &mut [&mut (&Vec<u8>, StoredKey)],
    left: usize,
    (want, inspection): (&Desired, &Inspection),
    spares_clock: bool,
) -> Result<Looked, Failure> {
    let most = if spares_clock { PAYLOADS } else { FEW };
    let measured = if spares_clock { entries.len() } else { left.min(FEW) };
    let asked = entries[..measured].iter().map(|(name, _)| field("HSTRLEN", name)).collect();
    for ((_, key), size) in entries.iter_mut().zip(all(connection, asked).await?) {
        key.size = integer(&size).and_then(|size| u64::try_from(size).ok());
    }
    if inspection.inspect == Inspect::Metadata {
        return Ok(Looked { step: None, passed_over: 0 });
    }
    let sizes = entries[..measured.min(left)].iter().map(|(_, key)| key.size.unwrap_or_default());
    let (chosen, mut looked) = chosen(sizes, left, most);
    let asked = chosen.iter().map(|&index| field("HGET", entries[index].0)).collect();
    for (index, payload) in chosen.into_iter().zip(all_within(connection, asked, BOUNDS).await?) {
        let Value::BulkString(bytes) = payload else { continue };
        let bytes = Zeroizing::new(bytes);
        if BOUNDS.cut(&bytes) {
            // It has grown since it was measured.
            looked.passed_over += 1;
        } else {
            let (name, key) = &mut *entries[index];
            let name = name.strip_prefix(want.instance_name.as_bytes()).unwrap_or(name);
            key.payload = Some(Payload::of(name, &bytes, inspection.reader.as_deref()));
        }
    }
    Ok(looked)
}

/// Which of payloads of these sizes are looked into, by their places. One without a payload is passed by.
fn chosen(sizes: impl Iterator<Item = u64>, left: usize, most: usize) -> (Vec<usize>, Looked) {
    let (mut chosen, mut bytes) = (Vec::new(), 0);
    let (mut walked, mut passed_over) = (0, 0);
    for (index, size) in sizes.enumerate() {
        if size > BYTES {
            passed_over += 1;
        } else if size > 0 {
            if chosen.len() == most || bytes + size > BYTES {
                break;
            }
            bytes += size;
            chosen.push(index);
        }
        walked = index + 1;
    }
    (chosen, Looked { step: (walked < left).then_some(walked), passed_over })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sizes: &[u64], left: usize) -> (Vec<usize>, Option<usize>, u64) {
        let (chosen, Looked { step, passed_over }) = chosen(sizes.iter().copied(), left, 3);
        (chosen, step, passed_over)
    }

    #[test]
    fn the_first_payloads_are_looked_into_as_many_as_fit() {
        assert_eq!(of(&[], 0), (vec![], None, 0));
        assert_eq!(of(&[10, 20], 2), (vec![0, 1], None, 0));
        assert_eq!(of(&[10, 20], 5), (vec![0, 1], Some(2), 0), "no more were measured");
        assert_eq!(of(&[10, 0, 20, 30, 40], 5), (vec![0, 2, 3], Some(4), 0), "three at most, and none that is empty");
        assert_eq!(of(&[10, BYTES - 10, 1], 3), (vec![0, 1], Some(2), 0), "no more bytes than that");
        assert_eq!(of(&[BYTES + 1, 10, BYTES + 1], 3), (vec![1], None, 2), "none that is too big for itself");
        assert_eq!(of(&[BYTES], 1), (vec![0], None, 0));
    }
}
