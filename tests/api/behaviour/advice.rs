//! What is worth knowing and no failure.

use serde_json::json;

use super::scene::{PERIOD, POD, SHOP, condition, shop, warns_of};
use crate::support::api_server::api_server;
use crate::support::eventually::never;

#[tokio::test]
async fn entries_that_never_expire_are_a_warning_beside_a_cache_that_is_ready() {
    let (world, _operator) = shop("advice").await;
    let unused = world.condition(SHOP, "InUse", "False", "NeverWritten").await;
    assert!(unused.contains("AddDistributedTokenCaches") && unused.contains("\"shop:\""), "{unused}");
    let entry = ["HMSET", "shop:oid.tid", "absexp", "-1", "sldexp", "-1", "data", "{\"AccessToken\":{}}"];
    assert_eq!(world.app(SHOP, &entry).await, "OK");
    let message = world.condition(SHOP, "EntriesExpire", "False", "NeverExpire").await;
    assert!(message.contains("volatile-lru does not evict them"), "{message}");
    assert!(world.remedies(SHOP, "EntriesExpire").await.contains("allkeys-lru"));
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

#[tokio::test]
async fn an_old_release_is_told_until_the_spec_accepts_it() {
    let (world, _operator) = shop("release").await;
    let pod = world.uid("Pod", POD).await;
    let answer = world.ready(SHOP).await;
    let version = answer["redis"]["servers"][0]["version"].as_str().unwrap().to_owned();
    let message = world.condition(SHOP, "ServerSupported", "False", "Unsupported").await;
    assert!(message.contains(&format!("Redis {version}")) && message.contains("CVE-2026-81934"), "{message}");
    assert_eq!(world.event(SHOP, "Unsupported").await, message);
    assert!(warns_of(&world.ready(SHOP).await, "ServerSupported"));
    for (accepted, status, reason) in [("1.2.3", "False", "Unsupported"), (version.as_str(), "True", "Accepted")] {
        world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"acceptedVersion": accepted}}})).await;
        let message = world.condition(SHOP, "ServerSupported", status, reason).await;
        assert!(message.contains("spec.redis.acceptedVersion"), "{message}");
    }
    world.status(SHOP, "the warning is gone", |status| !warns_of(status, "ServerSupported")).await;
    assert_eq!(world.uid("Pod", POD).await, pod, "nothing was restarted for it");
}
