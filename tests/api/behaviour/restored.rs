//! A namespace that was restored from a backup: the objects are there, and nobody owns them.

use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::scene::{PERIOD, POD, SHOP, World, shop};
use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};
use crate::survival::world::kind;

/// What a backup tool makes of `managedFields`.
#[derive(Clone, Copy, PartialEq)]
enum Managers {
    /// Those that the objects had: Velero since 1.10.
    Restored,
    /// Its own: whoever creates an object is its manager.
    Own,
    /// None: the API server does not tell who wrote it.
    Nobody,
}

/// Everything of the cache, as a backup has it, and the cache last, as it is restored.
async fn backup(world: &World) -> Vec<Value> {
    let mut objects = world.objects().await;
    // Pods come from their StatefulSet.
    objects.retain(|object| !matches!(object["kind"].as_str().unwrap(), "Pod" | "ControllerRevision"));
    let mut cache = world.get("TokenCache", SHOP).await;
    cache["kind"] = "TokenCache".into();
    objects.into_iter().chain([cache]).collect()
}

/// The namespace is lost.
async fn lose(world: &World, objects: &[Value]) {
    world.delete("TokenCache", SHOP).await;
    // A pass that is under way would make a key's Secret again from what is published.
    world.quiet().await;
    for object in objects.iter().filter(|object| object["metadata"]["ownerReferences"].is_null()) {
        let (of, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let gone = world.api(of).delete(name, &DeleteParams::default()).await;
        assert!(gone.is_ok() || of == "TokenCache", "{gone:?}");
    }
    eventually("nothing is there any more", async || {
        let names = world.names().await;
        if names.is_empty() && world.uid("TokenCache", SHOP).await.is_none() {
            Ok(())
        } else {
            Err(format!("{names:?}"))
        }
    })
    .await;
}

/// Restores objects as Velero does: without owners and status, with labels of its own, each of them created anew.
async fn restore(world: &World, objects: &[Value], managers: Managers) {
    for object in objects {
        let (of, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let mut restored = object.clone();
        let metadata = restored["metadata"].as_object_mut().unwrap();
        metadata.retain(|field, _| ["name", "labels", "annotations"].contains(&field.as_str()));
        let labels = restored["metadata"]["labels"].as_object_mut();
        let velero = ["backup-name", "restore-name"].map(|label| (format!("velero.io/{label}"), json!("nightly")));
        match labels {
            Some(labels) => labels.extend(velero),
            None => restored["metadata"]["labels"] = velero.into_iter().collect::<serde_json::Map<_, _>>().into(),
        }
        restored.as_object_mut().unwrap().remove("status");
        if of == "Service" && restored["spec"]["clusterIP"] != "None" {
            for field in ["clusterIP", "clusterIPs"] {
                restored["spec"].as_object_mut().unwrap().remove(field);
            }
        }
        (restored["apiVersion"], restored["kind"]) = (kind(of).api_version.into(), kind(of).kind.into());
        let velero = Some("velero-server".to_owned());
        let params = PostParams { field_manager: velero.clone(), ..PostParams::default() };
        world.api(of).create(&params, &serde_json::from_value(restored).unwrap()).await.unwrap();
        let fields = match managers {
            Managers::Own => continue,
            Managers::Restored => object["metadata"]["managedFields"].clone(),
            Managers::Nobody => json!([{}]),
        };
        let params = PatchParams { field_manager: velero, ..PatchParams::default() };
        let patch = Patch::Merge(json!({"metadata": {"managedFields": fields}}));
        world.api(of).patch(name, &params, &patch).await.unwrap();
    }
}

/// What has to be the same after a restore: passwords, private keys, the key ring.
async fn valuables(world: &World) -> impl PartialEq + std::fmt::Debug + use<> {
    let ring = world.files("shop-keys").await;
    (world.passwords().await, world.private_keys().await, world.keys().await, ring)
}

#[tokio::test]
async fn a_restored_cache_has_its_passwords_and_keys_and_repeats_no_request() {
    for managers in [Managers::Restored, Managers::Nobody] {
        let (world, _operator) = shop("restored").await;
        world.ring(1).await;
        let (mut objects, before) = (backup(&world).await, valuables(&world).await);
        let key = world.get("TokenCache", SHOP).await["status"]["keyRing"]["active"].as_str().unwrap().to_owned();
        // What was asked for at the time of the backup.
        let asked = Timestamp::now();
        objects.last_mut().unwrap()["metadata"]["annotations"] = json!({
            "tokencache.dev/rotate-password-requested": asked.to_string(),
            "tokencache.dev/rotate-key-requested": asked.to_string(),
            "tokencache.dev/revoke-key-requested": format!("{asked} {key} remove"),
            "tokencache.dev/flush-requested": format!("{asked} all"),
        });
        lose(&world, &objects).await;
        eventually("a second is over", async || {
            if Timestamp::now().as_second() > asked.as_second() { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
        restore(&world, &objects, managers).await;
        world.ready(SHOP).await;
        let status = world
            .status(SHOP, "no request is followed", |seen| {
                let operations = seen["operations"].as_array().cloned().unwrap_or_default();
                operations.len() == 4 && operations.iter().all(|operation| operation["stage"] == "Ignored")
            })
            .await;
        assert!(status["operations"].to_string().contains("it is older than the TokenCache"), "{status:#}");
        world.quiet().await;
        assert_eq!(valuables(&world).await, before);
        let [_, app] = world.passwords().await;
        world.ping(app.as_ref().unwrap()).await.unwrap();
        let uid = world.uid("TokenCache", SHOP).await.unwrap();
        for object in world.objects().await {
            let (name, owners) = (&object["metadata"]["name"], &object["metadata"]["ownerReferences"]);
            let of = object["kind"].as_str().unwrap();
            if matches!(of, "Pod" | "ControllerRevision") || name.as_str().unwrap().starts_with("shop-key-") {
                continue;
            }
            let owned = (owners.as_array().map(Vec::len), &owners[0]["uid"], &owners[0]["controller"]);
            assert_eq!(owned, (Some(1), &json!(uid), &json!(true)), "{of} {name}");
        }
        let note = world.event(SHOP, "ObjectsAdopted").await;
        assert!(note.starts_with("adopted ") && note.contains(", as after a restore"), "{note}");
        let notes: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.note).collect();
        assert!(notes.iter().any(|note| note.contains("StatefulSet shop-redis")), "{notes:?}");
        assert!(notes.iter().any(|note| note.contains("Secret shop-redis-operator and 6 more, ")), "{notes:?}");
    }
}

#[tokio::test]
async fn what_a_deletion_left_on_purpose_is_taken_up_by_a_cache_of_that_name_without_a_restart() {
    let (world, _operator) = shop("orphan").await;
    world.ring(1).await;
    let (before, pod) = (valuables(&world).await, world.uid("Pod", POD).await);
    world.api("TokenCache").delete(SHOP, &DeleteParams::orphan()).await.unwrap();
    eventually("the cache is gone", async || world.uid("TokenCache", SHOP).await.map_or(Ok(()), Err)).await;
    world.quiet().await;
    assert_eq!((valuables(&world).await, world.uid("Pod", POD).await), (before, pod.clone()), "nothing is done to it");

    let before = valuables(&world).await;
    world.create(SHOP, json!({})).await;
    world.ready(SHOP).await;
    world.event(SHOP, "ObjectsAdopted").await;
    world.quiet().await;
    let owners = &world.get("StatefulSet", "shop-redis").await["metadata"]["ownerReferences"];
    assert_eq!(owners[0]["uid"], json!(world.uid("TokenCache", SHOP).await), "{owners}");
    assert_eq!((valuables(&world).await, world.uid("Pod", POD).await), (before, pod));
}

#[tokio::test]
async fn what_another_field_manager_has_written_is_left_alone_until_somebody_says_that_it_was_restored() {
    let (world, _operator) = shop("velero").await;
    world.ring(1).await;
    let (objects, before) = (backup(&world).await, valuables(&world).await);
    lose(&world, &objects).await;
    restore(&world, &objects, Managers::Own).await;
    let command =
        format!("kubectl -n {} annotate --overwrite tokencache shop tokencache.dev/adopt=restored", world.namespace);
    for of in ["RedisAvailable", "KeyRingReady"] {
        let message = world.condition(SHOP, of, "False", "NameTaken").await;
        assert!(message.contains("velero-server"), "{message}");
        let is_told = |remedies: &Value| remedies["condition"] == of && remedies["remedies"][0]["command"] == command;
        world
            .status(SHOP, &command, |seen| seen["remedies"].as_array().is_some_and(|all| all.iter().any(is_told)))
            .await;
    }
    let mark = api_server().audit_log().mark();
    never(2 * PERIOD, "nothing is written but what is said", async || {
        let written: Vec<_> = world.writes_since(mark);
        let written: Vec<_> = written
            .into_iter()
            .filter(|request| !["tokencaches", "events"].contains(&request.object_ref.resource.as_str()))
            .collect();
        (!written.is_empty()).then(|| format!("{written:?}"))
    })
    .await;
    let annotate = ["annotate", "tokencache", SHOP, "tokencache.dev/adopt=restored", "--namespace", &world.namespace];
    api_server().kubectl(&annotate).await;
    world.ready(SHOP).await;
    world.quiet().await;
    assert_eq!(valuables(&world).await, before);
    world.event(SHOP, "ObjectsAdopted").await;
    world.delete("TokenCache", SHOP).await;
    eventually("it goes with the cache again", async || {
        let mut names = world.names().await;
        names.retain(|name| !name.starts_with("Secret shop-key-"));
        if names.is_empty() { Ok(()) } else { Err(format!("{names:?}")) }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_what_would_be_made_is_not_taken_up_whatever_is_said() {
    let (world, _operator) = shop("unfit").await;
    let mut objects = backup(&world).await;
    lose(&world, &objects).await;
    let of = |object: &&mut Value| object["kind"] == "Secret" && object["metadata"]["name"] == "shop-redis";
    let connection = objects.iter_mut().find(of).unwrap();
    connection["type"] = "Opaque".into();
    let data = connection["data"].clone();
    objects.last_mut().unwrap()["metadata"]["annotations"] = json!({"tokencache.dev/adopt": "restored"});
    restore(&world, &objects, Managers::Restored).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "NameTaken").await;
    assert!(message.contains("Secret shop-redis exists already") && message.contains("delete it"), "{message}");
    assert_eq!(world.get("Secret", "shop-redis").await["data"], data);
    eventually("the restored StatefulSet has its pod", async || {
        world.uid("Pod", POD).await.map(drop).ok_or_else(|| "none".to_owned())
    })
    .await;
    world.delete("Secret", "shop-redis").await;
    world.ready(SHOP).await;
}
