//! One namespace with a stand-in for kubelet, and the questions that these tests ask about what is in it.

use std::collections::BTreeMap;
use std::path::Path;

use futures::future::join_all;
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, StatefulSet},
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokencache_operator::api::v1alpha1::TokenCache;

use super::shape;
use crate::support::api_server::{ApiServer, api_server};
use crate::support::eventually::eventually;
use crate::support::kubelet::Kubelet;
use crate::support::namespace::fresh_namespace;
use crate::support::operator::{Operator, USER_AGENT};

/// The name of the cache in most tests, and of its server's pod.
pub const SHOP: &str = "shop";
pub const POD: &str = "shop-redis-0";

/// What a cache's Redis consists of: kind and name, in the order in which a stranger in their place is named.
pub const PARTS: [(&str, &str); 11] = [
    ("ServiceAccount", "shop-redis"),
    ("Service", "shop-redis"),
    ("Service", "shop-redis-headless"),
    ("ConfigMap", "shop-redis-config"),
    ("ConfigMap", "shop-settings"),
    ("StatefulSet", "shop-redis"),
    ("Secret", "shop-redis-operator"),
    ("Secret", "shop-redis-users"),
    ("Secret", "shop-redis"),
    ("Secret", "shop-redis-ca"),
    ("Secret", "shop-redis-tls"),
];

/// The published key ring. A stranger in its place keeps no server from running.
pub const RING: (&str, &str) = ("Secret", "shop-keys");

/// Who reaches the servers. A stranger in its place keeps no server from running either.
pub const POLICY: (&str, &str) = ("NetworkPolicy", "shop-redis");

/// One test's namespace.
pub struct World {
    pub client: Client,
    pub namespace: String,
    pub kubelet: Kubelet,
}

/// A kind by its name.
pub fn kind(kind: &str) -> ApiResource {
    match kind {
        "TokenCache" => ApiResource::erase::<TokenCache>(&()),
        "ServiceAccount" => ApiResource::erase::<ServiceAccount>(&()),
        "Service" => ApiResource::erase::<Service>(&()),
        "NetworkPolicy" => ApiResource::erase::<NetworkPolicy>(&()),
        "ConfigMap" => ApiResource::erase::<ConfigMap>(&()),
        "StatefulSet" => ApiResource::erase::<StatefulSet>(&()),
        "ControllerRevision" => ApiResource::erase::<ControllerRevision>(&()),
        "Secret" => ApiResource::erase::<Secret>(&()),
        "Pod" => ApiResource::erase::<Pod>(&()),
        "PersistentVolumeClaim" => ApiResource::erase::<PersistentVolumeClaim>(&()),
        other => panic!("no test asks about {other}"),
    }
}

impl World {
    /// An empty namespace.
    pub async fn new(prefix: &str) -> Self {
        Self::on(api_server(), prefix).await
    }

    /// An empty namespace of this cluster.
    pub async fn on(server: &ApiServer, prefix: &str) -> Self {
        let client = server.client("tests").await;
        let namespace = fresh_namespace(&client, prefix).await;
        let kubelet = Kubelet::start(server.client("kubelet").await, &namespace).await;
        Self { client, namespace, kubelet }
    }

    /// A namespace with a cache `shop` that is ready, and the operator that made it.
    pub async fn with_shop(prefix: &str) -> (Self, Operator) {
        let world = Self::new(prefix).await;
        let operator = Operator::start(&world.namespace).await;
        world.create(SHOP, json!({})).await;
        world.ready(SHOP).await;
        (world, operator)
    }

    pub fn api(&self, of: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind(of))
    }

    /// Makes a cache with this spec, as it was written.
    pub async fn create(&self, name: &str, spec: Value) -> DynamicObject {
        self.try_create(name, spec).await.unwrap()
    }

    pub async fn try_create(&self, name: &str, spec: Value) -> Result<DynamicObject, kube::Error> {
        self.make("TokenCache", json!({"metadata": {"name": name}, "spec": spec})).await
    }

    /// Makes an object of any kind.
    pub async fn make(&self, of: &str, body: Value) -> Result<DynamicObject, kube::Error> {
        make_in(&self.client, &self.namespace, of, body).await
    }

    /// Changes an object by hand, with a merge patch.
    pub async fn edit(&self, of: &str, name: &str, patch: Value) {
        self.api(of).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub async fn get(&self, of: &str, name: &str) -> Value {
        serde_json::to_value(self.api(of).get(name).await.unwrap()).unwrap()
    }

    pub async fn uid(&self, of: &str, name: &str) -> Option<String> {
        self.api(of).get_opt(name).await.unwrap().and_then(|object| object.uid())
    }

    pub async fn delete(&self, of: &str, name: &str) {
        self.api(of).delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// Deletes a pod, and waits until its `StatefulSet` has made another one.
    pub async fn replace_pod(&self, name: &str) {
        let before = self.uid("Pod", name).await;
        self.delete("Pod", name).await;
        eventually("there is another pod", async || {
            let now = self.uid("Pod", name).await;
            if now.is_some() && now != before { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
    }

    /// Waits until the status is as wanted, and returns it.
    pub async fn status(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            let cache = self.api("TokenCache").get(name).await.map_err(|error| error.to_string())?;
            let seen = cache.data["status"].clone();
            let current = seen["observedGeneration"].as_i64() == cache.metadata.generation;
            if current && wanted(&seen) { Ok(seen) } else { Err(format!("{seen:#}\n{}", self.kubelet.logs())) }
        })
        .await
    }

    /// Waits until a condition has this status and reason, and returns its message.
    pub async fn condition(&self, name: &str, of: &str, status: &str, reason: &str) -> String {
        let wanted = |seen: &Value| {
            let condition = condition(seen, of);
            condition["status"] == status && condition["reason"] == reason
        };
        let seen = self.status(name, &format!("{of} of {name} is {status} because of {reason}"), wanted).await;
        condition(&seen, of)["message"].as_str().unwrap().to_owned()
    }

    /// What helps against what a condition tells of now, as JSON.
    pub async fn remedies(&self, name: &str, of: &str) -> String {
        let status = self.get("TokenCache", name).await["status"].clone();
        let all = status["remedies"].as_array().into_iter().flatten();
        all.filter(|remedies| remedies["condition"] == of).map(|remedies| remedies["remedies"].to_string()).collect()
    }

    /// Waits until the message of a condition contains this.
    pub async fn condition_says(&self, name: &str, of: &str, words: &str) {
        let says = |seen: &Value| condition(seen, of)["message"].as_str().is_some_and(|text| text.contains(words));
        self.status(name, &format!("{of} of {name} says {words}"), says).await;
    }

    /// Waits until a cache says that it is ready.
    pub async fn ready(&self, name: &str) -> Value {
        let wanted = |seen: &Value| condition(seen, "Ready")["status"] == "True";
        self.status(name, &format!("{name} is ready"), wanted).await
    }

    /// Every object of the cache's kinds in the namespace, but what Kubernetes puts into every namespace.
    pub async fn objects(&self) -> Vec<Value> {
        let kinds = [
            "ServiceAccount",
            "NetworkPolicy",
            "Service",
            "ConfigMap",
            "StatefulSet",
            "Secret",
            "ControllerRevision",
            "Pod",
        ];
        let lists = join_all(kinds.map(async |of| {
            let list = self.api(of).list(&ListParams::default()).await.unwrap();
            let typed = |object: DynamicObject| {
                let mut object = serde_json::to_value(object).unwrap();
                object["kind"] = of.into();
                object
            };
            list.items.into_iter().map(typed).collect::<Vec<_>>()
        }));
        let everywhere = |object: &Value| {
            let name = object["metadata"]["name"].as_str().unwrap();
            matches!((object["kind"].as_str().unwrap(), name), ("ServiceAccount", "default"))
                || name == "kube-root-ca.crt"
        };
        lists.await.into_iter().flatten().filter(|object| !everywhere(object)).collect()
    }

    /// Kinds and names of [`Self::objects`].
    pub async fn names(&self) -> Vec<String> {
        let name = |object: &Value| {
            [&object["kind"], &object["metadata"]["name"]].map(|word| word.as_str().unwrap().to_owned())
        };
        self.objects().await.iter().map(|object| name(object).join(" ")).collect()
    }

    /// The cache's objects without what differs from one run to another: see [`shape`].
    pub async fn shape(&self) -> Value {
        shape::shape(&self.objects().await, &self.namespace)
    }

    /// As [`Self::shape`], without the count of pods and revisions, which says how the cache came to be as it is.
    pub async fn parts(&self) -> Value {
        let mut shape = self.shape().await;
        shape.as_object_mut().unwrap().retain(|name, _| name.contains(' '));
        shape
    }

    /// Waits until the cache's parts are as these.
    pub async fn has_parts(&self, what: &str, wanted: &Value) {
        eventually(what, async || shape::same(wanted, &self.parts().await)).await;
    }

    /// Waits until the cache's objects have this shape.
    pub async fn has_shape(&self, what: &str, wanted: &Value) {
        eventually(what, async || shape::same(wanted, &self.shape().await)).await;
    }

    /// The operator's password and the applications', where they exist.
    pub async fn passwords(&self) -> [Option<String>; 2] {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let of = async |name: &str| password(&secrets.get_opt(name).await.unwrap()?);
        [of("shop-redis-operator").await, of("shop-redis").await]
    }

    /// The private keys of the authority and of the server, where they exist.
    pub async fn private_keys(&self) -> [Option<Vec<u8>>; 2] {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let of = async |name: &str| secrets.get_opt(name).await.unwrap()?.data?.remove("tls.key").map(|key| key.0);
        [of("shop-redis-ca").await, of("shop-redis-tls").await]
    }

    /// The files in the Secret of each key, by the Secret's name.
    pub async fn keys(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = secrets.list(&ListParams::default()).await.unwrap().items.into_iter();
        let of_key = list.filter(|secret| secret.name_any().starts_with("shop-key-"));
        let texts = |secret: Secret| {
            let data = secret.data.unwrap_or_default();
            data.into_iter().map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect()
        };
        of_key.map(|secret| (secret.name_any(), texts(secret))).collect()
    }

    /// Whether the live server takes this password of the user `app`: PONG, or what it says instead.
    pub async fn ping(&self, password: &str) -> Result<(), String> {
        let answer = self.kubelet.pod(POD).try_redis_cli(6380, Some(("app", password)), &["PING"]).await?;
        if answer == "PONG" { Ok(()) } else { Err(answer) }
    }

    /// The text of each key of a Secret.
    pub async fn secret(&self, name: &str) -> BTreeMap<String, String> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let data = secrets.get(name).await.unwrap().data.unwrap_or_default();
        data.into_iter().map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect()
    }

    /// The bytes of each key of a Secret; nothing, where there is none.
    pub async fn files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let data = secrets.get_opt(name).await.unwrap().and_then(|secret| secret.data).unwrap_or_default();
        data.into_iter().map(|(key, value)| (key, value.0)).collect()
    }

    /// Whether a client that trusts the published bundle gets an answer over TLS: PONG, or what it gets instead.
    pub async fn ping_trusting_the_bundle(&self) -> Result<(), String> {
        let binding = self.secret("shop-redis").await;
        let folder = tempfile::tempdir().unwrap();
        let trusted = folder.path().join("ca.crt");
        std::fs::write(&trusted, &binding["ca.crt"]).unwrap();
        let answer = ping_over_tls(&binding, &self.kubelet.pod(POD).address().await.to_string(), &trusted).await;
        if answer.trim() == "PONG" { Ok(()) } else { Err(answer) }
    }

    /// What the operator has written here since a moment in the audit log.
    pub fn writes_since(&self, mark: crate::support::audit::Mark) -> Vec<crate::support::audit::Request> {
        api_server().audit_log().writes_since(mark, &self.namespace, USER_AGENT)
    }

    /// Waits until the operator has written nothing for a while: two of its probe periods.
    pub async fn quiet(&self) {
        let log = api_server().audit_log();
        let (mut mark, mut since) = (log.mark(), std::time::Instant::now());
        let mut last = Vec::new();
        eventually("the operator has nothing more to write", async || {
            let seen = log.next_writes(&mut mark, &self.namespace, USER_AGENT);
            if !seen.is_empty() {
                (last, since) = (seen, std::time::Instant::now());
            }
            if since.elapsed() > super::TWO_PERIODS { Ok(()) } else { Err(format!("{last:?}")) }
        })
        .await;
    }
}

/// What the server at an address answers the user of a binding, if whoever is trusted here vouches for it.
pub async fn ping_over_tls(binding: &BTreeMap<String, String>, address: &str, trusted: &Path) -> String {
    let output = tokio::process::Command::new("redis-cli")
        .args(["--tls", "--cacert"])
        .arg(trusted)
        .args(["--sni", &binding["host"], "-h", address, "-p", &binding["port"], "--user", "app", "PING"])
        .env("REDISCLI_AUTH", &binding["password"])
        .output()
        .await
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The password in a Secret, where there is one.
pub fn password(secret: &Secret) -> Option<String> {
    let password = secret.data.as_ref()?.get("password")?;
    Some(String::from_utf8(password.0.clone()).unwrap())
}

/// A condition of a status.
pub fn condition<'a>(status: &'a Value, of: &str) -> &'a Value {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|each| each["type"] == of).unwrap_or(&Value::Null)
}

/// Makes an object of this kind.
pub async fn make_in(
    client: &Client,
    namespace: &str,
    of: &str,
    mut body: Value,
) -> Result<DynamicObject, kube::Error> {
    let resource = kind(of);
    body["apiVersion"] = resource.api_version.clone().into();
    body["kind"] = resource.kind.clone().into();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    api.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await
}
