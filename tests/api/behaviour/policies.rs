//! Admission policies of the cluster that forbid or change what the operator writes.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::scene::{PERIOD, POD, SHOP, World, operated, shop};
use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};

/// Lets the cluster's policy forbid every change of `StatefulSet`s in this namespace, and returns the policy's name.
async fn forbid(world: &World) -> String {
    let name = format!("frozen-{}", world.namespace);
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(world.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(world.client.clone());
    let rule =
        json!({"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["statefulsets"]});
    let policy = json!({"metadata": {"name": name}, "spec": {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "no changes before Christmas", "reason": "Forbidden"}],
    }});
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": world.namespace}});
    let binding = json!({"metadata": {"name": name}, "spec": {
        "policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": here},
    }});
    policies.create(&PostParams::default(), &serde_json::from_value(policy).unwrap()).await.unwrap();
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    eventually("the policy holds", async || {
        if is_forbidden(world).await { Ok(()) } else { Err("changes are allowed".to_owned()) }
    })
    .await;
    name
}

async fn is_forbidden(world: &World) -> bool {
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
    let answer = world.api("StatefulSet").patch("shop-redis", &dry_run, &label).await;
    matches!(answer, Err(kube::Error::Api(refused)) if refused.code == 403)
}

#[tokio::test]
async fn more_memory_that_the_container_does_not_get_does_not_reach_the_server_either() {
    let (world, _operator) = shop("forbidden").await;
    let policy = forbid(&world).await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"maxMemory": "4Gi"}}})).await;
    let message = world.condition(SHOP, "SpecValid", "False", "WriteForbidden").await;
    assert!(message.contains("no changes before Christmas") && message.contains("StatefulSet shop-redis"), "{message}");
    let message = world.condition(SHOP, "EvictionPolicyVerified", "False", "DriftWhilePaused").await;
    assert!(message.contains("maxmemory is 256Mi (want 4Gi)"), "{message}");
    world.condition(SHOP, "RedisAvailable", "True", "Available").await;
    never(3 * PERIOD, "the server keeps what its container has room for", async || {
        let read = world.intruder(SHOP, &["CONFIG", "GET", "maxmemory"]).await;
        (read != "maxmemory\n268435456").then_some(read)
    })
    .await;
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(world.client.clone());
    bindings.delete(&policy, &DeleteParams::default()).await.unwrap();
    eventually("the policy holds no more", async || {
        if is_forbidden(&world).await { Err("changes are forbidden".to_owned()) } else { Ok(()) }
    })
    .await;
    // So that the operator need not wait for its next try.
    world.edit("TokenCache", SHOP, json!({"metadata": {"annotations": {"a": "b"}}})).await;
    world.setting(SHOP, "maxmemory", "4294967296").await;
    world.ready(SHOP).await;
}

/// Lets the cluster's policy change objects in this namespace on their way in.
pub async fn mutate(world: &World, what: &str, rule: Value, mutation: Value) {
    let name = format!("{what}-{}", world.namespace);
    let make = async |kind: &str, spec: Value| {
        let of = ApiResource::from_gvk(&GroupVersionKind::gvk("admissionregistration.k8s.io", "v1beta1", kind));
        let object = json!({"apiVersion": of.api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
        let api: Api<DynamicObject> = Api::all_with(world.client.clone(), &of);
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    };
    make(
        "MutatingAdmissionPolicy",
        json!({
            "matchConstraints": {"resourceRules": [rule]}, "reinvocationPolicy": "Never", "failurePolicy": "Fail",
            "mutations": [mutation],
        }),
    )
    .await;
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": world.namespace}});
    make("MutatingAdmissionPolicyBinding", json!({"policyName": name, "matchResources": {"namespaceSelector": here}}))
        .await;
}

/// Lets the cluster's policy take every image of a `StatefulSet` in this namespace from another registry.
async fn redirect_images(world: &World) {
    let operations = ["CREATE", "UPDATE"];
    let rule =
        json!({"apiGroups": ["apps"], "apiVersions": ["*"], "operations": operations, "resources": ["statefulsets"]});
    let patch = "[JSONPatch{op: 'replace', path: '/spec/template/spec/containers/0/image', \
                 value: 'registry.example/' + object.spec.template.spec.containers[0].image.split('/').filter(part, part != 'docker.io' && part != 'registry.example').join('/')}]";
    mutate(world, "redirect", rule, json!({"patchType": "JSONPatch", "jsonPatch": {"expression": patch}})).await;
    let set = json!({"metadata": {"name": "probe"}, "spec": {
        "serviceName": "probe", "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "docker.io/a:1"}]}},
    }});
    eventually("the policy holds", async || {
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let mut set = set.clone();
        (set["apiVersion"], set["kind"]) = ("apps/v1".into(), "StatefulSet".into());
        let seen = world.api("StatefulSet").create(&dry_run, &serde_json::from_value(set).unwrap()).await;
        let image =
            seen.map_err(|error| error.to_string())?.data["spec"]["template"]["spec"]["containers"][0]["image"].clone();
        if image == "registry.example/a:1" { Ok(()) } else { Err(image.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_stateful_set_that_a_policy_changes_on_its_way_in_is_written_once_and_becomes_ready() {
    let (world, operator) = operated("redirected").await;
    redirect_images(&world).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    let image = world.get("Pod", POD).await["spec"]["containers"][0]["image"].clone();
    assert_eq!(image, "registry.example/library/redis:8.2.9");
    world.quiet().await;
    let pod = world.uid("Pod", POD).await;

    // What somebody changes is repaired nevertheless, and a spec that changes is rolled out.
    world.edit("StatefulSet", "shop-redis", json!({"spec": {"replicas": 0}})).await;
    eventually("it is scaled back", async || {
        let replicas = world.get("StatefulSet", "shop-redis").await["spec"]["replicas"].clone();
        if replicas == 1 { Ok(()) } else { Err(replicas.to_string()) }
    })
    .await;
    world.ready(SHOP).await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"image": "docker.io/library/redis:8.4"}}})).await;
    eventually("the new image is rolled out", async || {
        let pod = world.api("Pod").get_opt(POD).await.map_err(|error| error.to_string())?;
        let image = pod.map(|pod| pod.data["spec"]["containers"][0]["image"].clone());
        if image == Some("registry.example/library/redis:8.4".into()) { Ok(()) } else { Err(format!("{image:?}")) }
    })
    .await;
    world.ready(SHOP).await;
    assert_ne!(world.uid("Pod", POD).await, pod);
    world.quiet().await;

    // Another operator, which knows nothing of that, applies once more what is there already.
    operator.kill().await;
    let history = world.watch(SHOP).await;
    let mark = api_server().audit_log().mark();
    let _heir = super::scene::operator_of(&world).await;
    world.quiet().await;
    let written = world.writes_since(mark);
    assert!(written.len() <= 1, "{written:?}");
    assert_eq!(history.len(), 1, "nothing new is said: {:?}", history.of_condition("Ready"));
}
