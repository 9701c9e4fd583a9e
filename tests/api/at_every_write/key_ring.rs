//! The operator dies at every write of a key that was asked for, before it was sent and after, or loses an answer: no key is
//! lost, and none is made twice.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::api_server::api_server;
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::shape;
use crate::survival::world::{SHOP, World};

/// How many operators die side by side: a server runs for each.
const AT_A_TIME: usize = 6;

/// A cache that is ready, with nobody to look after it.
async fn settled(prefix: &str) -> World {
    let world = World::new(prefix).await;
    let operator = Operator::start(&world.namespace).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    world.quiet().await;
    operator.kill().await;
    world
}

/// The shape of a cache that got another key without a disturbance, and the number of writes that this took.
async fn undisturbed() -> (Value, usize) {
    let world = settled("undisturbed").await;
    let writes = Writes::counted();
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    world.ask_for_key(&Timestamp::now().to_string()).await;
    world.key_operation("Completed", "").await;
    world.quiet().await;
    println!("{writes}");
    (world.shape().await, writes.log().len())
}

/// Lets an operator die in the midst of it, and another one go on from there. Returns whether it came to that.
async fn survives(death: Death, wanted: &Value) -> bool {
    let world = settled("key").await;
    let first = world.keys().await;
    let writes = Writes::until(death);
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let mortal = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    world.ask_for_key(&Timestamp::now().to_string()).await;
    tokio::select! {
        () = writes.death() => {}
        () = async { world.key_operation("Completed", "").await; world.quiet().await } => {}
    }
    mortal.kill().await;
    let left = world.keys().await;
    let heir = Operator::start(&world.namespace).await;
    world.key_operation("Completed", "").await;
    world.has_shape(&format!("{death:?}: the objects are those of an undisturbed run\n{writes}"), wanted).await;
    world.quiet().await;
    shape::same(wanted, &world.shape().await).unwrap();
    let keys = world.keys().await;
    world.has_keys(2, &writes).await;
    for (name, files) in first.iter().chain(&left) {
        assert!(keys.get(name) == Some(files), "{death:?}: {name} was lost\n{writes}");
    }
    heir.kill().await;
    writes.dead()
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_a_new_key_leaves_what_another_one_completes_and_no_key_is_made_twice() {
    let (wanted, count) = undisturbed().await;
    assert!(count >= STEPS, "{count} writes are fewer than there are steps");
    let deaths = (0..count).flat_map(|index| [Death::BeforeWrite(index), Death::AfterWrite(index)]);
    let died: Vec<bool> =
        stream::iter(deaths).map(|death| survives(death, &wanted)).buffer_unordered(AT_A_TIME).collect().await;
    let died = died.into_iter().filter(|died| *died).count();
    println!("{died} deaths at {count} writes");
    assert!(died >= 2 * STEPS, "only {died} operators died");
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_key() {
    let begins = |index: usize| async move {
        let world = World::new("begins").await;
        let writes = Writes::losing_answer(index);
        let client = api_server().client_through(USER_AGENT, &writes).await;
        let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        world.create(SHOP, json!({})).await;
        world.ready(SHOP).await;
        world.has_keys(1, &writes).await;
    };
    let goes_on = |index: usize| async move {
        let world = settled("goes-on").await;
        let writes = Writes::losing_answer(index);
        let client = api_server().client_through(USER_AGENT, &writes).await;
        let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        world.ask_for_key(&Timestamp::now().to_string()).await;
        world.key_operation("Completed", "").await;
        world.has_keys(2, &writes).await;
    };
    stream::iter(0..STEPS)
        .for_each_concurrent(2, |index| async move { tokio::join!(begins(index), goes_on(index)).1 })
        .await;
}

impl World {
    /// Makes sure that there are so many keys, all published, and no other comes.
    async fn has_keys(&self, count: usize, writes: &Writes) {
        self.quiet().await;
        let keys = self.keys().await;
        assert_eq!(keys.len(), count, "{writes}");
        assert_eq!(self.secret("shop-keys").await, keys.into_values().flatten().collect(), "{writes}");
    }
}

/// The key is made, and published; the status tells it, and an event.
const STEPS: usize = 4;
