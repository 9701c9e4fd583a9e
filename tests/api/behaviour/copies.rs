//! Copies of the operator's objects, which somebody made under other names: they stay, whatever they carry.

use serde_json::{Value, json};

use super::scene::{PERIOD, SHOP, World, operated, operator_of, shop};
use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};

/// Copies an object under another name as `kubectl get -o json | kubectl create -f -` does: labels and owner stay.
async fn copy(world: &World, kind: &str, name: &str, to: &str) -> Value {
    let mut copy = world.get(kind, name).await;
    let kept = ["labels", "annotations", "ownerReferences"];
    copy["metadata"].as_object_mut().unwrap().retain(|field, _| kept.contains(&field.as_str()));
    copy["metadata"]["name"] = to.into();
    copy.as_object_mut().unwrap().remove("status");
    if kind == "Service" {
        for field in ["clusterIP", "clusterIPs"] {
            copy["spec"].as_object_mut().unwrap().remove(field);
        }
    }
    if kind == "StatefulSet" {
        copy["spec"]["replicas"] = 0.into();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let of = crate::survival::world::kind(kind);
    (copy["apiVersion"], copy["kind"]) = (of.api_version.into(), of.kind.into());
    std::fs::write(file.path(), copy.to_string()).unwrap();
    let file = file.path().to_str().unwrap();
    api_server().kubectl(&["create", "--namespace", &world.namespace, "-f", file]).await;
    world.get(kind, to).await["metadata"]["uid"].clone()
}

/// How often the operator has told of an object that it leaves alone.
async fn told(world: &World, object: &str) -> i32 {
    let events = world.events(SHOP).await.into_iter();
    let about = events.filter(|event| {
        event.reason.as_deref() == Some("ObjectLeftAlone")
            && event.note.as_ref().is_some_and(|note| note.starts_with(&format!("{object} ")))
    });
    about.map(|event| event.series.as_ref().map_or(1, |series| series.count)).sum()
}

async fn is_told(world: &World, object: &str) {
    eventually(&format!("{object} is told"), async || match told(world, object).await {
        1 => Ok(()),
        count => Err(format!("{count} times")),
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_an_object_under_another_name_stays_and_is_told_once() {
    let (world, operator) = shop("copies").await;
    let copies = [
        ("Secret", "shop-redis", "worker-redis"),
        ("Secret", "shop-keys", "worker-keys"),
        ("Secret", "shop-redis-tls", "shop-redis-tls-backup"),
        ("ConfigMap", "shop-settings", "worker-settings"),
        ("Service", "shop-redis", "shop-redis-web"),
        ("ServiceAccount", "shop-redis", "worker-redis"),
        ("StatefulSet", "shop-redis", "shop-redis-old"),
    ];
    let mut made = Vec::new();
    for (kind, name, to) in copies {
        made.push((kind, to, copy(&world, kind, name, to).await));
    }
    for (kind, to, _) in &made {
        is_told(&world, &format!("{kind} {to}")).await;
    }
    let note = world.event(SHOP, "ObjectLeftAlone").await;
    assert!(note.contains("the operator did not make it") && note.contains("remove its ownerReferences"), "{note}");
    assert!(note.contains(": `kubectl -n ") && note.ends_with("/metadata/ownerReferences\"}]'`"), "{note}");
    operator.kill().await;
    let _heir = operator_of(&world).await;
    world.ready(SHOP).await;
    never(2 * PERIOD, "the copies stay, and are not told again", async || {
        for (kind, to, uid) in &made {
            let (now, count) = (world.uid(kind, to).await, told(&world, &format!("{kind} {to}")).await);
            if now.as_deref() != uid.as_str() || count != 1 {
                return Some(format!("{kind} {to}: {now:?}, told {count} times"));
            }
        }
        None
    })
    .await;
    world.quiet().await;
}

#[tokio::test]
async fn a_copy_under_a_name_of_the_operators_own_stays_while_the_operator_needs_none_of_that_name() {
    let (world, _operator) = operated("own-name").await;
    world.create(SHOP, json!({"redis": {"tls": {"mode": "Disabled"}}})).await;
    world.ready(SHOP).await;
    let mut made = Vec::new();
    for to in ["shop-redis-ca", "shop-redis-tls"] {
        made.push((to, copy(&world, "Secret", "shop-redis-operator", to).await));
    }
    for (to, _) in &made {
        is_told(&world, &format!("Secret {to}")).await;
    }
    never(2 * PERIOD, "the copies stay", async || {
        for (to, uid) in &made {
            let now = world.uid("Secret", to).await;
            if now.as_deref() != uid.as_str() {
                return Some(format!("{to}: {now:?}"));
            }
        }
        None
    })
    .await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn what_an_earlier_spec_needed_is_deleted_and_each_deletion_is_told() {
    let (world, _operator) = shop("unneeded").await;
    let copied = copy(&world, "Secret", "shop-redis-ca", "shop-redis-ca-backup").await;
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"tls": {"mode": "Disabled"}}}})).await;
    for name in ["shop-redis-ca", "shop-redis-tls"] {
        eventually(&format!("{name} is deleted, and told"), async || {
            let notes: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.note).collect();
            let told = notes.iter().any(|note| note.starts_with(&format!("Secret {name} was deleted")));
            match world.uid("Secret", name).await {
                None if told => Ok(()),
                now => Err(format!("{now:?} {notes:?}")),
            }
        })
        .await;
    }
    world.ready(SHOP).await;
    assert_eq!(world.uid("Secret", "shop-redis-ca-backup").await.as_deref(), copied.as_str());
}
