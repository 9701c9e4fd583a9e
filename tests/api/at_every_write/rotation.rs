//! The operator dies at every write of a change of the applications' password, before it was sent and after: nobody is
//! refused who has the published password, or the earlier one within the overlap, and no third password is made.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use serde_json::{Value, json};
use tokencache_operator::redis::credentials::rotation::record::PUBLISHED_ANNOTATION;

use super::{between, everywhere};
use crate::support::api_server::api_server;
use crate::support::eventually::eventually;
use crate::support::faults::{Death, Writes};
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::login::log_in;
use crate::survival::shape;
use crate::survival::world::{POD, SHOP, World, password};

/// The overlap of these tests: long enough that a death and a new start fit into it.
const OVERLAP: SignedDuration = SignedDuration::from_secs(4);

/// The words with which a server refuses a password.
const REFUSALS: [&str; 3] = ["WRONGPASS", "NOAUTH", "AUTH failed"];

impl World {
    /// Asks for another password of the applications, as of now.
    pub async fn ask_for_password(&self) -> String {
        let now = Timestamp::now().to_string();
        self.ask_for_password_as_of(&now).await;
        now
    }

    /// Asks for another password of the applications, with this value.
    pub async fn ask_for_password_as_of(&self, value: &str) {
        let annotations = json!({"tokencache.dev/rotate-password-requested": value});
        self.edit("TokenCache", SHOP, json!({"metadata": {"annotations": annotations}})).await;
    }

    /// Waits until the operation has this stage and says this, and returns it.
    pub async fn operation(&self, stage: &str, words: &str) -> Value {
        let wanted = |seen: &Value| {
            let operation = &seen["operations"][0];
            operation["stage"] == stage && operation["message"].as_str().is_some_and(|message| message.contains(words))
        };
        self.status(SHOP, &format!("the operation is {stage} and says {words:?}"), wanted).await["operations"][0]
            .clone()
    }

    /// Whether the server refuses a password of the applications. That it does not answer is no refusal.
    pub async fn refuses(&self, password: &str) -> bool {
        let answer = self.ping(password).await;
        answer.is_err_and(|answer| REFUSALS.iter().any(|code| answer.contains(code)))
    }

    /// Watches for ever that nobody is refused who has the published password, or `old` while that is to be valid. Panics
    /// where somebody is.
    pub async fn nobody_is_refused(&self, old: &str, overlap: SignedDuration) {
        // Often enough to see it, and not so often that the looking is all that the machine does.
        let mut pace = tokio::time::interval(Duration::from_millis(200));
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        loop {
            pace.tick().await;
            let Some(binding) = secrets.get_opt("shop-redis").await.unwrap() else { continue };
            let Some(published) = password(&binding) else { continue };
            let address = self.kubelet.pod(POD).address().await;
            // That it does not answer is no refusal.
            let is_refused = async |password: &str| {
                let answer = log_in(&binding, address, password).await;
                answer.is_ok_and(|answer| REFUSALS.iter().any(|code| answer.contains(code)))
            };
            assert!(!is_refused(&published).await, "the published password is refused");
            let refused = is_refused(old).await;
            let since = binding.metadata.annotations.unwrap_or_default().remove(PUBLISHED_ANNOTATION);
            let ends = since.map(|since| since.parse::<Timestamp>().unwrap() + overlap);
            assert!(!refused || ends.is_some_and(|ends| Timestamp::now() >= ends), "the old one is refused too early");
        }
    }

    async fn next_password(&self) -> Option<String> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        password(&secrets.get_opt("shop-redis-rotation").await.unwrap()?)
    }
}

/// A cache that is ready, with nobody to look after it, and the password that it begins with.
async fn settled(prefix: &str) -> (World, String) {
    let world = World::new(prefix).await;
    let operator = Operator::start(&world.namespace).await;
    let overlap = format!("{}s", OVERLAP.as_secs());
    world.create(SHOP, json!({"redis": {"passwordRotation": {"overlap": overlap}}})).await;
    world.ready(SHOP).await;
    world.quiet().await;
    operator.kill().await;
    let [_, old] = world.passwords().await;
    (world, old.unwrap())
}

/// What begins a rotation.
#[derive(Clone, Copy)]
enum Cause {
    Request,
    LostBinding,
}

impl Cause {
    async fn begin(self, world: &World) {
        match self {
            Self::Request => drop(world.ask_for_password().await),
            Self::LostBinding => world.delete("Secret", "shop-redis").await,
        }
    }
}

/// The shape of a cache whose password changed without a disturbance, and the number of writes that this took.
async fn undisturbed(cause: Cause) -> (Value, usize) {
    let (world, old) = settled("undisturbed").await;
    let writes = Writes::counted();
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    cause.begin(&world).await;
    tokio::select! {
        () = world.nobody_is_refused(&old, OVERLAP) => {}
        () = async { world.operation("Completed", "").await; world.quiet().await } => {}
    }
    println!("{writes}");
    (world.shape().await, writes.log().len())
}

/// Lets an operator die in the midst of a rotation, and another one go on from there. Returns whether it came to that.
async fn survives(cause: Cause, death: Death, wanted: &Value) -> bool {
    let (world, old) = settled("rotation").await;
    let writes = Writes::until(death);
    let client = api_server().client_through(USER_AGENT, &writes).await;
    let mortal = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    cause.begin(&world).await;
    let story = async {
        tokio::select! {
            () = writes.death() => {}
            () = async { world.operation("Completed", "").await; world.quiet().await } => {}
        }
        mortal.kill().await;
        let left = world.next_password().await;
        let heir = Operator::start(&world.namespace).await;
        world.operation("Completed", "").await;
        world.has_shape(&format!("{death:?}: the objects are those of an undisturbed run\n{writes}"), wanted).await;
        let [_, new] = world.passwords().await;
        let new = new.unwrap();
        assert!(new != old, "{death:?}: the password is the old one\n{writes}");
        assert!(left.is_none_or(|left| left == new), "{death:?}: a password was made anew\n{writes}");
        eventually("the old password is refused", async || {
            if world.refuses(&old).await { Ok(()) } else { Err("it is taken".to_owned()) }
        })
        .await;
        world.quiet().await;
        shape::same(wanted, &world.shape().await).unwrap();
        let blames = ["DriftCorrected", "NewPassword", "PasswordMismatch", "PasswordRotationBlocked"];
        let mut events = world.events(SHOP).await;
        events.retain(|event| event.reason.as_deref().is_some_and(|reason| blames.contains(&reason)));
        let told: Vec<_> = events.into_iter().filter_map(|event| event.note).collect();
        assert!(told.is_empty(), "{death:?}: {told:#?}\n{writes}");
        heir.kill().await;
    };
    tokio::select! {
        () = world.nobody_is_refused(&old, OVERLAP) => {}
        () = story => {}
    }
    writes.dead()
}

#[tokio::test]
async fn an_operator_that_dies_at_any_write_of_a_rotation_leaves_what_another_one_completes_and_nobody_is_refused() {
    let (wanted, count) = undisturbed(Cause::Request).await;
    everywhere(count, STEPS, |death| survives(Cause::Request, death, &wanted)).await;
}

#[tokio::test]
async fn an_operator_that_dies_after_any_write_once_the_binding_is_lost_leaves_what_another_one_completes_and_nobody_is_refused()
 {
    let (wanted, count) = undisturbed(Cause::LostBinding).await;
    between(count, STEPS, |death| survives(Cause::LostBinding, death, &wanted)).await;
}

/// The Secret of the rotation is made, dated and deleted; the users are written twice, the binding once; and at least three
/// stages are told, each with an event.
const STEPS: usize = 12;
