//! The operator dies at every write of an import and of a renewal, before it was sent and after: no key and no certificate is
//! lost, and none is made twice.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::everywhere;
use crate::behaviour::key_ring_inputs::{certificate, encrypted_to, old_ring, with_certificate, with_import};
use crate::support::api_server::api_server;
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::shape;
use crate::survival::world::{SHOP, World};

/// What becomes of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// A ring is taken over.
    Import,
    /// A certificate is renewed, and a key is made for the new one.
    Renewal,
}

/// Each key in a Secret of its own, and published; the certificates; the status tells it.
const STEPS: usize = 4;
/// The keys at the end.
const KEYS: usize = 2;

impl Change {
    /// A cache to which it has not come yet, with nobody to look after it.
    async fn settled(self) -> World {
        let world = World::new("inputs").await;
        let operator = Operator::start(&world.namespace).await;
        match self {
            Self::Import => {
                world.provide_ring(old_ring(10, &[1, 2])).await;
                world.create(SHOP, json!({"dataProtection": {"mode": "None"}})).await;
            }
            Self::Renewal => {
                world.certify(certificate("previous")).await;
                world.create(SHOP, with_certificate()).await;
            }
        }
        world.ready(SHOP).await;
        world.quiet().await;
        operator.kill().await;
        world
    }

    async fn begin(self, world: &World) {
        match self {
            Self::Import => world.edit("TokenCache", SHOP, json!({ "spec": with_import() })).await,
            Self::Renewal => {
                world.renew(certificate("current")).await;
                world.ask_for_key(&Timestamp::now().to_string()).await;
            }
        }
    }

    /// Waits until it is complete, and makes sure that nothing is lost or there twice.
    async fn complete(self, world: &World) {
        match self {
            Self::Import => {
                world.condition_says(SHOP, "KeyRingReady", "2 files of Secret old-ring are taken over").await;
            }
            Self::Renewal => {
                world.key_operation("Completed", "").await;
                world.certificates(&["current", "previous"]).await;
            }
        }
        world.ready(SHOP).await;
        world.quiet().await;
        let keys = world.keys().await;
        let ring = world.secret("shop-keys").await;
        assert_eq!((keys.len(), &ring), (KEYS, &keys.into_values().flatten().collect()));
        if self == Self::Renewal {
            let [first, second] = encrypted_to(&ring)[..] else { panic!("there are other keys") };
            assert!(first.is_some() && second.is_some() && first != second);
        }
        world.reads_all().await;
    }

    /// The shape of a cache to which it came without a disturbance, and the number of writes that this took.
    async fn undisturbed(self) -> (Value, usize) {
        let world = self.settled().await;
        let writes = Writes::counted();
        let client = api_server().client_through(USER_AGENT, &writes).await;
        let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        self.begin(&world).await;
        self.complete(&world).await;
        println!("{self:?}: {writes}");
        (world.shape().await, writes.log().len())
    }

    /// Lets an operator die in the midst of it, and another one go on from there. Returns whether it came to that.
    async fn survives(self, death: Death, wanted: &Value) -> bool {
        let world = self.settled().await;
        let writes = Writes::until(death);
        let client = api_server().client_through(USER_AGENT, &writes).await;
        let mortal = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
        self.begin(&world).await;
        tokio::select! {
            () = writes.death() => {}
            () = self.complete(&world) => {}
        }
        mortal.kill().await;
        let left = (world.keys().await, world.files("shop-keys-certificates").await);
        let heir = Operator::start(&world.namespace).await;
        self.complete(&world).await;
        let what = format!("{self:?}, {death:?}: the objects are those of an undisturbed run\n{writes}");
        world.has_shape(&what, wanted).await;
        shape::same(wanted, &world.shape().await).unwrap();
        let (keys, certificates) = (world.keys().await, world.files("shop-keys-certificates").await);
        assert!(
            left.0.iter().all(|(name, files)| keys.get(name) == Some(files)),
            "{death:?}: a key was lost\n{writes}"
        );
        let is_kept = |(name, file): (&String, &Vec<u8>)| certificates.get(name) == Some(file);
        assert!(left.1.iter().all(is_kept), "{death:?}: a certificate was lost\n{writes}");
        heir.kill().await;
        writes.dead()
    }

    async fn survives_every_write(self) {
        let (wanted, count) = self.undisturbed().await;
        everywhere(count, STEPS, |death| self.survives(death, &wanted)).await;
    }
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_an_import_leaves_what_another_one_completes() {
    Change::Import.survives_every_write().await;
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_a_renewal_leaves_what_another_one_completes() {
    Change::Renewal.survives_every_write().await;
}
