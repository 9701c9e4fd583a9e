//! A status settles: what is wrong in the same way is said in the same words, and nothing makes the operator write it without
//! end.

use serde_json::{Map, Value, json};
use tokencache_operator::{api::v1alpha1::LONGEST_MESSAGE, controller::memory::PAUSE};

use super::spare::pause;
use super::world::{SHOP, World, condition};
use crate::support::audit::{Mark, Request};
use crate::support::eventually::eventually;
use crate::support::operator::Operator;

/// The writes of statuses in a world since its beginning, in their order.
fn status_writes(world: &World) -> Vec<Request> {
    let mut writes = world.writes_since(Mark::default());
    writes.retain(|write| write.object_ref.subresource == "status");
    writes.sort_by_key(|write| write.received);
    writes
}

#[tokio::test]
async fn a_spec_that_is_refused_for_sixty_causes_is_told_with_the_first_of_them_and_then_nothing_is_done() {
    let world = World::new("causes").await;
    let _operator = Operator::start(&world.namespace).await;
    let selector: Map<String, Value> = (10..70).map(|index| (format!("no key {index}"), "a".into())).collect();
    world.create(SHOP, json!({"redis": {"pod": {"nodeSelector": selector}}})).await;
    let message = world.condition(SHOP, "SpecValid", "False", "RejectedByApiServer").await;
    let named: Vec<bool> = (10..70).map(|index| message.contains(&format!("\"no key {index}\""))).collect();
    assert!(message.contains("60 causes") && message.contains("nodeSelector"), "{message}");
    assert_eq!(named.iter().filter(|named| **named).count(), 1, "{message}");
    assert!(message.ends_with(". Correct the field of the spec that it names"), "{message}");
    world.quiet().await;
    let written = status_writes(&world).len();
    assert!(written <= 2, "{written} writes");
    let status = world.get("TokenCache", SHOP).await["status"].clone();
    let conditions = status["conditions"].as_array().unwrap().iter();
    let longest = conditions.map(|each| each["message"].as_str().unwrap().chars().count()).max();
    assert!(longest <= Some(LONGEST_MESSAGE.into()), "{status}");
    let ready = condition(&status, "Ready")["message"].as_str().unwrap();
    assert!(ready.starts_with(&message), "{ready}");
}

#[tokio::test]
async fn two_writes_of_a_status_are_seconds_apart_and_the_last_one_is_not_lost() {
    let world = World::new("apart").await;
    let _operator = Operator::start_unhurried(&world.namespace).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let before = status_writes(&world).len();
    let mut turn = 0;
    eventually("another status was written, and another one", async || {
        turn += 1;
        world.edit("TokenCache", SHOP, pause(&["paused", "not"][turn % 2].into())).await;
        let written = status_writes(&world).len();
        if written >= before + 2 { Ok(()) } else { Err(written.to_string()) }
    })
    .await;
    world.edit("TokenCache", SHOP, pause(&"paused".into())).await;
    world.condition(SHOP, "Paused", "True", "Paused").await;
    world.edit("TokenCache", SHOP, pause(&Value::Null)).await;
    let goes_on = |status: &Value| {
        let ready = condition(status, "Ready");
        ready["status"] == "True" && condition(status, "Paused").is_null()
    };
    world.status(SHOP, "the last one arrives", goes_on).await;
    let writes = status_writes(&world);
    for pair in writes.windows(2) {
        let (one, next) = (pair[0].answered, pair[1].received);
        assert!(next.duration_since(one).unsigned_abs() >= PAUSE, "at {one} and at {next}");
    }
}
