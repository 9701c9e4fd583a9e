//! What is worth knowing and no failure.

use super::scene::{PERIOD, SHOP, condition, shop, warns_of};
use crate::support::api_server::api_server;
use crate::support::eventually::never;

#[tokio::test]
async fn entries_that_never_expire_are_a_warning_beside_a_cache_that_is_ready() {
    let (world, _operator) = shop("advice").await;
    let unused = world.condition(SHOP, "InUse", "False", "NeverWritten").await;
    assert!(unused.contains("AddInMemoryTokenCaches") && unused.contains("\"shop:\""), "{unused}");
    let entry = ["HMSET", "shop:oid.tid", "absexp", "-1", "sldexp", "-1", "data", "{\"AccessToken\":{}}"];
    assert_eq!(world.app(SHOP, &entry).await, "OK");
    let message = world.condition(SHOP, "EntriesExpire", "False", "NeverExpire").await;
    assert!(message.contains("volatile-lru never evicts them") && message.contains("allkeys-lru"), "{message}");
    assert_eq!(world.event(SHOP, "NeverExpire").await, message);
    world.condition(SHOP, "InUse", "True", "Used").await;
    let status = world.ready(SHOP).await;
    assert!(warns_of(&status, "EntriesExpire") && !warns_of(&status, "InUse"), "{status}");
    assert_eq!(condition(&status, "Ready")["status"], "True");

    world.quiet().await;
    let mark = api_server().audit_log().mark();
    never(PERIOD * 2, "looks at the same entries write nothing", async || {
        let seen = world.writes_since(mark);
        (!seen.is_empty()).then(|| format!("{seen:?}"))
    })
    .await;

    assert_eq!(world.app(SHOP, &["EXPIRE", "shop:oid.tid", "3600"]).await, "1");
    world.condition(SHOP, "EntriesExpire", "True", "AllExpire").await;
    world.status(SHOP, "the warning is gone", |status| !warns_of(status, "EntriesExpire")).await;
}
