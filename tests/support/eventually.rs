//! The one home of waiting in tests: ask again until an answer comes, never longer than a bound; and the opposite, watch
//! for a bounded while that something does not happen.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Long enough for two cores on which everything else runs too; who waits that long has found a bug.
pub const DEADLINE: Duration = Duration::from_mins(2);

/// Asks until the answer is `Ok`, and returns it. Panics after [`DEADLINE`] with what was asked for and the last `Err`,
/// which should hold the value that was seen.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    within(DEADLINE, what, ask).await
}

/// [`eventually`] with a bound of one's own.
pub async fn within<T>(limit: Duration, what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(10);
    let mut last = String::from("nothing");
    loop {
        let Ok(answer) = timeout_at(deadline, ask()).await else {
            panic!("{what}: the question was still open after {limit:?}; last seen: {last}");
        };
        match answer {
            Ok(answer) => return answer,
            Err(seen) => last = seen,
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}; last seen: {last}");
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

/// Watches for `period` that `seen` stays `None`. Panics with what was seen at the first `Some`.
pub async fn never(period: Duration, what: &str, mut seen: impl AsyncFnMut() -> Option<String>) {
    let end = Instant::now() + period;
    while Instant::now() < end {
        if let Ok(Some(sight)) = timeout_at(end, seen()).await {
            panic!("{what}, but this was seen: {sight}");
        }
        sleep(Duration::from_millis(100)).await;
    }
}
