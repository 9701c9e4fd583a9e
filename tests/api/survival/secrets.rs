//! Secrets that are lost or changed: what runs goes on running, and nobody is locked out in silence.

use jiff::SignedDuration;
use serde_json::json;

use super::TWO_PERIODS;
use super::history::History;
use super::spare::pause;
use super::world::{POD, SHOP, World};
use crate::support::eventually::{eventually, never};
use crate::support::operator::Operator;

/// Text as the data of a Secret.
pub fn base64(text: &str) -> serde_json::Value {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap()
}

#[tokio::test]
async fn lost_users_are_rebuilt_with_the_same_passwords_under_a_server_that_goes_on() {
    let (world, _operator) = World::with_shop("users").await;
    let (wanted, passwords) = (world.shape().await, world.passwords().await);
    let server = world.kubelet.pod(POD).incarnation().await;
    let app = passwords[1].as_ref().unwrap();
    world.delete("Secret", "shop-redis-users").await;
    world.has_shape("the users are there again, and no revision more", &wanted).await;
    never(TWO_PERIODS, "the server goes on and takes the password", async || world.ping(app).await.err()).await;
    assert_eq!(world.passwords().await, passwords);
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server);
    world.ready(SHOP).await;
}

/// Waits until the operator's own login is another one than this, which the server takes; returns it.
async fn another_login(world: &World, before: &str) -> String {
    eventually("the server takes another login of the operator", async || {
        let now = world.passwords().await[0].clone().filter(|now| now != before).ok_or("there is none")?;
        let answer = world.kubelet.pod(POD).try_redis_cli(6380, Some(("operator", &now)), &["PING"]).await?;
        if answer == "PONG" { Ok(now) } else { Err(answer) }
    })
    .await
}

#[tokio::test]
async fn a_lost_password_of_the_operator_is_made_anew_and_a_server_learns_it_without_a_restart() {
    let (world, _operator) = World::with_shop("operator").await;
    let [operator, app] = world.passwords().await.map(Option::unwrap);
    let server = world.kubelet.pod(POD).incarnation().await;
    let history = History::of(&world, SHOP);
    let cut = &operator[..10];
    let own = "M".repeat(40);
    let mut before = operator.clone();
    // Deleted; truncated, so that it is none; and another one, put there by hand.
    for change in [None, Some(cut), Some(own.as_str())] {
        match change {
            None => world.delete("Secret", "shop-redis-operator").await,
            Some(by_hand) => {
                world.edit("Secret", "shop-redis-operator", json!({"data": {"password": base64(by_hand)}})).await;
            }
        }
        before = another_login(&world, &before).await;
        // kubelet's probe has the earlier file still.
        let answer =
            world.kubelet.pod(POD).try_redis_cli(6380, Some(("operator", &operator)), &["PING"]).await.unwrap();
        assert_eq!(answer, "PONG", "the earlier login stays valid for the overlap");
        world.ready(SHOP).await;
    }
    assert_eq!(before, own, "what was put there by hand is followed");
    never(TWO_PERIODS, "the server goes on", async || world.ping(&app).await.err()).await;
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server);
    assert_eq!(world.passwords().await[1].as_ref(), Some(&app), "the applications keep theirs");
    let told = history.of_condition("RedisAvailable");
    assert!(!told.iter().any(|each| each.starts_with("False")), "{told:?}");
    let blamed = world.events(SHOP).await.into_iter().filter(|event| event.reason.as_deref() == Some("DriftCorrected"));
    assert_eq!(blamed.count(), 0, "nobody is blamed for what the operator did");
}

#[tokio::test]
async fn a_password_of_the_operator_that_no_server_could_learn_restarts_the_server_to_load_it() {
    let (world, operator) = World::with_shop("unlearned").await;
    let [own, app] = world.passwords().await.map(Option::unwrap);
    let (server, _) = world.kubelet.pod(POD).incarnation().await;
    operator.kill().await;
    world.delete("Secret", "shop-redis-operator").await;
    let history = History::of(&world, SHOP);
    let _operator = Operator::start(&world.namespace).await;
    eventually("another pod runs", async || {
        let (now, _) = world.kubelet.pod(POD).incarnation().await;
        if now == server { Err(now) } else { Ok(()) }
    })
    .await;
    world.ready(SHOP).await;
    another_login(&world, &own).await;
    assert_eq!(world.passwords().await[1].as_ref(), Some(&app), "the applications keep theirs");
    eventually("the server takes the published password", async || world.ping(&app).await).await;
    let told = history.of_condition("RedisAvailable");
    assert!(told.contains(&"False RestartingForPassword".to_owned()), "{told:?}");
    let alarms = ["PasswordMismatch", "Unreachable"];
    assert!(!told.iter().any(|each| alarms.iter().any(|alarm| each.contains(alarm))), "{told:?}");
}

#[tokio::test]
async fn a_lost_binding_gets_a_new_password_and_nobody_who_has_the_earlier_one_is_refused() {
    let (world, _operator) = World::with_shop("binding").await;
    let [operator, old] = world.passwords().await;
    let server = world.kubelet.pod(POD).incarnation().await;
    let old = old.unwrap();
    let story = async {
        world.delete("Secret", "shop-redis").await;
        world.operation("Published", "Secret shop-redis was lost, and has a new password").await;
        let new = world.passwords().await[1].clone().unwrap();
        assert_ne!(new, old);
        world.event(SHOP, "PasswordPublished").await;
        world.ready(SHOP).await;
        never(TWO_PERIODS, "either is refused", async || world.ping(&new).await.err().or(world.ping(&old).await.err()))
            .await;
        assert_eq!(world.passwords().await, [operator, Some(new)]);
    };
    let day = SignedDuration::from_hours(24);
    tokio::select! { () = world.nobody_is_refused(&old, day) => unreachable!(), () = story => {} }
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server);
}

#[tokio::test]
async fn where_all_secrets_of_redis_are_lost_at_once_nobody_is_refused_and_no_pod_is_replaced() {
    let (world, _operator) = World::with_shop("all").await;
    let [operator, old] = world.passwords().await.map(Option::unwrap);
    let server = world.kubelet.pod(POD).incarnation().await;
    let story = async {
        for secret in ["shop-redis-users", "shop-redis-operator", "shop-redis"] {
            world.delete("Secret", secret).await;
        }
        world.delete("ConfigMap", "shop-settings").await;
        world.operation("Published", "").await;
        another_login(&world, &operator).await;
        world.ready(SHOP).await;
        let new = world.passwords().await[1].clone().unwrap();
        eventually("the server takes both", async || {
            world.ping(&new).await?;
            world.ping(&old).await
        })
        .await;
        assert!(world.uid("ConfigMap", "shop-settings").await.is_some());
    };
    let day = SignedDuration::from_hours(24);
    tokio::select! { () = world.nobody_is_refused(&old, day) => unreachable!(), () = story => {} }
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server);
}

#[tokio::test]
async fn where_all_secrets_of_redis_are_lost_and_nobody_remembers_them_that_is_told() {
    let (world, operator) = World::with_shop("forgotten").await;
    let [_, old] = world.passwords().await.map(Option::unwrap);
    operator.kill().await;
    for secret in ["shop-redis-users", "shop-redis-operator", "shop-redis"] {
        world.delete("Secret", secret).await;
    }
    let history = History::of(&world, SHOP);
    let _operator = Operator::start(&world.namespace).await;
    eventually("the server has a new password", async || {
        let new = world.passwords().await[1].clone().ok_or("there is none")?;
        world.ping(&new).await
    })
    .await;
    world.ready(SHOP).await;
    assert!(world.refuses(&old).await);
    let told = history.of_condition("RedisAvailable");
    assert!(told.contains(&"False RestartingForPassword".to_owned()), "{told:?}");
}

#[tokio::test]
async fn a_password_that_somebody_puts_into_the_binding_is_followed_and_one_that_cannot_be_is_put_back() {
    let (world, _operator) = World::with_shop("foreign").await;
    let old = world.passwords().await[1].clone().unwrap();
    let server = world.kubelet.pod(POD).incarnation().await;
    let before = world.get("Secret", "shop-redis").await["data"].clone();
    for wrong in ["with a line break\n", "", "has,a,comma"] {
        world.edit("Secret", "shop-redis", json!({"data": {"password": base64(wrong)}})).await;
        eventually("it is put back", async || {
            let now = world.get("Secret", "shop-redis").await["data"].clone();
            if now == before { Ok(()) } else { Err("it is not".to_owned()) }
        })
        .await;
        let note = world.event(SHOP, "PasswordEditUndone").await;
        assert!(note.contains("Secret shop-redis") && !note.contains(&old), "{note}");
    }
    // A space and what a URI has to escape.
    let foreign = "p@ss/w\u{f6}rd = 1".to_owned();
    let story = async {
        world.edit("Secret", "shop-redis", json!({"data": {"password": base64(&foreign)}})).await;
        world.operation("Published", "somebody put a new password into Secret shop-redis").await;
        eventually("the server takes it", async || world.ping(&foreign).await).await;
        world.ready(SHOP).await;
        let now = world.secret("shop-redis").await;
        assert!(now["connectionString"].contains(&foreign) && now["uri"].contains("p%40ss%2Fw%C3%B6rd%20%3D%201@"));
        never(TWO_PERIODS, "the earlier one is refused", async || world.ping(&old).await.err()).await;
    };
    story.await;
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server);

    // While the cache is paused nothing is followed, and that is told.
    world.edit("TokenCache", SHOP, pause(&"paused".into())).await;
    world.condition(SHOP, "Paused", "True", "Paused").await;
    world.edit("Secret", "shop-redis", json!({"data": {"password": base64("P")}})).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "PasswordMismatch").await;
    assert!(message.contains("Secret shop-redis") && message.contains("paused"), "{message}");
    world.edit("TokenCache", SHOP, pause(&serde_json::Value::Null)).await;
    eventually("it is followed now", async || world.ping("P").await).await;
    world.ready(SHOP).await;
}
