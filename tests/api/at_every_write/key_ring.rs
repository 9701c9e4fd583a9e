//! The operator dies at every write of a key that was asked for, before it was sent and after, or loses an answer: no key is
//! lost, and none is made twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use tokencache_operator::{
    api::v1alpha1::TokenCache,
    data_protection::{
        objects::COMPONENT,
        plan::{RingWrites, plan},
        ring::open::KeyRing,
        secrets::{RingSecrets, Surroundings},
        settings::Settings,
        state::RingState,
    },
    kubernetes::{
        identity::Wanted,
        object::Object,
        write::{Answer, WriteError, WriteErrorClass, execute},
    },
    redis::settings::Settings as RedisSettings,
};

use super::everywhere;
use crate::support::api_server::api_server;
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::shape;
use crate::survival::world::{SHOP, World};

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
    everywhere(count, STEPS, |death| survives(death, &wanted)).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_key_also_where_the_watch_never_shows_the_first() {
    let begins = |index: usize| async move {
        let world = World::new("begins").await;
        let writes = Writes::losing_answer(index).deaf();
        let client = api_server().client_through(USER_AGENT, &writes).await;
        let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        world.create(SHOP, json!({})).await;
        world.ready(SHOP).await;
        world.has_keys(1, &writes).await;
    };
    let goes_on = |index: usize| async move {
        let world = settled("goes-on").await;
        let writes = Writes::losing_answer(index).deaf();
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

#[tokio::test]
async fn two_operators_that_see_the_same_never_take_a_key_of_each_other_away() {
    let world = World::new("same-sight").await;
    world.create(SHOP, json!({})).await;
    let (one, other) = (world.ring_as_seen().await, world.ring_as_seen().await);
    one.carry_out(&world).await.unwrap();
    let first = world.secret("shop-keys").await;
    assert_eq!(first.len(), 1);
    other.carry_out(&world).await.unwrap();
    assert_eq!(world.secret("shop-keys").await, first, "it is there by now, and known to be less than there is");
    world.ring_as_seen().await.carry_out(&world).await.unwrap();
    let both = world.secret("shop-keys").await;
    assert_eq!(both, world.keys().await.into_values().flatten().collect());

    world.ask_for_key(&Timestamp::now().to_string()).await;
    let (one, other) = (world.ring_as_seen().await, world.ring_as_seen().await);
    one.carry_out(&world).await.unwrap();
    let three = world.secret("shop-keys").await;
    assert!(three.len() == 3 && both.iter().all(|(name, text)| three.get(name) == Some(text)));
    let refused = other.carry_out(&world).await.unwrap_err();
    assert_eq!(refused.class(), WriteErrorClass::Conflict, "{refused}");
    assert_eq!(world.secret("shop-keys").await, three);
    world.ring_as_seen().await.carry_out(&world).await.unwrap();
    let all = world.secret("shop-keys").await;
    assert_eq!((all.len(), &all), (4, &world.keys().await.into_values().flatten().collect()));
}

/// The ring as an operator sees it, which learns of nothing but its own writes.
struct Sight {
    settings: Settings,
    secrets: BTreeMap<String, Arc<Secret>>,
}

impl Sight {
    fn plan(&self) -> RingWrites {
        let files = self.secrets.iter().filter(|(name, _)| name.starts_with("shop-key-"));
        let files = files.map(|(_, secret)| Arc::clone(secret)).collect();
        let ring = Wanted { component: COMPONENT, fits: &|_: &Secret| true, is_restored: false };
        let ring = self.settings.owner.found(self.secrets.get("shop-keys").cloned(), &ring);
        let observed = RingSecrets::new(files, ring, BTreeMap::new(), Surroundings::default());
        let standing = RingState::read(&self.settings, &observed, &KeyRing::default(), Timestamp::now());
        plan(&self.settings, &observed, &standing, vec![])
    }

    async fn carry_out(mut self, world: &World) -> Result<(), WriteError> {
        loop {
            let plan = self.plan();
            if plan.is_empty() {
                return Ok(());
            }
            for write in plan.writes {
                match execute(&world.client, &write).await? {
                    Answer::Stored(Object::Secret(secret)) => drop(self.secrets.insert(secret.name_any(), secret)),
                    Answer::Taken(_) => return Ok(()),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

impl World {
    /// What an operator sees at this moment.
    async fn ring_as_seen(&self) -> Sight {
        let caches: Api<TokenCache> = Api::namespaced(self.client.clone(), &self.namespace);
        let cache = caches.get(SHOP).await.unwrap();
        let owner = RedisSettings::parse(&cache).unwrap().owner;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let there = secrets.list(&ListParams::default()).await.unwrap().items.into_iter();
        let secrets = there.map(|secret| (secret.name_any(), Arc::new(secret))).collect();
        Sight { settings: Settings::parse(owner, &cache).unwrap(), secrets }
    }

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
