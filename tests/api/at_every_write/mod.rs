//! The operator dies at every write, before it was sent and after, and another one goes on. These tests wait for long, and so
//! their name is one that has them begin early.

mod crash;
mod key_ring;
mod key_ring_inputs;
mod renewal;
mod revocation;
pub mod rotation;

use futures::{StreamExt, stream};

use crate::support::faults::Death;

/// How many operators die side by side: a server runs for each.
const AT_A_TIME: usize = 6;

/// Has an operator die at each of so many writes, before it was sent and after. Not every run has as many writes, so that
/// `survives` returns whether it came to that; at each of `steps` it must have come to both.
async fn everywhere<F: Future<Output = bool>>(count: usize, steps: usize, survives: impl Fn(Death) -> F) {
    let deaths = (0..count).flat_map(|index| [Death::BeforeWrite(index), Death::AfterWrite(index)]);
    at(deaths, (count, 2 * steps, steps), survives).await;
}

/// Has an operator die after each of so many writes, where what follows one is told by another test already.
async fn between<F: Future<Output = bool>>(count: usize, steps: usize, survives: impl Fn(Death) -> F) {
    at((0..count).map(Death::AfterWrite), (count, steps, steps), survives).await;
}

async fn at<F: Future<Output = bool>>(
    deaths: impl Iterator<Item = Death>,
    (count, least, steps): (usize, usize, usize),
    survives: impl Fn(Death) -> F,
) {
    assert!(count >= steps, "{count} writes are fewer than there are steps");
    let died: Vec<bool> = stream::iter(deaths).map(survives).buffer_unordered(AT_A_TIME).collect().await;
    let died = died.into_iter().filter(|died| *died).count();
    println!("{died} deaths at {count} writes");
    assert!(died >= least, "only {died} operators died");
}
