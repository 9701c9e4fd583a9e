//! `Ready` is False where applications fail now, and where they do not a trouble is a warning.

use serde_json::json;

use super::scene::{POD, SHOP, operated, shop, warns_of};

#[tokio::test]
async fn what_applications_are_given_and_is_missing_or_leads_elsewhere_while_paused_is_an_outage() {
    let (world, _operator) = shop("given").await;
    let reconcile =
        |value: serde_json::Value| json!({"metadata": {"annotations": {"tokencache.dev/reconcile": value}}});
    let other = json!({"spec": {"selector": {"app": "other"}}});
    let no_port = json!({"spec": {"ports": [{"name": "redis", "port": 7000, "targetPort": "redis"}]}});
    let elsewhere = json!({"stringData": {"host": "elsewhere", "connectionString": "elsewhere:6380"}});
    let prefix = json!({"data": {"Redis__InstanceName": "other:"}});
    let address = format!("shop-redis.{}.svc:6380", world.namespace);
    for (kind, name, edit, reason, words) in [
        (
            "Service",
            "shop-redis",
            None,
            "AddressUnusable",
            format!("there is no Service shop-redis: applications cannot find {address}"),
        ),
        ("Service", "shop-redis", Some(other), "AddressUnusable", "Service shop-redis selects other pods".to_owned()),
        ("Service", "shop-redis", Some(no_port), "AddressUnusable", "Service shop-redis has other ports".to_owned()),
        ("Secret", "shop-redis", None, "NotPublished", "there is no Secret shop-redis".to_owned()),
        (
            "Secret",
            "shop-redis",
            Some(elsewhere),
            "NotPublished",
            "Secret shop-redis has a wrong host, connectionString".to_owned(),
        ),
        (
            "ConfigMap",
            "shop-settings",
            Some(prefix),
            "NotPublished",
            "ConfigMap shop-settings has a wrong Redis__InstanceName".to_owned(),
        ),
        ("ConfigMap", "shop-settings", None, "NotPublished", "there is no ConfigMap shop-settings".to_owned()),
    ] {
        world.edit("TokenCache", SHOP, reconcile("paused".into())).await;
        world.condition(SHOP, "Paused", "True", "Paused").await;
        match edit {
            Some(edit) => world.edit(kind, name, edit).await,
            None => world.delete(kind, name).await,
        }
        let message = world.condition(SHOP, "RedisAvailable", "False", reason).await;
        assert!(message.contains(&words) && message.contains("paused"), "{message}");
        world.condition(SHOP, "Ready", "False", reason).await;
        world.edit("TokenCache", SHOP, reconcile(json!(null))).await;
        world.ready(SHOP).await;
    }
}

#[tokio::test]
async fn a_pod_with_the_labels_of_a_server_takes_connections_away_and_is_an_outage() {
    let (world, _operator) = shop("stranger").await;
    let labels = world.get("Service", "shop-redis").await["spec"]["selector"].clone();
    world.application("copy", json!({"ports": [{"name": "redis", "containerPort": 6380}]}), &json!([])).await;
    world.edit("Pod", "copy", json!({"metadata": {"labels": labels}})).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "AddressUnusable").await;
    assert!(message.starts_with("Service shop-redis selects Pod copy too, which is no server"), "{message}");
    world.condition(SHOP, "Ready", "False", "AddressUnusable").await;
    world.edit("Pod", "copy", json!({"metadata": {"labels": {"app.kubernetes.io/component": null}}})).await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn logins_that_are_refused_are_an_outage_where_nobody_is_in_and_else_a_warning() {
    let (world, _operator) = shop("shut-out").await;
    let (pod, password) = (world.kubelet.pod(POD), world.secret("shop-redis").await["password"].clone());
    let fail = async || drop(pod.redis_cli(6380, None, &["AUTH", "app", "guess"]).await);
    fail().await;
    let message = world.condition(SHOP, "AccessAllowed", "False", "EveryLoginRefused").await;
    assert!(message.starts_with("no application is logged in"), "{message}");
    world.condition(SHOP, "Ready", "False", "EveryLoginRefused").await;

    let work = async {
        loop {
            fail().await;
            pod.redis_cli(6380, Some(("app", &password)), &["-r", "4", "-i", "1", "PING"]).await;
        }
    };
    let warned = async {
        world.condition(SHOP, "AccessAllowed", "False", "LoginRefused").await;
        let status = world.ready(SHOP).await;
        assert!(warns_of(&status, "AccessAllowed"), "{status}");
    };
    tokio::select! {
        () = work => {}
        () = warned => {}
    }
}

#[tokio::test]
async fn refused_writes_are_an_outage_while_they_are_refused_and_then_a_warning() {
    let (world, _operator) = operated("full").await;
    world.create(SHOP, json!({"redis": {"maxMemory": "16Mi", "evictionPolicy": "noeviction"}})).await;
    world.ready(SHOP).await;
    world.as_anybody(SHOP, &["SETRANGE", "shop:big", "17000000", "x"]).await;
    let write = async || world.app(SHOP, &["HMSET", "shop:oid.tid", "data", "x"]).await;
    assert!(write().await.starts_with("OOM"));
    let message = world.condition(SHOP, "MemorySufficient", "False", "WritesRefused").await;
    assert!(
        message.contains("refuses writes (OOM), so new tokens are not kept: maxmemory 16Mi is reached"),
        "{message}"
    );
    world.condition(SHOP, "Ready", "False", "WritesRefused").await;

    world.as_anybody(SHOP, &["UNLINK", "shop:big"]).await;
    assert_eq!(write().await, "OK");
    world.condition(SHOP, "MemorySufficient", "False", "WritesRefusedEarlier").await;
    let status = world.ready(SHOP).await;
    assert!(warns_of(&status, "MemorySufficient"), "{status}");
    assert!(status["warned"].as_str().unwrap().contains("MemorySufficient"), "{status}");
}
