//! The operator dies at every write of a first pass, before it was sent and after.

use serde_json::{Value, json};

use super::everywhere;
use crate::support::api_server::api_server;
use crate::support::eventually::eventually;
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::shape;
use crate::survival::world::{SHOP, World};

/// The shape of a cache that nothing disturbed, and the number of writes that it took.
async fn undisturbed() -> (Value, usize) {
    let world = World::new("undisturbed").await;
    let writes = Writes::counted();
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    world.quiet().await;
    println!("{writes}");
    (world.shape().await, writes.log().len())
}

/// Lets an operator die, and another one go on from there. Returns whether it came to that: the number of writes before
/// the end is not the same in every run.
async fn survives(death: Death, wanted: &Value) -> bool {
    let world = World::new("crash").await;
    let writes = Writes::until(death);
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let mortal = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    world.create(SHOP, json!({})).await;
    tokio::select! {
        () = writes.death() => {}
        () = async { world.ready(SHOP).await; world.quiet().await } => {}
    }
    mortal.kill().await;
    let (left, left_keys) = (world.passwords().await, world.private_keys().await);
    let left_ring = world.keys().await;

    let heir = Operator::start(&world.namespace).await;
    world.ready(SHOP).await;
    world.has_shape(&format!("{death:?}: the objects are those of an undisturbed run\n{writes}"), wanted).await;
    let passwords = world.passwords().await;
    for (left, now) in left.iter().zip(&passwords) {
        assert!(now.is_some() && (left.is_none() || left == now), "{death:?}: a password was made anew\n{writes}");
    }
    for (left, now) in left_keys.iter().zip(&world.private_keys().await) {
        assert!(now.is_some() && (left.is_none() || left == now), "{death:?}: a private key was made anew\n{writes}");
    }
    let ring = world.keys().await;
    assert!(
        ring.len() == 1 && left_ring.iter().all(|left| ring.contains_key(left.0)),
        "{death:?}: a key was made twice\n{writes}"
    );
    assert_eq!(world.secret("shop-keys").await, ring.into_values().flatten().collect(), "{death:?}\n{writes}");
    let app = passwords[1].as_ref().unwrap();
    eventually("the server takes the published password", async || world.ping(app).await).await;
    world.quiet().await;
    shape::same(wanted, &world.shape().await).unwrap();
    heir.kill().await;
    writes.dead()
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_leaves_what_another_one_completes_with_the_same_passwords() {
    let (wanted, count) = undisturbed().await;
    assert_eq!(wanted["ControllerRevision"], 1);
    assert_eq!(wanted["Pod"], 1);
    everywhere(count, PARTS_AND_STATUS, |death| survives(death, &wanted)).await;
}

/// Twelve objects, a key and the ring, and at least one status.
const PARTS_AND_STATUS: usize = 15;
