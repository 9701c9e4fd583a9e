//! What outlives its `TokenCache`, and by which labels it is known: none that a tool such as Argo CD, or a policy of the cluster,
//! takes for its own.

use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::key_ring_inputs::{certificate, with_certificate};
use super::policies::mutate;
use super::scene::{PERIOD, POD, SHOP, World, operated, operator_of, shop};
use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};

const CLAIM: &str = "data-shop-redis-0";
const STANDARD: [&str; 5] = ["name", "instance", "component", "managed-by", "part-of"];

/// The labels that the operator's objects had before those of its own domain.
fn earlier_labels(component: &str) -> Value {
    json!({
        "app.kubernetes.io/name": component, "app.kubernetes.io/instance": SHOP, "app.kubernetes.io/component": "cache",
        "app.kubernetes.io/managed-by": "tokencache-operator", "app.kubernetes.io/part-of": "tokencache",
    })
}

/// The labels that the `StatefulSet` controller gives the claims of a cache's volume.
fn selector_labels() -> Value {
    json!({
        "app.kubernetes.io/name": "redis", "app.kubernetes.io/instance": SHOP, "app.kubernetes.io/component": "cache",
    })
}

/// What is missing in an object of something that outlives its `TokenCache`; `None` where it is as it should be.
fn lacks(object: &Value, component: &str) -> Option<String> {
    let metadata = &object["metadata"];
    let labels = json!({"tokencache.dev/cache": SHOP, "tokencache.dev/component": component});
    let annotation = |key: &str| &metadata["annotations"][format!("argocd.argoproj.io/{key}")];
    let is_kept =
        annotation("sync-options") == "Prune=false,Delete=false" && annotation("compare-options") == "IgnoreExtraneous";
    (metadata["labels"] != labels || !is_kept).then(|| metadata.to_string())
}

async fn is_lasting(world: &World, kind: &str, name: &str, component: &str) {
    eventually(&format!("{kind} {name} is labelled as what outlives its TokenCache"), async || {
        lacks(&world.get(kind, name).await, component).map_or(Ok(()), Err)
    })
    .await;
}

/// Gives everything of the cache the labels that an earlier version gave it.
async fn as_before(world: &World) {
    let gone = json!({"tokencache.dev/cache": null, "tokencache.dev/component": null});
    for object in world.objects().await {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        if object["metadata"]["labels"]["tokencache.dev/cache"].is_null() {
            continue;
        }
        let mut labels = gone.clone();
        let mut annotations = json!({});
        if object["metadata"]["ownerReferences"].is_null() {
            labels.as_object_mut().unwrap().extend(earlier_labels("data-protection").as_object().unwrap().clone());
            for key in ["sync-options", "compare-options"] {
                annotations[format!("argocd.argoproj.io/{key}")] = Value::Null;
            }
        }
        world.edit(kind, name, json!({"metadata": {"labels": labels, "annotations": annotations}})).await;
    }
}

#[tokio::test]
async fn keys_and_certificates_have_labels_of_our_own_domain_only() {
    let (world, _operator) = operated("lasting").await;
    world.certify(certificate("current")).await;
    world.create(SHOP, with_certificate()).await;
    world.ready(SHOP).await;
    world.ring(1).await;
    for name in world.keys().await.into_keys().chain(["shop-keys-certificates".to_owned()]) {
        assert_eq!(lacks(&world.get("Secret", &name).await, "data-protection"), None, "{name}");
    }
    let by_ours = ListParams::default().labels("tokencache.dev/cache=shop,tokencache.dev/component=data-protection");
    let found = world.api("Secret").list(&by_ours).await.unwrap().items;
    assert_eq!(
        found.len(),
        3,
        "they are found by them: {:?}",
        found.iter().map(ResourceExt::name_any).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_an_earlier_version_labelled_is_labelled_anew_once_and_nothing_else_comes_of_it() {
    let (world, operator) = operated("relabelled").await;
    world.certify(certificate("current")).await;
    let mut spec = with_certificate();
    spec["redis"] = json!({"persistence": {"size": "2Gi"}});
    world.create(SHOP, spec).await;
    world.ready(SHOP).await;
    let ring = world.ring(1).await;
    is_lasting(&world, "PersistentVolumeClaim", CLAIM, "redis").await;
    world.quiet().await;
    let (shape, passwords, pod) = (world.shape().await, world.passwords().await, world.uid("Pod", POD).await);
    operator.kill().await;
    as_before(&world).await;
    let claim = json!({"labels": {"tokencache.dev/cache": null, "tokencache.dev/component": null, "app.kubernetes.io/instance": SHOP}});
    world.edit("PersistentVolumeClaim", CLAIM, json!({ "metadata": claim })).await;

    let operator = operator_of(&world).await;
    let keys: Vec<String> = world.keys().await.into_keys().collect();
    for name in keys.iter().map(String::as_str).chain(["shop-keys-certificates"]) {
        is_lasting(&world, "Secret", name, "data-protection").await;
    }
    is_lasting(&world, "PersistentVolumeClaim", CLAIM, "redis").await;
    world.ready(SHOP).await;
    world.has_shape("everything is as it was", &shape).await;
    assert_eq!((world.ring(1).await, world.passwords().await), (ring, passwords));
    assert_eq!(world.uid("Pod", POD).await, pod, "no restart");
    world.quiet().await;

    operator.kill().await;
    let mark = api_server().audit_log().mark();
    let _heir = operator_of(&world).await;
    world.ready(SHOP).await;
    world.quiet().await;
    let written = world.writes_since(mark);
    assert!(written.iter().all(|request| request.object_ref.resource == "tokencaches"), "{written:?}");
}

#[tokio::test]
async fn keys_of_an_earlier_version_are_labelled_anew_also_where_no_ring_is_wanted_and_not_while_paused() {
    let (world, operator) = shop("unwanted").await;
    world.ring(1).await;
    let key = world.keys().await.into_keys().next().unwrap();
    let spec = json!({"dataProtection": {"mode": "None"}});
    let paused = |value: Value| json!({"metadata": {"annotations": {"tokencache.dev/reconcile": value}}});
    world.edit("TokenCache", SHOP, json!({ "spec": spec })).await;
    world.edit("TokenCache", SHOP, paused("paused".into())).await;
    world.condition(SHOP, "Paused", "True", "Paused").await;
    operator.kill().await;
    as_before(&world).await;
    let _operator = operator_of(&world).await;
    world.quiet().await;
    let labels = world.get("Secret", &key).await["metadata"]["labels"].clone();
    assert_eq!(labels, earlier_labels("data-protection"), "the cache is paused");
    world.edit("TokenCache", SHOP, paused(Value::Null)).await;
    is_lasting(&world, "Secret", &key, "data-protection").await;
}

#[tokio::test]
async fn what_an_earlier_version_left_of_a_cache_that_is_gone_is_labelled_anew() {
    let (world, operator) = operated("leftover").await;
    world.create(SHOP, json!({"redis": {"persistence": {"size": "2Gi"}}})).await;
    world.ready(SHOP).await;
    world.ring(1).await;
    is_lasting(&world, "PersistentVolumeClaim", CLAIM, "redis").await;
    let key = world.keys().await.into_keys().next().unwrap();
    world.delete("TokenCache", SHOP).await;
    eventually("only the key is left", async || {
        let names = world.names().await;
        if names == [format!("Secret {key}")] { Ok(()) } else { Err(format!("{names:?}")) }
    })
    .await;
    operator.kill().await;
    as_before(&world).await;
    let mut labels = json!({"tokencache.dev/cache": null, "tokencache.dev/component": null});
    labels.as_object_mut().unwrap().extend(selector_labels().as_object().unwrap().clone());
    let annotations = json!({"argocd.argoproj.io/sync-options": null, "argocd.argoproj.io/compare-options": null});
    let metadata = json!({"labels": labels, "annotations": annotations});
    world.edit("PersistentVolumeClaim", CLAIM, json!({ "metadata": metadata })).await;
    let _heir = operator_of(&world).await;
    is_lasting(&world, "Secret", &key, "data-protection").await;
    is_lasting(&world, "PersistentVolumeClaim", CLAIM, "redis").await;
}

#[tokio::test]
async fn a_claim_gets_its_labels_once_and_the_stateful_set_controller_does_not_put_its_own_back() {
    let (world, _operator) = operated("claim-labels").await;
    world.create(SHOP, json!({"redis": {"persistence": {"size": "2Gi"}}})).await;
    world.ready(SHOP).await;
    is_lasting(&world, "PersistentVolumeClaim", CLAIM, "redis").await;
    world.replace_pod(POD).await;
    world.ready(SHOP).await;
    world.quiet().await;
    assert_eq!(lacks(&world.get("PersistentVolumeClaim", CLAIM).await, "redis"), None);
    // Whoever labels it so again is left to do so.
    world
        .edit("PersistentVolumeClaim", CLAIM, json!({"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}}))
        .await;
    let mark = api_server().audit_log().mark();
    never(3 * PERIOD, "the claim is not asked for again, nor written", async || {
        let mut mark = mark;
        let seen = api_server().audit_log().next(&mut mark, &world.namespace);
        let of_claims = |request: &crate::support::audit::Request| {
            request.object_ref.resource == "persistentvolumeclaims"
                && request.user_agent.starts_with(crate::support::operator::USER_AGENT)
        };
        let seen: Vec<_> = seen.into_iter().filter(of_claims).collect();
        (!seen.is_empty()).then(|| format!("{seen:?}"))
    })
    .await;
}

#[tokio::test]
async fn a_key_that_lost_its_labels_is_found_by_its_name_and_gets_them_back() {
    let (world, operator) = shop("unlabelled").await;
    let ring = world.ring(1).await;
    let key = world.keys().await.into_keys().next().unwrap();
    let bare = json!({"metadata": {"labels": null}});
    world.edit("Secret", &key, bare.clone()).await;
    is_lasting(&world, "Secret", &key, "data-protection").await;
    assert_eq!(world.ring(1).await, ring);
    world.quiet().await;

    // Also where nothing else has the key, and another one would be begun.
    operator.kill().await;
    world.edit("Secret", &key, bare).await;
    world.delete("Secret", "shop-keys").await;
    let _heir = operator_of(&world).await;
    is_lasting(&world, "Secret", &key, "data-protection").await;
    world.ready(SHOP).await;
    assert_eq!(world.ring(1).await, ring);
}

#[tokio::test]
async fn a_secret_of_a_keys_name_that_somebody_else_made_is_told_and_not_taken_over() {
    let (world, _operator) = shop("key-stranger").await;
    let ring = world.ring(1).await;
    let key = world.keys().await.into_keys().next().unwrap();
    let mut secret = world.get("Secret", &key).await;
    world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {"tokencache.dev/reconcile": "paused"}}})).await;
    world.condition(SHOP, "Paused", "True", "Paused").await;
    world.delete("Secret", &key).await;
    secret["metadata"] = json!({"name": key});
    world.make("Secret", secret).await.unwrap();
    world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {"tokencache.dev/reconcile": null}}})).await;
    let message = world.condition(SHOP, "KeyRingReady", "False", "NameTaken").await;
    let labels = "tokencache.dev/cache=shop tokencache.dev/component=data-protection";
    let remedies = world.remedies(SHOP, "KeyRingReady").await;
    assert!(message.contains(&key) && remedies.contains(labels), "{message} {remedies}");
    assert_eq!(world.secret("shop-keys").await, ring);
    world.quiet().await;
    let labels: Vec<&str> = labels.split(' ').collect();
    let label = [&["label", "secret", &key, "--namespace", &world.namespace], labels.as_slice()].concat();
    api_server().kubectl(&label).await;
    world.ready(SHOP).await;
    assert_eq!(world.ring(1).await, ring);
}

#[tokio::test]
async fn a_policy_that_rewrites_labels_hides_nothing_and_is_not_fought() {
    let (world, operator) = operated("rewritten").await;
    let rule = json!({
        "apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
        "resources": ["secrets", "configmaps", "services"],
    });
    let labels: String = STANDARD.map(|label| format!("\"app.kubernetes.io/{label}\": \"platform\"")).join(", ");
    let expression = format!("Object{{metadata: Object.metadata{{labels: {{{labels}}}}}}}");
    let mutation = json!({"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}});
    mutate(&world, "relabel", rule, mutation).await;
    eventually("the policy holds", async || {
        let dry_run = PatchParams { dry_run: true, force: true, ..PatchParams::apply("tests") };
        let probe = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}});
        let seen = world.api("ConfigMap").patch("probe", &dry_run, &Patch::Apply(probe)).await;
        let labels = seen.map_err(|error| error.to_string())?.metadata.labels.unwrap_or_default();
        if labels.len() == STANDARD.len() { Ok(()) } else { Err(format!("{labels:?}")) }
    })
    .await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let ring = world.ring(1).await;
    let key = world.keys().await.into_keys().next().unwrap();
    for name in [key.as_str(), "shop-redis", "shop-keys"] {
        let labels = world.get("Secret", name).await["metadata"]["labels"].clone();
        assert!(STANDARD.iter().all(|label| labels[format!("app.kubernetes.io/{label}")] == "platform"), "{labels}");
        assert_eq!(labels["tokencache.dev/cache"], SHOP);
    }
    world.quiet().await;
    // What is changed is seen, and put right.
    world.edit("Secret", "shop-keys", json!({"data": null})).await;
    eventually("the ring is published again", async || {
        let now = world.secret("shop-keys").await;
        if now == ring { Ok(()) } else { Err(format!("{:?}", now.keys())) }
    })
    .await;
    world.quiet().await;
    // Another operator finds it all, and makes no other ring.
    operator.kill().await;
    world.delete("Secret", "shop-keys").await;
    let mark = api_server().audit_log().mark();
    let _heir = operator_of(&world).await;
    eventually("the ring is published again", async || {
        world.uid("Secret", "shop-keys").await.map(drop).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    world.ready(SHOP).await;
    assert_eq!(world.ring(1).await, ring);
    world.quiet().await;
    let of_objects = |request: &&crate::support::audit::Request| {
        ["secrets", "configmaps", "services"].contains(&request.object_ref.resource.as_str())
    };
    let written = world.writes_since(mark);
    assert!(written.iter().filter(of_objects).count() <= 2, "{written:?}");
}

#[tokio::test]
async fn a_policy_that_takes_away_what_is_set_is_not_fought_either() {
    let (world, _operator) = operated("stripped").await;
    let rule = json!({
        "apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
        "resources": ["secrets", "persistentvolumeclaims"],
    });
    let path = "/metadata/annotations/argocd.argoproj.io~1sync-options";
    let expression = format!(
        "has(object.metadata.annotations) && 'argocd.argoproj.io/sync-options' in object.metadata.annotations ? \
         [JSONPatch{{op: 'remove', path: '{path}'}}] : []"
    );
    mutate(&world, "strip", rule, json!({"patchType": "JSONPatch", "jsonPatch": {"expression": expression}})).await;
    eventually("the policy holds", async || {
        let dry_run = PatchParams { dry_run: true, force: true, ..PatchParams::apply("tests") };
        let annotations = json!({"argocd.argoproj.io/sync-options": "a", "b": "c"});
        let metadata = json!({"name": "probe", "annotations": annotations});
        let probe = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata});
        let seen = world.api("Secret").patch("probe", &dry_run, &Patch::Apply(probe)).await;
        let annotations = seen.map_err(|error| error.to_string())?.metadata.annotations.unwrap_or_default();
        if annotations.len() == 1 { Ok(()) } else { Err(format!("{annotations:?}")) }
    })
    .await;
    world.create(SHOP, json!({"redis": {"persistence": {"size": "2Gi"}}})).await;
    world.ready(SHOP).await;
    world.ring(1).await;
    world.quiet().await;
    let key = world.keys().await.into_keys().next().unwrap();
    for (kind, name) in [("Secret", key.as_str()), ("PersistentVolumeClaim", CLAIM)] {
        let metadata = world.get(kind, name).await["metadata"].clone();
        assert_eq!(metadata["labels"]["tokencache.dev/cache"], SHOP, "{metadata}");
        assert_eq!(metadata["annotations"]["argocd.argoproj.io/sync-options"], Value::Null, "{metadata}");
        assert_eq!(metadata["annotations"]["argocd.argoproj.io/compare-options"], "IgnoreExtraneous", "{metadata}");
    }
}
