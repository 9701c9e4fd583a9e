//! Which pods use what is published, and which workloads they are of.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokencache_operator::{
    capability::published,
    kubernetes::read::{
        process::{Outdated, Processes},
        workload::{Consumer, Consumers, Source, Uses, Workload, addresses},
    },
};

use super::world::{World, shop};

const EARLY: &str = "2026-01-01T10:00:00Z";
const LATE: &str = "2026-01-01T11:00:00Z";

fn secret(name: &str) -> Source {
    Source::Secret(name.to_owned())
}

fn pod(body: &Value) -> Pod {
    serde_json::from_value(body.clone()).unwrap()
}

/// A pod whose only container `app` has this, beside these volumes.
fn with(container: Value, volumes: &Value) -> Pod {
    let mut container = container;
    container["name"] = "app".into();
    pod(&json!({"metadata": {"name": "a"}, "spec": {"containers": [container], "volumes": volumes}}))
}

/// A pod that uses the published ring.
fn user(metadata: &Value) -> Value {
    let container = json!({"name": "app", "envFrom": [{"secretRef": {"name": "shop-keys"}}]});
    json!({"metadata": metadata, "spec": {"containers": [container]}})
}

fn owned(name: &str, kind: &str, owner: &str, hash: Option<&str>) -> Value {
    let labels = hash.map(|hash| json!({"pod-template-hash": hash}));
    let reference = json!({"apiVersion": "v1", "kind": kind, "name": owner, "uid": "1", "controller": true});
    user(&json!({"name": name, "labels": labels, "ownerReferences": [reference]}))
}

fn consumers(pods: &[Pod], of: &[Source]) -> Vec<Consumer> {
    let mut uses = Uses::default();
    for pod in pods {
        uses.add(pod, |source| published("shop").contains(source));
    }
    uses.consumers(of)
}

fn is_used(pod: &Pod) -> bool {
    !consumers(std::slice::from_ref(pod), &published("shop")).is_empty()
}

#[test]
fn a_pod_has_its_addresses_unless_they_are_its_nodes() {
    let both = json!({"podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}]});
    let seen = |spec: Value, status: &Value| -> BTreeSet<String> {
        let pod = pod(&json!({"metadata": {"name": "web"}, "spec": spec, "status": status}));
        addresses(&pod).iter().map(ToString::to_string).collect()
    };
    let of = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(seen(json!({"containers": []}), &both), of(&["10.0.0.7", "fd00::7"]));
    assert_eq!(seen(json!({"containers": []}), &json!({"podIP": "10.0.0.7"})), of(&["10.0.0.7"]));
    assert_eq!(seen(json!({"containers": []}), &json!({})), of(&[]));
    assert_eq!(seen(json!({"containers": [], "hostNetwork": true}), &both), of(&[]));
}

#[test]
fn a_pod_uses_what_a_container_of_it_mounts_or_has_in_its_variables() {
    let mount = || json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]});
    let nothing = json!([]);
    let projected = |source: Value| json!([{"name": "v", "projected": {"sources": [source]}}]);
    let key = json!({"name": "shop-redis", "key": "connectionString"});
    for (container, volumes) in [
        (mount(), json!([{"name": "v", "secret": {"secretName": "shop-keys"}}])),
        (mount(), json!([{"name": "v", "configMap": {"name": "shop-settings"}}])),
        (mount(), projected(json!({"secret": {"name": "shop-keys-certificates"}}))),
        (mount(), projected(json!({"configMap": {"name": "shop-settings"}}))),
        (json!({"envFrom": [{"configMapRef": {"name": "shop-settings"}}]}), nothing.clone()),
        (json!({"envFrom": [{"secretRef": {"name": "shop-redis"}}]}), nothing.clone()),
        (json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": key}}]}), nothing.clone()),
        (
            json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "shop-settings", "key": "a"}}}]}),
            nothing,
        ),
    ] {
        assert!(is_used(&with(container.clone(), &volumes)), "{container} {volumes}");
    }
    for (container, volumes) in [
        (mount(), json!([{"name": "v", "secret": {"secretName": "shop-redis-tls"}}])),
        (mount(), json!([{"name": "v", "configMap": {"name": "shop-keys"}}])),
        (mount(), json!([{"name": "v", "emptyDir": {}}, {"name": "w", "secret": {"secretName": "shop-keys"}}])),
        (json!({"env": [{"name": "A", "value": "shop-keys"}]}), json!([])),
    ] {
        assert!(!is_used(&with(container.clone(), &volumes)), "{container} {volumes}");
    }
}

#[test]
fn redis_itself_and_what_has_ended_use_nothing() {
    let world = World::settled(shop("{}"));
    let template = &world.observed.stateful_set.owned().unwrap().spec.as_ref().unwrap().template;
    assert!(!is_used(&pod(&json!({"metadata": {"name": "shop-redis-0"}, "spec": template.spec}))));
    let mut ended = user(&json!({"name": "a"}));
    assert!(is_used(&pod(&ended)));
    for phase in ["Succeeded", "Failed"] {
        ended["status"] = json!({ "phase": phase });
        assert!(!is_used(&pod(&ended)), "{phase}");
    }
    assert!(!is_used(&pod(&user(&json!({"name": "a", "deletionTimestamp": EARLY})))));
}

#[test]
fn a_pod_is_of_the_workload_that_users_restart() {
    for (kind, owner, hash, workload) in [
        ("ReplicaSet", "web-7d9f8b6c5", Some("7d9f8b6c5"), "Deployment web"),
        ("ReplicaSet", "web-blue", None, "ReplicaSet web-blue"),
        ("ReplicaSet", "web-blue", Some("7d9f8b6c5"), "ReplicaSet web-blue"),
        ("StatefulSet", "api", None, "StatefulSet api"),
        ("DaemonSet", "agent", None, "DaemonSet agent"),
        ("Job", "import", None, "Job import"),
        ("Job", "import-2", None, "Job import-2"),
        ("Job", "sweep-29421360", None, "CronJob sweep"),
        ("Rollout", "green", None, "Rollout green"),
    ] {
        assert_eq!(Workload::of(&pod(&owned("a", kind, owner, hash))).to_string(), workload);
    }
    assert_eq!(Workload::of(&pod(&user(&json!({"name": "debug"})))).to_string(), "Pod debug");
}

#[test]
fn each_workload_is_told_once_with_what_is_asked_about_only() {
    let mut other = owned("c", "StatefulSet", "api", None);
    other["spec"]["containers"][0]["envFrom"] = json!([{"secretRef": {"name": "shop-redis"}}]);
    let pods = [
        pod(&other),
        pod(&owned("b", "ReplicaSet", "web-2", Some("2"))),
        pod(&owned("a", "ReplicaSet", "web-1", Some("1"))),
    ];
    let told = |of: &[Source]| {
        let found = consumers(&pods, of).into_iter();
        found.map(|consumer| consumer.workload.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told(&published("shop")), ["Deployment web", "StatefulSet api"]);
    assert_eq!(told(&[secret("shop-keys")]), ["Deployment web"]);
    assert_eq!(told(&[secret("shop-redis")]), ["StatefulSet api"]);
    assert!(told(&[secret("shop-keys-certificates")]).is_empty());
}

#[test]
fn a_workload_has_read_what_was_there_before_the_oldest_start_of_its_containers() {
    let running = |since: &str| json!({"name": "app", "state": {"running": {"startedAt": since}}});
    let of = |name: &str, statuses: Value| {
        let mut pod = owned(name, "StatefulSet", "api", None);
        pod["status"] = json!({"phase": "Running", "startTime": "2025-01-01T00:00:00Z", "containerStatuses": statuses});
        serde_json::from_value::<Pod>(pod).unwrap()
    };
    let started = |pods: &[Pod]| Consumers::Known(consumers(pods, &[secret("shop-keys")])).oldest_start();
    let at = |time: &str| Some(time.parse().unwrap());
    assert_eq!(started(&[of("a", json!([running(LATE)])), of("b", json!([running(EARLY)]))]), at(EARLY));
    // A container that was restarted in its pod has read everything anew, and one that waits will.
    assert_eq!(started(&[of("a", json!([running(LATE)]))]), at(LATE));
    let waits = json!([{"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
    assert_eq!(started(&[of("a", waits)]), None);
    let other = json!([running(LATE), {"name": "other", "state": {"running": {"startedAt": EARLY}}}]);
    assert_eq!(started(&[of("a", other)]), at(LATE), "another container of the pod does not use it");
    assert_eq!(Consumers::Unknown.oldest_start(), None);
}

#[test]
fn what_an_init_container_has_copied_is_as_old_as_its_start() {
    let mut pod = owned("a", "StatefulSet", "api", None);
    pod["spec"]["initContainers"] = json!([pod["spec"]["containers"][0].clone()]);
    pod["spec"]["containers"] = json!([{"name": "app"}]);
    let done = json!({"terminated": {"startedAt": EARLY, "finishedAt": LATE, "exitCode": 0}});
    pod["status"] = json!({
        "containerStatuses": [{"name": "app", "state": {"running": {"startedAt": LATE}}}],
        "initContainerStatuses": [{"name": "app", "state": done}],
    });
    let found = consumers(&[serde_json::from_value(pod).unwrap()], &[secret("shop-keys")]);
    assert_eq!(found[0].started, Some(EARLY.parse().unwrap()));
}

#[test]
fn whom_to_restart_is_told_by_name_where_it_is_known() {
    let named = |names: &[&str]| {
        let pods: Vec<Pod> = names.iter().map(|name| pod(&owned(name, "StatefulSet", name, None))).collect();
        Consumers::Known(consumers(&pods, &published("shop"))).named(&secret("shop-keys"))
    };
    assert_eq!(named(&["a"]), "StatefulSet a");
    assert_eq!(named(&["b", "a"]), "StatefulSet a and StatefulSet b");
    assert_eq!(named(&["c", "b", "a"]), "StatefulSet a, StatefulSet b and StatefulSet c");
    assert_eq!(named(&["e", "d", "c", "b", "a"]), "StatefulSet a, StatefulSet b, StatefulSet c and 2 more");
    assert_eq!(named(&[]), "the workloads that use Secret shop-keys");
    assert_eq!(Consumers::Unknown.named(&secret("shop-keys")), "the workloads that use Secret shop-keys");
    let settings = Source::ConfigMap("shop-settings".to_owned());
    assert_eq!(Consumers::Unknown.named(&settings), "the workloads that use ConfigMap shop-settings");
}

#[test]
fn a_job_is_not_named_since_it_ends_by_itself() {
    let pods = ["sweep-29421360", "import"].map(|name| pod(&owned(name, "Job", name, None)));
    let known = Consumers::Known(consumers(&pods, &published("shop")));
    assert!(matches!(&known, Consumers::Known(found) if found.len() == 2));
    assert_eq!(known.named(&secret("shop-keys")), "the workloads that use Secret shop-keys");
}

/// Those of these pods that run since before 10:30, as seen at noon.
fn outdated(pods: &[Pod]) -> Outdated {
    let mut uses = Uses::default();
    for pod in pods {
        uses.add(pod, |source| published("shop").contains(source));
    }
    let [since, now] = ["2026-01-01T10:30:00Z", "2026-01-01T12:00:00Z"].map(|time| time.parse().unwrap());
    Processes::Known(uses.processes(&[secret("shop-keys")])).started_before(since, now).unwrap()
}

fn with_status(mut pod: Value, status: Value) -> Pod {
    pod["status"] = status;
    serde_json::from_value(pod).unwrap()
}

fn running(since: &str) -> Value {
    json!({"name": "app", "state": {"running": {"startedAt": since}}})
}

#[test]
fn a_pod_is_outdated_while_a_container_that_uses_it_runs_since_before_or_nobody_says_since_when() {
    let web = |name: &str| owned(name, "ReplicaSet", "web-1", Some("1"));
    let of = |state: Value| json!({"phase": "Running", "containerStatuses": [{"name": "app", "state": state}]});
    let early = json!({"running": {"startedAt": EARLY}});
    for (status, is_outdated, what) in [
        (of(early.clone()), true, "it runs since before"),
        (of(json!({"running": {"startedAt": LATE}})), false, "it was restarted since"),
        (of(json!({"running": {}})), true, "it runs, and nobody says since when"),
        (of(json!({"waiting": {"reason": "CrashLoopBackOff"}})), false, "it reads the Secret anew when it starts"),
        (of(json!({"terminated": {"startedAt": EARLY, "exitCode": 1}})), false, "it has ended"),
        (json!({"phase": "Running"}), true, "kubelet says nothing of its containers"),
        (json!({"phase": "Unknown"}), true, "nobody hears of its node"),
        (json!({"phase": "Pending"}), false, "nothing of it runs"),
        // While another container waits for its image, all of the pod is Pending.
        (json!({"phase": "Pending", "containerStatuses": [running(EARLY)]}), true, "one of its containers runs"),
        (json!({"phase": "Succeeded", "containerStatuses": [running(EARLY)]}), false, "it has ended"),
        (json!({"phase": "Failed"}), false, "it has ended"),
    ] {
        assert_eq!(!outdated(&[with_status(web("web-1-a"), status)]).is_empty(), is_outdated, "{what}");
    }
    let mut other = web("web-1-a");
    other["spec"]["containers"][0]["name"] = "other".into();
    let status = json!({"phase": "Running", "containerStatuses": [running(EARLY), {"name": "other", "state": {"running": {"startedAt": LATE}}}]});
    assert!(outdated(&[with_status(other, status)]).is_empty(), "the container of before does not use it");
}

#[test]
fn what_an_init_container_read_before_is_outdated_for_as_long_as_the_pod_runs() {
    let mut pod = owned("a", "StatefulSet", "api", None);
    pod["spec"]["initContainers"] = json!([pod["spec"]["containers"][0].clone()]);
    pod["spec"]["initContainers"][0]["name"] = "copy".into();
    pod["spec"]["containers"] = json!([{"name": "app"}]);
    let done = |since: Value| json!({"name": "copy", "state": {"terminated": {"startedAt": since, "exitCode": 0}}});
    let status =
        |init: Value| json!({"phase": "Running", "containerStatuses": [running(LATE)], "initContainerStatuses": init});
    for (init, is_outdated) in [
        (json!([done(EARLY.into())]), true),
        (json!([done(LATE.into())]), false),
        (json!([done(Value::Null)]), true),
        (json!([]), true),
        (json!([{"name": "copy", "state": {"running": {"startedAt": EARLY}}}]), true),
    ] {
        assert_eq!(!outdated(&[with_status(pod.clone(), status(init.clone()))]).is_empty(), is_outdated, "{init}");
    }
}

#[test]
fn a_pod_that_is_being_deleted_runs_until_its_grace_period_is_over() {
    let mut pod = owned("a", "StatefulSet", "api", None);
    let status = json!({"phase": "Running", "containerStatuses": [running(EARLY)]});
    for (ends, is_outdated) in
        [("2026-01-01T12:30:00Z", true), ("2026-01-01T11:59:30Z", true), ("2026-01-01T11:58:00Z", false)]
    {
        pod["metadata"]["deletionTimestamp"] = ends.into();
        let found = outdated(&[with_status(pod.clone(), status.clone())]);
        assert_eq!(!found.is_empty(), is_outdated, "{ends}: else a node that is lost would hold it for ever");
        assert_eq!(found.restart("ns"), None, "nobody need restart it");
        assert!(!is_outdated || found.to_string() == "StatefulSet api (1 pod: a, being deleted)", "{found}");
    }
}

#[test]
fn outdated_pods_are_told_by_workload_with_the_command_that_restarts_them() {
    let told = |pods: &[Value]| {
        let status = json!({"phase": "Running", "containerStatuses": [running(EARLY)]});
        let pods: Vec<Pod> = pods.iter().map(|pod| with_status(pod.clone(), status.clone())).collect();
        let found = outdated(&pods);
        (found.to_string(), found.restart("ns"), found.workloads())
    };
    let web = |name: &str| owned(name, "ReplicaSet", "web-1", Some("1"));
    let restart = |targets: &str| Some(format!("kubectl -n ns rollout restart {targets}"));
    assert_eq!(
        told(&[web("web-2"), web("web-1")]),
        ("Deployment web (2 pods: web-1, web-2)".to_owned(), restart("deployment/web"), "Deployment web".to_owned())
    );
    let many: Vec<Value> = (1..=5).map(|number| web(&format!("web-{number}"))).collect();
    assert_eq!(told(&many).0, "Deployment web (5 pods: web-1, web-2, ...)");
    let mixed = [
        web("web-1"),
        owned("api-0", "StatefulSet", "api", None),
        owned("import-x", "Job", "import", None),
        user(&json!({"name": "debug"})),
    ];
    let (words, command, workloads) = told(&mixed);
    assert_eq!(words, "Deployment web (1 pod), Job import (1 pod), Pod debug and 1 more");
    assert_eq!(workloads, "Deployment web, Job import, Pod debug and 1 more");
    assert_eq!(command, restart("deployment/web statefulset/api"), "the others end, or are made, by whoever made them");
    assert_eq!(told(&mixed[2..]).1, None);
}
