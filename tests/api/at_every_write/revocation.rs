//! The operator dies at every write of a key's revocation, and of that of all keys, before it was sent and after: they are
//! revoked in the end, one other takes their place, and what they encrypted is removed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::everywhere;
use crate::support::api_server::api_server;
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::shape;
use crate::survival::world::{SHOP, World};

/// Which keys are revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// The one that encrypts.
    Active,
    /// All of two.
    All,
}

/// A cache that is ready and has an entry of the key that encrypts, with nobody to look after it. With the keys that are to
/// be revoked, and what names them in a request.
async fn settled(prefix: &str, which: Which) -> (World, BTreeSet<String>, String) {
    let world = World::new(prefix).await;
    let operator = Operator::start(&world.namespace).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    if which == Which::All {
        world.request("rotate-key", Timestamp::now(), "").await;
        world.outcome("RotateKey", "Completed").await;
    }
    let (id, entry) = world.encrypted().await;
    world.store("shop:entry", &entry).await;
    world.quiet().await;
    operator.kill().await;
    match which {
        Which::Active => (world, [id.to_string()].into(), id.to_string()),
        Which::All => {
            let ids = world.ids().await;
            assert_eq!(ids.len(), 2);
            (world, ids, "all".to_owned())
        }
    }
}

impl World {
    async fn is_revoked(&self) {
        self.outcome("RevokeKey", "Completed").await;
        self.quiet().await;
    }

    async fn ids(&self) -> BTreeSet<String> {
        self.key_ring().await.dates().members().iter().map(|member| member.id.to_string()).collect()
    }

    /// Watches for ever that applications that read the ring as it is published find a key that encrypts.
    async fn always_encrypts(&self) {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(100));
        loop {
            pace.tick().await;
            assert!(self.key_ring().await.dates().active(Timestamp::now()).is_some(), "no key encrypts");
        }
    }
}

/// The shape of a cache whose keys were revoked without a disturbance, and the number of writes that this took.
async fn undisturbed(which: Which) -> (Value, usize) {
    let (world, _, named) = settled("undisturbed", which).await;
    let writes = Writes::counted();
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    world.request("revoke-key", Timestamp::now(), &format!("{named} remove")).await;
    tokio::select! {
        () = world.always_encrypts() => {}
        () = world.is_revoked() => {}
    }
    println!("{writes}");
    (world.shape().await, writes.log().len())
}

/// Lets an operator die in the midst of it, and another one go on from there. Returns whether it came to that.
async fn survives(death: Death, which: Which, wanted: &Value) -> bool {
    let (world, ids, named) = settled("revocation", which).await;
    let writes = Writes::until(death);
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let mortal = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    world.request("revoke-key", Timestamp::now(), &format!("{named} remove")).await;
    let story = async {
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
        assert_eq!(ring.members().len(), ids.len() + 1, "{death:?}\n{writes}");
        let is_right = |id: String, is_revoked: bool| ids.contains(&id) == is_revoked;
        assert!(ring.members().iter().all(|member| is_right(member.id.to_string(), member.is_revoked)), "{death:?}");
        assert!(!world.has_entry("shop:entry").await, "{death:?}: what it encrypted is still there\n{writes}");
        heir.kill().await;
    };
    tokio::select! {
        () = world.always_encrypts() => {}
        () = story => {}
    }
    writes.dead()
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_a_revocation_leaves_what_another_one_completes() {
    let (wanted, count) = undisturbed(Which::Active).await;
    everywhere(count, STEPS, |death| survives(death, Which::Active, &wanted)).await;
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_the_revocation_of_all_keys_leaves_what_another_one_completes() {
    let (wanted, count) = undisturbed(Which::All).await;
    everywhere(count, STEPS + 1, |death| survives(death, Which::All, &wanted)).await;
}

/// The count is told, the key is made, the revocation too, and both are published; the end is told, with an event.
const STEPS: usize = 6;
