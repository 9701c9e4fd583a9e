//! An operator that follows an earlier version: what that one made goes on as it is, and nothing of it is lost.
//!
//! `earlier/` has the objects of a cache `shop` as an earlier version of the operator wrote them: `apply` or `create` is how,
//! `NAMESPACE` and `UID-OF-SHOP` stand for those of the run. Certificates, which end, are left out and made here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};
use tokencache_operator::redis::tls::{issue, schedule::AUTHORITY_LIFETIME};

use super::TWO_PERIODS;
use super::secrets::base64;
use super::world::{POD, SHOP, World, kind};
use crate::support::eventually::{eventually, never};
use crate::support::operator::Operator;

const MANAGER: &str = "tokencache-operator";
const EARLIER: [(&str, &str); 1] = [("chart 0.1.0", include_str!("earlier/chart-0.1.0.json"))];
const ENTRIES: [&str; 3] = ["shop:a", "shop:b", "shop:c"];

/// The private key and the certificate of an authority, and of a server that it vouches for.
fn certificates(namespace: &str) -> [issue::Issued; 2] {
    let now = Timestamp::now();
    let hosts = ["shop-redis", "shop-redis-headless", "shop-redis-0.shop-redis-headless"];
    let suffixes = ["", ".NAMESPACE", ".NAMESPACE.svc", ".NAMESPACE.svc.cluster.local"];
    let suffixes = suffixes.map(|suffix| suffix.replace("NAMESPACE", namespace));
    let names: Vec<String> =
        hosts.iter().flat_map(|host| suffixes.iter().map(move |suffix| format!("{host}{suffix}"))).collect();
    let authority = issue::authority(SHOP, &[1; 128], now).unwrap();
    let server = issue::certificate(&names, &authority, now + AUTHORITY_LIFETIME, &[2; 128], now).unwrap();
    [authority, server]
}

/// Writes an object as the earlier version did.
async fn write(world: &World, how: &str, object: Value) {
    let resource = kind(object["kind"].as_str().unwrap());
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &resource);
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    match how {
        "apply" => drop(api.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(object)).await.unwrap()),
        "create" => {
            let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            api.create(&params, &serde_json::from_value(object).unwrap()).await.unwrap();
        }
        other => panic!("nothing is written by {other}"),
    }
}

/// A namespace with what an earlier version made of `shop`, and a server that runs from it.
async fn made_by(earlier: &str) -> World {
    let world = World::new("upgraded").await;
    let objects: Vec<Value> = serde_json::from_str(&earlier.replace("NAMESPACE", &world.namespace)).unwrap();
    let cache = objects.iter().map(|entry| &entry["object"]).find(|object| object["kind"] == "TokenCache").unwrap();
    let uid = world.create(SHOP, cache["spec"].clone()).await.metadata.uid.unwrap();
    let status = json!({"apiVersion": cache["apiVersion"], "kind": "TokenCache", "status": cache["status"]});
    let params = PatchParams::apply("tokencache-operator-status").force();
    world.api("TokenCache").patch_status(SHOP, &params, &Patch::Apply(status)).await.unwrap();
    let [authority, server] = certificates(&world.namespace);
    for entry in &objects {
        let text = entry["object"].to_string().replace("UID-OF-SHOP", &uid);
        let mut object: Value = serde_json::from_str(&text).unwrap();
        if object["kind"] == "TokenCache" {
            continue;
        }
        let texts = object.as_object_mut().unwrap().remove("stringData");
        if let Some(Value::Object(texts)) = texts {
            let issued = if object["metadata"]["name"] == "shop-redis-ca" { &authority } else { &server };
            let bytes = |key: &str, text: Value| match key {
                "tls.crt" => base64(&issued.certificate),
                "tls.key" => base64(issued.key.reveal()),
                "ca.crt" => base64(&authority.certificate),
                _ => base64(text.as_str().unwrap()),
            };
            let data: Map<String, Value> =
                texts.into_iter().map(|(key, text)| (key.clone(), bytes(&key, text))).collect();
            object["data"] = data.into();
        }
        write(&world, entry["how"].as_str().unwrap(), object).await;
    }
    world
}

/// What must not change: the files of the ring, and every password and private key, by the Secret's name.
async fn treasures(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut treasures = BTreeMap::new();
    for (secret, files) in world.keys().await {
        treasures.extend(files.into_iter().map(|(file, text)| (format!("{secret} {file}"), text.into_bytes())));
    }
    for (secret, keys) in [
        ("shop-redis", &["password", "connectionString", "ca.crt", "uri"][..]),
        ("shop-redis-operator", &["password"]),
        ("shop-redis-ca", &["tls.crt", "tls.key"]),
        ("shop-redis-tls", &["tls.crt", "tls.key"]),
    ] {
        let files = world.files(secret).await;
        treasures.extend(keys.iter().map(|key| (format!("{secret} {key}"), files[*key].clone())));
    }
    for (file, bytes) in world.files("shop-keys").await {
        treasures.insert(format!("shop-keys {file}"), bytes);
    }
    treasures
}

#[tokio::test]
async fn what_an_earlier_version_made_goes_on_and_nothing_of_it_is_lost() {
    for (version, objects) in EARLIER {
        let world = made_by(objects).await;
        let app = world.passwords().await[1].clone().unwrap();
        eventually("the server takes the published password", async || world.ping(&app).await).await;
        let ask = async |words: &[&str]| world.kubelet.pod(POD).redis_cli(6380, Some(("app", &app)), words).await;
        for entry in ENTRIES {
            assert_eq!(ask(&["HMSET", entry, "absexp", "-1", "sldexp", "-1", "data", "x"]).await, "OK");
        }
        let (server, treasures_before) = (world.kubelet.pod(POD).incarnation().await, treasures(&world).await);

        let operator = Operator::start(&world.namespace).await;
        world.ready(SHOP).await;
        world.quiet().await;
        let same = async || {
            if world.kubelet.pod(POD).incarnation().await != server {
                return Some("the server was restarted".to_owned());
            }
            let now = treasures(&world).await;
            let lost = treasures_before.iter().find(|(name, bytes)| now.get(*name) != Some(bytes));
            lost.map(|(name, _)| format!("{name} is another"))
        };
        never(TWO_PERIODS, &format!("something of {version} is lost"), same).await;
        for entry in ENTRIES {
            assert_eq!(ask(&["HMGET", entry, "data"]).await, "x", "{version}");
        }
        world.ping_trusting_the_bundle().await.unwrap();

        // What comes with the next restart does not come with the next operator either.
        operator.kill().await;
        let mark = crate::support::api_server::api_server().audit_log().mark();
        let _next = Operator::start(&world.namespace).await;
        world.ready(SHOP).await;
        world.quiet().await;
        assert_eq!(same().await, None, "{version}");
        let writes = world.writes_since(mark);
        assert!(writes.is_empty(), "{version}: the next operator writes {writes:?}");
    }
}
