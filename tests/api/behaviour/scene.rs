//! Questions that these tests ask beside those of [`World`].

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use tokencache_operator::condition::{Effect, Reason};

use crate::support::api_server::api_server;
use crate::support::eventually::eventually;
use crate::support::operator::{Operator, USER_AGENT};
pub use crate::survival::history::History;
pub use crate::survival::world::{POD, SHOP, World, condition};

/// The time between two looks in tests about what a single look finds: long enough that the pass after it sees it.
pub const PERIOD: Duration = Duration::from_secs(2);

/// A namespace with a cache `shop` that is ready, looked at with [`PERIOD`], and the operator that made it.
pub async fn shop(prefix: &str) -> (World, Operator) {
    let (world, operator) = operated(prefix).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    (world, operator)
}

/// An empty namespace, and an operator.
pub async fn operated(prefix: &str) -> (World, Operator) {
    let world = World::new(prefix).await;
    let operator = operator_of(&world).await;
    (world, operator)
}

/// Another operator for the same namespace.
pub async fn operator_of(world: &World) -> Operator {
    Operator::start_with(api_server().client(USER_AGENT).await, &world.namespace, PERIOD)
}

impl World {
    /// A pod of an application that does nothing but run, with this in its container beside a command, and these volumes.
    pub async fn application(&self, name: &str, mut container: Value, volumes: &Value) {
        container["name"] = "app".into();
        container["image"] = "registry.example/app:1".into();
        container["command"] = json!(["sleep", "1000"]);
        let spec = json!({"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0});
        // The account that it gets is made a moment after its namespace.
        eventually("the pod is accepted", async || {
            let made = self.make("Pod", json!({"metadata": {"name": name}, "spec": spec})).await;
            made.map(drop).map_err(|error| error.to_string())
        })
        .await;
        eventually("the application runs", async || {
            let phase = self.get("Pod", name).await["status"]["phase"].clone();
            if phase == "Running" { Ok(()) } else { Err(phase.to_string()) }
        })
        .await;
    }

    /// What a `ConfigMap` holds.
    pub async fn config_map(&self, name: &str) -> BTreeMap<String, String> {
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        config_maps.get(name).await.unwrap().data.unwrap_or_default()
    }

    /// What the server of a cache answers its user `app`.
    pub async fn app(&self, name: &str, words: &[&str]) -> String {
        let password = self.secret(&format!("{name}-redis")).await["password"].clone();
        self.kubelet.pod(&format!("{name}-redis-0")).redis_cli(6380, Some(("app", &password)), words).await
    }

    /// What the server of a cache answers its user `operator`, whose login somebody has got hold of.
    pub async fn intruder(&self, name: &str, words: &[&str]) -> String {
        let password = self.secret(&format!("{name}-redis-operator")).await["password"].clone();
        self.kubelet.pod(&format!("{name}-redis-0")).redis_cli(6380, Some(("operator", &password)), words).await
    }

    /// Does something as somebody who may do everything, until the operator throws them out: as often as it takes.
    pub async fn as_anybody(&self, name: &str, words: &[&str]) {
        let pod = self.kubelet.pod(&format!("{name}-redis-0"));
        eventually(&format!("{words:?} is done"), async || {
            self.intruder(name, &["ACL", "SETUSER", "mallory", "on", ">sesame", "~*", "&*", "+@all"]).await;
            let answer = pod.try_redis_cli(6380, Some(("mallory", "sesame")), words).await?;
            // One that is taken away between the two is refused.
            let refused = ["NOAUTH", "WRONGPASS", "AUTH failed"].iter().any(|code| answer.contains(code));
            if refused { Err(answer) } else { Ok(()) }
        })
        .await;
    }

    /// Waits until a setting of the server reads so.
    pub async fn setting(&self, name: &str, parameter: &str, wanted: &str) {
        let password = self.secret(&format!("{name}-redis-operator")).await["password"].clone();
        let server = self.kubelet.pod(&format!("{name}-redis-0"));
        eventually(&format!("{parameter} of {name} is {wanted}"), async || {
            // While the server is replaced there is no answer.
            let read = server.try_redis_cli(6380, Some(("operator", &password)), &["CONFIG", "GET", parameter]).await?;
            if read == format!("{parameter}\n{wanted}") { Ok(()) } else { Err(read) }
        })
        .await;
    }

    /// All events of the operator about an object.
    pub async fn events(&self, name: &str) -> Vec<Event> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let about = |event: &Event| {
            event.reporting_controller.as_deref() == Some("tokencache.dev/operator")
                && event.regarding.as_ref().is_some_and(|regarding| regarding.name.as_deref() == Some(name))
        };
        events.list(&ListParams::default()).await.unwrap().items.into_iter().filter(about).collect()
    }

    /// Waits for an event of this reason about an object, and returns its note.
    pub async fn event(&self, name: &str, reason: &str) -> String {
        let event = eventually(&format!("an event {reason} about {name}"), async || {
            let events = self.events(name).await;
            let found = events.iter().find(|event| event.reason.as_deref() == Some(reason)).cloned();
            found.ok_or_else(|| format!("{:?}", events.iter().map(|event| &event.reason).collect::<Vec<_>>()))
        })
        .await;
        event.note.unwrap()
    }

    /// Watches every status of a cache from now on.
    pub async fn watch(&self, name: &str) -> History {
        let history = History::of(self, name);
        let begun = async || if history.len() > 0 { Ok(()) } else { Err("nothing is seen".to_owned()) };
        eventually("the watch has begun", begun).await;
        history
    }
}

/// Waits until a condition has had this status and reason, perhaps only for a moment.
pub async fn has_been(history: &History, of: &str, status: &str, reason: &str) {
    let wanted = format!("{status} {reason}");
    eventually(&format!("{of} has been {wanted}"), async || {
        let seen = history.of_condition(of);
        if seen.contains(&wanted) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

/// Whether this condition is among the warnings of the status.
pub fn warns_of(status: &Value, condition: &str) -> bool {
    let warns = |each: &&Value| {
        let effect = Reason::named(each["reason"].as_str().unwrap()).unwrap().effect();
        let warns = match each["status"].as_str().unwrap() {
            "True" => effect != Effect::Note,
            "False" => effect == Effect::Risk,
            _ => false,
        };
        warns && each["type"] != "Ready" && each["type"] != "Stalled"
    };
    let warnings = status["conditions"].as_array().unwrap().iter().filter(warns);
    let warnings: Vec<&str> = warnings.map(|each| each["type"].as_str().unwrap()).collect();
    assert_eq!(status["warnings"], warnings.len(), "{warnings:?}");
    assert_eq!(status["warned"].as_str().unwrap_or_default(), warnings.join(","));
    warnings.contains(&condition)
}
