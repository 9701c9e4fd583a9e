//! Where nothing changed, nothing is written: by the API server's own record.

use serde_json::json;

use super::TWO_PERIODS;
use super::history::History;
use super::world::{SHOP, World, condition};
use crate::support::api_server::api_server;
use crate::support::audit::{self, Mark};
use crate::support::eventually::{eventually, never};
use crate::support::faults::Writes;
use crate::support::log;
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};

/// Watches for two probe periods that the operator writes nothing.
async fn nothing_is_written(world: &World, mark: Mark) {
    never(TWO_PERIODS, "the operator writes nothing", async || {
        let seen = world.writes_since(mark);
        (!seen.is_empty()).then(|| format!("{:?}", audit::count(&seen)))
    })
    .await;
}

#[tokio::test]
async fn passes_over_an_unchanged_world_and_the_looks_after_them_write_nothing() {
    let (world, first) = World::with_shop("unchanged").await;
    world.quiet().await;
    let wanted = world.shape().await;
    let mark = api_server().audit_log().mark();
    log::listen();
    // One more pass, for a reason that is none.
    world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {"example.com/note": "hello"}}})).await;
    nothing_is_written(&world, mark).await;
    let heard = log::heard();
    let passes: Vec<&str> = heard.lines().filter(|line| line.contains(": pass changed=")).collect();
    let is_told = |line: &&&str| !line.contains(" DEBUG ");
    assert!(!passes.is_empty(), "a pass was made");
    assert_eq!(passes.iter().find(is_told), None, "that a pass was made is for debugging");
    first.kill().await;
    let second = Operator::start(&world.namespace).await;
    second.synced().await;
    nothing_is_written(&world, mark).await;

    for count in [1, 2] {
        world.edit("ConfigMap", "shop-settings", json!({"data": null})).await;
        world.has_shape("it was at work all the time", &wanted).await;
        assert_eq!(world.writes_since(mark).len(), count, "and repaired what was to be repaired with one write");
    }
}

#[tokio::test]
async fn the_log_names_what_changed_the_world_with_cache_request_and_cause_and_nothing_else() {
    let world = World::new("journal").await;
    let heard_of = |wanted: &[&str]| -> Vec<String> {
        let heard = log::heard();
        log::listen();
        let lines = heard.lines().filter(|line| line.contains(" INFO ") && line.contains("tokencache_operator"));
        let lines: Vec<String> = lines.filter(|line| line.contains(&world.namespace)).map(str::to_owned).collect();
        for words in wanted {
            assert!(lines.iter().any(|line| line.contains(words)), "{words}: {lines:#?}");
        }
        assert!(lines.iter().all(|line| line.contains("cache=\"shop\"")), "{lines:#?}");
        lines
    };
    log::listen();
    let _operator = Operator::start(&world.namespace).await;
    world.create(SHOP, json!({"redis": {"passwordRotation": {"overlap": "2s"}}})).await;
    world.ready(SHOP).await;
    world.quiet().await;
    let made = heard_of(&["a Redis server is being made", "secret=\"shop-redis\"", "reason=\"KeyMinted\""]);
    assert!(made.len() <= 10, "{made:#?}");

    let requested = world.ask_for_password().await;
    world.operation("Completed", "").await;
    world.quiet().await;
    let second = &requested[..19];
    let told = heard_of(&["stage=Adding", "stage=Published", "stage=Completed"]);
    let stages = told.iter().filter(|line| line.contains("operation=RotatePassword"));
    for stage in ["Waiting", "Adding", "Published", "Removing", "Completed"] {
        let count = stages.clone().filter(|line| line.contains(&format!("stage={stage}"))).count();
        assert!(count <= 1, "{stage} is logged {count} times: {told:#?}");
    }
    assert!(stages.clone().count() >= 3 && stages.clone().all(|line| line.contains(second)), "{told:#?}");

    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": "1Gi"}}})).await;
    eventually("another pod is wanted", async || {
        let set = world.get("StatefulSet", "shop-redis").await;
        if set["metadata"]["generation"].as_i64() > Some(1) { Ok(()) } else { Err(set["metadata"].to_string()) }
    })
    .await;
    world.ready(SHOP).await;
    world.quiet().await;
    let told = heard_of(&["the Redis pod is being replaced"]);
    assert!(told.iter().any(|line| line.contains("cause=\"spec.redis.maxMemory\"")), "{told:#?}");
    assert!(told.len() <= 2, "{told:#?}");
}

#[tokio::test]
async fn a_restart_over_a_healthy_cache_leaves_its_status_alone() {
    let (world, mut operator) = World::with_shop("restarted").await;
    world.quiet().await;
    let version = world.get("TokenCache", SHOP).await["metadata"]["resourceVersion"].clone();
    let history = History::of(&world, SHOP);
    let mark = api_server().audit_log().mark();
    for _ in 0..3 {
        operator.kill().await;
        operator = Operator::start(&world.namespace).await;
        operator.synced().await;
        nothing_is_written(&world, mark).await;
    }
    assert_eq!(world.get("TokenCache", SHOP).await["metadata"]["resourceVersion"], version);
    assert_eq!(history.of_condition("Ready"), ["True AllVerified"]);
    assert_eq!(history.len(), 1, "there was no other status");
}

/// How often Secrets were read by name.
fn reads_of_secrets(world: &World, mark: Mark) -> usize {
    let asked = api_server().audit_log().since(mark, &world.namespace).into_iter();
    let of_secrets =
        asked.filter(|request| request.object_ref.resource == "secrets" && request.user_agent == USER_AGENT);
    of_secrets.filter(|request| request.verb == "get").count()
}

#[tokio::test]
async fn a_restarted_operator_lists_the_secrets_that_it_made_and_where_it_cannot_it_reads_them_by_name() {
    let (world, mut operator) = World::with_shop("listed").await;
    world.quiet().await;
    let wanted = world.shape().await;
    for (writes, are_listed) in [(Writes::counted(), true), (Writes::counted().unlisted(), false)] {
        operator.kill().await;
        world.edit("ConfigMap", "shop-settings", json!({"data": null})).await;
        let mark = api_server().audit_log().mark();
        let client = api_server().client_through(USER_AGENT, &writes).await;
        operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        world.has_shape("a pass was made", &wanted).await;
        world.quiet().await;
        let reads = reads_of_secrets(&world, mark);
        assert_eq!(reads == 0, are_listed, "{reads} reads");
    }
    assert_eq!(condition(&world.ready(SHOP).await, "Ready")["reason"], "AllVerified");
}

#[tokio::test]
async fn a_server_that_went_while_the_operator_was_away_is_told_once_and_heals() {
    let (world, operator) = World::with_shop("away").await;
    operator.kill().await;
    world.kubelet.pod(super::world::POD).inject(crate::support::kubelet::Fault::Vacant);
    let _operator = Operator::start(&world.namespace).await;
    let history = History::of(&world, SHOP);
    world.status(SHOP, "it is not ready", |seen| condition(seen, "Ready")["status"] == "False").await;
    world.kubelet.pod(super::world::POD).heal();
    world.ready(SHOP).await;
    let told = history.of_condition("Ready");
    assert_eq!(told.iter().filter(|each| each.starts_with("True")).count(), 2, "{told:?}");
    let app = world.passwords().await[1].clone().unwrap();
    eventually("the server answers", async || world.ping(&app).await).await;
}
