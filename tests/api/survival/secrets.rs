//! Secrets that are lost or changed: what runs goes on running, and nobody is locked out in silence.

use serde_json::json;

use super::TWO_PERIODS;
use super::history::History;
use super::spare::pause;
use super::world::{POD, SHOP, World, condition};
use crate::support::eventually::{eventually, never};

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

#[tokio::test]
async fn a_lost_password_of_the_operator_is_made_anew_and_the_server_restarts_to_load_it() {
    let (world, _operator) = World::with_shop("operator").await;
    let [operator, app] = world.passwords().await;
    let (server, _) = world.kubelet.pod(POD).incarnation().await;
    let history = History::of(&world, SHOP);
    world.delete("Secret", "shop-redis-operator").await;
    eventually("another pod runs", async || {
        let (now, _) = world.kubelet.pod(POD).incarnation().await;
        if now == server { Err(now) } else { Ok(()) }
    })
    .await;
    world.ready(SHOP).await;
    let now = world.passwords().await;
    assert!(now[0].is_some() && now[0] != operator, "the operator has another password");
    assert_eq!(now[1], app, "the applications keep theirs");
    eventually("the server takes the published password", async || world.ping(app.as_ref().unwrap()).await).await;
    let told = history.of_condition("RedisAvailable");
    assert!(told.contains(&"False RestartingForPassword".to_owned()), "{told:?}");
    let alarms = ["WrongPassword", "PasswordMismatch", "Unreachable"];
    assert!(!told.iter().any(|each| alarms.iter().any(|alarm| each.contains(alarm))), "{told:?}");
}

#[tokio::test]
async fn a_lost_binding_gets_a_new_password_that_the_server_takes_without_a_restart() {
    let (world, _operator) = World::with_shop("binding").await;
    let [operator, app] = world.passwords().await;
    let server = world.kubelet.pod(POD).incarnation().await;
    world.delete("Secret", "shop-redis").await;
    let new = eventually("there is another password", async || {
        world.passwords().await[1].clone().filter(|now| Some(now) != app.as_ref()).ok_or_else(|| "none".to_owned())
    })
    .await;
    eventually("the server takes it", async || world.ping(&new).await).await;
    let refused = world.ping(app.as_ref().unwrap()).await;
    assert!(refused.is_err(), "the lost password is taken still");
    world.ready(SHOP).await;
    let note = world.event(SHOP, "NewPassword").await;
    assert!(note.contains("Secret shop-redis") && note.contains("Restart them"), "{note}");
    assert_eq!(world.passwords().await, [operator, Some(new)]);
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server);
}

#[tokio::test]
async fn a_password_that_was_changed_in_the_binding_is_reported_and_not_followed() {
    let (world, _operator) = World::with_shop("foreign").await;
    let app = world.passwords().await[1].clone().unwrap();
    let server = world.kubelet.pod(POD).incarnation().await;
    let binding = world.get("Secret", "shop-redis").await;
    let foreign: String = app.chars().rev().collect();
    for wrong in [&app[..20], "", "has,a,comma", &foreign] {
        world.edit("Secret", "shop-redis", json!({"data": {"password": base64(wrong)}})).await;
        let message = world.condition(SHOP, "RedisAvailable", "False", "PasswordMismatch").await;
        assert!(message.contains("Secret shop-redis") && message.contains("connectionString"), "{message}");
        assert!(
            !message.contains(&app) && (wrong.is_empty() || !message.contains(wrong)),
            "a password is told: {message}"
        );
        let status =
            world.status(SHOP, "it waits for the user", |seen| condition(seen, "Stalled")["status"] == "True").await;
        assert_eq!(condition(&status, "Ready")["reason"], "PasswordMismatch");
        never(TWO_PERIODS, "the server keeps the earlier password", async || world.ping(&app).await.err()).await;
        let mut now = world.get("Secret", "shop-redis").await["data"].clone();
        now["password"] = binding["data"]["password"].clone();
        assert_eq!(now, binding["data"], "the other keys stay");

        world.edit("Secret", "shop-redis", json!({"data": {"password": base64(&app)}})).await;
        let status = world.ready(SHOP).await;
        assert_eq!(condition(&status, "Stalled")["status"], "False");
    }
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server);
    world.ping(&app).await.unwrap();
}

#[tokio::test]
async fn a_password_of_the_operator_that_was_truncated_is_reported_and_nothing_is_broken() {
    let (world, _operator) = World::with_shop("truncated").await;
    let [operator, app] = world.passwords().await.map(Option::unwrap);
    let server = world.kubelet.pod(POD).incarnation().await;
    world.edit("Secret", "shop-redis-operator", json!({"data": {"password": base64(&operator[..10])}})).await;
    let message = world.condition(SHOP, "RedisAvailable", "False", "PasswordMismatch").await;
    assert!(message.contains("Secret shop-redis-operator") && message.contains("delete the Secret"), "{message}");
    never(TWO_PERIODS, "the server goes on", async || world.ping(&app).await.err()).await;

    // Nor is anything set while the cache is paused, although the server is still looked at with the earlier password.
    world.edit("TokenCache", SHOP, pause(&"paused".into())).await;
    world.condition_says(SHOP, "Ready", "Paused").await;
    let config = async |words: &[&str]| {
        let command = [&["CONFIG"], words].concat();
        world.kubelet.pod(POD).redis_cli(6380, Some(("operator", &operator)), &command).await
    };
    assert_eq!(config(&["SET", "maxmemory-policy", "noeviction"]).await, "OK");
    never(TWO_PERIODS, "it is left alone", async || {
        let policy = config(&["GET", "maxmemory-policy"]).await;
        (!policy.ends_with("noeviction")).then_some(policy)
    })
    .await;
    world.edit("TokenCache", SHOP, pause(&serde_json::Value::Null)).await;
    world.edit("Secret", "shop-redis-operator", json!({"data": {"password": base64(&operator)}})).await;
    world.ready(SHOP).await;
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server);
}
