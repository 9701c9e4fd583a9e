//! The operator dies at every write of a key's revocation, before it was sent and after: the key is revoked in the end, one
//! other takes its place, and what it encrypted is removed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::everywhere;
use crate::support::api_server::api_server;
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::shape;
use crate::survival::world::{SHOP, World};

/// A cache that is ready and has an entry, with nobody to look after it, and the key that encrypts.
async fn settled(prefix: &str) -> (World, String) {
    let world = World::new(prefix).await;
    let operator = Operator::start(&world.namespace).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let (id, entry) = world.encrypted().await;
    world.store("shop:entry", &entry).await;
    world.quiet().await;
    operator.kill().await;
    (world, id.to_string())
}

impl World {
    async fn is_revoked(&self) {
        self.outcome("RevokeKey", "Completed").await;
        self.quiet().await;
    }
}

/// The shape of a cache whose key was revoked without a disturbance, and the number of writes that this took.
async fn undisturbed() -> (Value, usize) {
    let (world, id) = settled("undisturbed").await;
    let writes = Writes::counted();
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    world.request("revoke-key", Timestamp::now(), &format!("{id} remove")).await;
    world.is_revoked().await;
    println!("{writes}");
    (world.shape().await, writes.log().len())
}

/// Lets an operator die in the midst of it, and another one go on from there. Returns whether it came to that.
async fn survives(death: Death, wanted: &Value) -> bool {
    let (world, id) = settled("revocation").await;
    let writes = Writes::until(death);
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let mortal = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    world.request("revoke-key", Timestamp::now(), &format!("{id} remove")).await;
    tokio::select! {
        () = writes.death() => {}
        () = world.is_revoked() => {}
    }
    mortal.kill().await;
    let left = world.keys().await;
    let heir = Operator::start(&world.namespace).await;
    world.is_revoked().await;
    world.has_shape(&format!("{death:?}: the objects are those of an undisturbed run\n{writes}"), wanted).await;
    shape::same(wanted, &world.shape().await).unwrap();
    let files = world.keys().await;
    for (name, content) in &left {
        assert!(files.get(name) == Some(content), "{death:?}: {name} was lost\n{writes}");
    }
    let ring = world.key_ring().await.dates();
    assert_eq!(ring.members().len(), 2, "{death:?}\n{writes}");
    assert!(ring.members().iter().all(|member| member.is_revoked == (member.id.to_string() == id)), "{death:?}");
    assert!(!world.has_entry("shop:entry").await, "{death:?}: what it encrypted is still there\n{writes}");
    heir.kill().await;
    writes.dead()
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_a_revocation_leaves_what_another_one_completes() {
    let (wanted, count) = undisturbed().await;
    everywhere(count, STEPS, |death| survives(death, &wanted)).await;
}

/// The count is told, the key is made, the revocation too, and both are published; the end is told, with an event.
const STEPS: usize = 6;
