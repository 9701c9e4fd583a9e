//! Sweeps of real servers, as passes ask for them.

use std::sync::Arc;

use tokencache_operator::{
    api::v1alpha1::OperationType,
    capability::progress::{Progress, State, Step, SweepId},
    capability::token_cache::TokenCacheRef,
    data_protection::ring::open::KeyRing,
    entries::{
        entry::reader::Reader,
        sweep::{Selection, Sweep},
    },
    probe::sweeper::Sweeper,
    redis::desired::ProbeTarget,
};

use crate::scene::{admin, config, login, now, server_of, want};
use crate::support::eventually::eventually;
use crate::support::redis_server::RedisServer;
use crate::sweep::{account, key, names, protected, ring, store};

const PLAIN: &str = r#"{"AccessToken":{}}"#;

fn removal(ring: KeyRing) -> Sweep {
    let id = SweepId { operation: OperationType::Flush, requested: now(), step: Step::Remove };
    let reader = Some(Arc::new(Reader::new(ring, vec!["/app".to_owned()])));
    Sweep { id, selection: Selection::Unreadable, reader, removed_before: 0 }
}

fn aim(redis: &RedisServer) -> ProbeTarget {
    ProbeTarget { servers: vec![server_of(redis)], login: login(), want: want(), ready: Vec::new() }
}

async fn ended(sweeper: &Sweeper, cache: &TokenCacheRef) -> Progress {
    eventually("the sweep ends", async || match sweeper.progress(cache) {
        Some(progress) if progress.state != State::Running => Ok(progress),
        progress => Err(format!("{progress:?}")),
    })
    .await
}

/// An import, or a certificate that opens a key, may arrive while entries are being removed.
#[tokio::test]
async fn a_sweep_that_is_under_way_is_begun_anew_with_a_ring_that_reads_more() {
    let redis = RedisServer::start(&config()).await;
    let (known, imported, lost) = (key(1), key(2), key(3));
    for number in 1..=20 {
        store(&redis, &account(number), &protected(&imported, "/app", PLAIN));
    }
    store(&redis, &account(21), &protected(&lost, "/app", PLAIN));
    let (sweeper, _news) = Sweeper::new(now);
    let cache = TokenCacheRef { namespace: "web".to_owned(), name: "shop".to_owned() };
    sweeper.run(&cache, Some(removal(ring(std::slice::from_ref(&known)))), Some(&aim(&redis)));
    sweeper.run(&cache, Some(removal(ring(&[known.clone(), imported.clone()]))), Some(&aim(&redis)));
    let progress = ended(&sweeper, &cache).await;
    assert_eq!((progress.state, progress.tally.removed, progress.tally.readable), (State::Done, 1, 20));
    assert_eq!(names(&redis).len(), 20);
    // The same again is not made again.
    store(&redis, &account(21), &protected(&lost, "/app", PLAIN));
    sweeper.run(&cache, Some(removal(ring(&[known, imported]))), Some(&aim(&redis)));
    assert_eq!(ended(&sweeper, &cache).await.tally.removed, 1);
    assert_eq!(names(&redis).len(), 21);
    assert_eq!(admin(&redis, &["DBSIZE"]), "21");
}
