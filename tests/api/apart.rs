//! In a cluster of their own: a thousand caches at once, and caches from another version's CRD.

mod statuses;

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokencache_operator::controller::Scope;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::support::api_server::{ApiServer, the_crd};
use crate::support::eventually::{never, within};
use crate::support::namespace::fresh_namespace;
use crate::support::operator::{Operator, PROBE_PERIOD, USER_AGENT};
use crate::survival::TWO_PERIODS;
use crate::survival::world::{SHOP, World, condition, kind};

const CROWD: usize = 1000;
/// For a thousand caches: each needs some thirty requests, and two cores are shared with all that answer them and with
/// the tests beside.
const PATIENCE: Duration = Duration::from_mins(10);
/// An eviction policy that this version does not know.
const OF_A_LATER_VERSION: &str = "allkeys-lrm";

/// The cluster of these tests, whose CRD is a later version's. One test at a time: an operator here sees all of it.
async fn elsewhere() -> (&'static ApiServer, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::const_new(());
    static ELSEWHERE: OnceCell<ApiServer> = OnceCell::const_new();
    let turn = TURN.lock().await;
    let server = ELSEWHERE
        .get_or_init(|| async {
            let mut crd = serde_json::to_value(the_crd()).unwrap();
            let policies = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/redis/properties/evictionPolicy/enum";
            crd.pointer_mut(policies).unwrap().as_array_mut().unwrap().push(OF_A_LATER_VERSION.into());
            let crd: CustomResourceDefinition = serde_json::from_value(crd).unwrap();
            tokio::task::spawn_blocking(move || ApiServer::another(&crd)).await.unwrap()
        })
        .await;
    (server, turn)
}

#[tokio::test]
async fn a_cache_that_this_version_cannot_read_is_told_so_and_hinders_no_other() {
    let (server, _turn) = elsewhere().await;
    let world = World::on(server, "later").await;
    let client = server.client(USER_AGENT).await;
    let _operator = Operator::start_with(client, &world.namespace, PROBE_PERIOD);
    let policy = |policy: &str| json!({"redis": {"evictionPolicy": policy}});
    world.create("later", policy(OF_A_LATER_VERSION)).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let message = world.condition("later", "SpecValid", "False", "Invalid").await;
    assert!(message.contains("cannot be read by this version") && message.contains(OF_A_LATER_VERSION), "{message}");
    is_said_once(&world, "later").await;
    world.edit("TokenCache", "later", json!({"spec": policy("volatile-lfu")})).await;
    world.ready("later").await;

    let before = world.ready(SHOP).await;
    world.edit("TokenCache", SHOP, json!({"spec": policy(OF_A_LATER_VERSION)})).await;
    world.condition(SHOP, "SpecValid", "False", "Invalid").await;
    is_said_once(&world, SHOP).await;
    let now = world.get("TokenCache", SHOP).await["status"].clone();
    assert_eq!((&now["binding"], &now["redis"]), (&before["binding"], &before["redis"]), "what runs stays published");
    let app = world.passwords().await[1].clone().unwrap();
    world.ping(&app).await.unwrap();
}

/// The object is not written again and again.
async fn is_said_once(world: &World, name: &str) {
    let version = async || world.get("TokenCache", name).await["metadata"]["resourceVersion"].clone();
    let before = version().await;
    never(TWO_PERIODS, "nothing more is said", async || {
        let now = version().await;
        (now != before).then(|| now.to_string())
    })
    .await;
}

async fn create(client: &Client, namespace: &str, index: usize) {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind("TokenCache"));
    let body = json!({
        "apiVersion": "tokencache.dev/v1alpha1", "kind": "TokenCache",
        "metadata": {"name": format!("cache-{index}")}, "spec": {},
    });
    api.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
}

/// Waits until every cache of the crowd has its server's `StatefulSet` and says how it is.
async fn all_served(client: &Client, namespace: &str) {
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let caches: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind("TokenCache"));
    within(PATIENCE, "each of a thousand caches has its StatefulSet", async || {
        // One of them and the number of the others: a list of all would be most of what the server does.
        let first = sets.list_metadata(&ListParams::default().limit(1)).await.unwrap();
        let others = usize::try_from(first.metadata.remaining_item_count.unwrap_or_default()).unwrap();
        let made = first.items.len() + others;
        if made == CROWD { Ok(()) } else { Err(made.to_string()) }
    })
    .await;
    within(PATIENCE, "each of a thousand caches says how it is", async || {
        let said = |cache: &DynamicObject| {
            let status: &Value = &cache.data["status"];
            status["observedGeneration"] == 1 && condition(status, "Ready")["reason"] == "Provisioning"
        };
        let list = caches.list(&ListParams::default()).await.unwrap();
        let count = list.iter().filter(|cache| said(cache)).count();
        if count == CROWD { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_thousand_caches_at_once_are_all_served_and_one_more_becomes_ready_meanwhile() {
    let (server, _turn) = elsewhere().await;
    let client = server.client("tests").await;
    let crowd = fresh_namespace(&client, "crowd").await;
    let world = World::on(server, "late").await;
    let _operator = Operator::start_in(server.client(USER_AGENT).await, Scope::Cluster, 5 * PROBE_PERIOD);
    let start = Instant::now();
    stream::iter(0..CROWD).for_each_concurrent(32, |index| create(&client, &crowd, index)).await;
    let created = start.elapsed();
    world.create(SHOP, json!({})).await;
    let ((), ready) = tokio::join!(all_served(&client, &crowd), async {
        let asked = Instant::now();
        within(PATIENCE, "the cache that came last is ready", async || {
            let status = world.get("TokenCache", SHOP).await["status"].clone();
            if condition(&status, "Ready")["status"] == "True" { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
        asked.elapsed()
    });
    println!(
        "{CROWD} caches: created after {created:?}, served after {:?}; one more ready after {ready:?}",
        start.elapsed()
    );
}

/// Where the CRD has the schema of an object's properties.
const PROPERTIES: &str = "/spec/versions/0/schema/openAPIV3Schema/properties";

/// Changes the CRD of this cluster with a JSON patch. It takes a moment until it is what the API server goes by.
async fn change_crd(client: &Client, patch: Value) {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let patch = Patch::Json::<()>(serde_json::from_value(patch).unwrap());
    crds.patch(the_crd().metadata.name.as_deref().unwrap(), &PatchParams::default(), &patch).await.unwrap();
}

/// Has the CRD say this default of `spec.redis.acl`, and waits until it is what a new cache gets.
async fn default_acl(client: &Client, namespace: &str, acl: &str) {
    let redis = format!("{PROPERTIES}/spec/properties/redis");
    let patch = json!([
        {"op": "replace", "path": format!("{redis}/default/acl"), "value": acl},
        {"op": "replace", "path": format!("{redis}/properties/acl/default"), "value": acl},
    ]);
    change_crd(client, patch).await;
    let caches: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind("TokenCache"));
    within(PATIENCE, "the default is another", async || {
        let trial = json!({
            "apiVersion": "tokencache.dev/v1alpha1", "kind": "TokenCache", "metadata": {"name": "trial"}, "spec": {},
        });
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let made = caches.create(&dry, &serde_json::from_value(trial).unwrap()).await.unwrap();
        let given = made.data["spec"]["redis"]["acl"].clone();
        if given == acl { Ok(()) } else { Err(given.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_cache_that_was_made_while_another_acl_was_the_default_keeps_it() {
    let (server, _turn) = elsewhere().await;
    let world = World::on(server, "defaults").await;
    let client = server.client("tests").await;
    let acl = async |name: &str| world.get("TokenCache", name).await["spec"]["redis"]["acl"].clone();
    default_acl(&client, &world.namespace, "Compatible").await;
    world.create("before", json!({})).await;
    world.create("strict", json!({"redis": {"acl": "Strict"}})).await;
    default_acl(&client, &world.namespace, "Standard").await;
    world.create(SHOP, json!({})).await;
    for _ in 0..2 {
        assert_eq!([acl("before").await, acl("strict").await, acl(SHOP).await], ["Compatible", "Strict", "Standard"]);
        world.edit("TokenCache", "before", json!({"spec": {"redis": {"maxMemory": "128Mi"}}})).await;
    }
}
