//! Secrets that many caches name.

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokencache_operator::api::v1alpha1::RECONCILE_ANNOTATION;

use super::scene::{World, condition, operated};
use crate::support::api_server::api_server;
use crate::support::audit::{Mark, Request};
use crate::support::eventually::eventually;

/// The Secret that all of them name.
const SHARED: &str = "shared-certificate";
const CACHES: usize = 100;
/// How many are made, or asked about, at a time.
const AT_A_TIME: usize = 10;

fn name(index: usize) -> String {
    format!("cache-{index:02}")
}

impl World {
    /// A cache that looks and reports, and makes nothing.
    async fn create_paused(&self, name: &str, tls: Value) {
        let annotations = json!({RECONCILE_ANNOTATION.key(): "paused"});
        let body = json!({"metadata": {"name": name, "annotations": annotations}, "spec": {"redis": {"tls": tls}}});
        self.make("TokenCache", body).await.unwrap();
    }

    /// Waits until each cache says this of its certificate.
    async fn all_say(&self, reason: &str) {
        let say = |index: usize| async move {
            let is_said = |seen: &Value| condition(seen, "TlsReady")["reason"] == reason;
            self.status(&name(index), &format!("{} says {reason}", name(index)), is_said).await;
        };
        stream::iter(0..CACHES).for_each_concurrent(AT_A_TIME, say).await;
    }

    /// What was asked about a Secret by its name: all lists and watches of it, and each as it began and ended.
    fn asked_about(&self, secret: &str) -> Vec<Request> {
        let mut requests = api_server().audit_log().since(Mark::default(), &self.namespace);
        requests.retain(|request| request.object_ref.resource == "secrets" && request.uri.contains(secret));
        requests
    }

    /// The watches of a Secret that have begun and ended.
    fn watches(&self, secret: &str) -> (usize, usize) {
        let asked = self.asked_about(secret);
        let at = |stage| asked.iter().filter(|request| request.verb == "watch" && request.stage == stage).count();
        (at("ResponseStarted"), at("ResponseComplete"))
    }
}

#[tokio::test]
async fn a_secret_that_many_caches_name_is_watched_once_and_wakes_all_of_them_and_the_watch_ends_with_the_last() {
    let (world, _operator) = operated("named").await;
    let world = &world;
    let make = |index| async move {
        world.create_paused(&name(index), json!({"mode": "Secret", "secretName": SHARED})).await;
    };
    stream::iter(0..CACHES).for_each_concurrent(AT_A_TIME, make).await;
    world.all_say("CertificateMissing").await;
    let secret = json!({"metadata": {"name": SHARED}, "stringData": {"tls.crt": "a", "tls.key": "b", "ca.crt": "c"}});
    world.make("Secret", secret).await.unwrap();
    world.all_say("CertificateMalformed").await;
    world.delete("Secret", SHARED).await;
    world.all_say("CertificateMissing").await;
    assert_eq!(world.watches(SHARED), (1, 0));
    let gets = world.asked_about(SHARED).iter().filter(|request| request.verb == "get").count();
    assert!(
        gets < CACHES,
        "{gets} reads for three states of it: as many passes run at a time, and no more, may ask for one"
    );

    let another = json!({"mode": "Secret", "secretName": "another-certificate"});
    world.edit("TokenCache", &name(0), json!({"spec": {"redis": {"tls": another}}})).await;
    world
        .edit("TokenCache", &name(1), json!({"spec": {"redis": {"tls": {"mode": "Managed", "secretName": null}}}}))
        .await;
    for index in 2..CACHES - 1 {
        world.delete("TokenCache", &name(index)).await;
    }
    let begun = async || if world.watches("another-certificate").0 == 1 { Ok(()) } else { Err(String::new()) };
    eventually("the other Secret is watched", begun).await;
    assert_eq!(world.watches(SHARED), (1, 0), "one still names it");
    world.delete("TokenCache", &name(CACHES - 1)).await;
    eventually("the watch has ended", async || {
        let watches = world.watches(SHARED);
        if watches == (1, 1) { Ok(()) } else { Err(format!("{watches:?}")) }
    })
    .await;
}
