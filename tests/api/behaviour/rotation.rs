//! Another password of the applications, on request.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::scene::{POD, SHOP, World, condition, operated, operator_of};
use crate::support::api_server::api_server;
use crate::support::eventually::{eventually, never};
use crate::support::operator::{Operator, PROBE_PERIOD};

/// The overlap in a test that waits for its end.
const OVERLAP: SignedDuration = SignedDuration::from_secs(6);

/// Twice the time between two looks.
const A_WHILE: std::time::Duration = PROBE_PERIOD.saturating_mul(4);

/// A ready cache with this overlap, and its password.
async fn shop(prefix: &str, overlap: &str) -> (World, Operator, String) {
    let (world, operator) = operated(prefix).await;
    world.create(SHOP, json!({"redis": {"passwordRotation": {"overlap": overlap}}})).await;
    world.ready(SHOP).await;
    let old = world.secret("shop-redis").await["password"].clone();
    (world, operator, old)
}

/// One of which another password has just been published, and both are valid for longer than the test takes.
async fn published(prefix: &str) -> (World, Operator, [String; 2]) {
    let (world, operator, old) = shop(prefix, "6s").await;
    world.ask_for_password().await;
    let new = another_is_published(&world, &old).await;
    overlap(&world, "1h").await;
    world.operation("Published", "").await;
    (world, operator, [old, new])
}

/// Waits until the binding has another password than this one, and returns it. The status may be seconds late.
async fn another_is_published(world: &World, old: &str) -> String {
    eventually("another password is published", async || {
        let now = world.secret("shop-redis").await["password"].clone();
        if now == old { Err("it is not".to_owned()) } else { Ok(now) }
    })
    .await
}

async fn overlap(world: &World, overlap: &str) {
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"passwordRotation": {"overlap": overlap}}}})).await;
}

/// Waits until the server takes all of these passwords.
async fn all_are_taken(world: &World, passwords: &[&str]) {
    for password in passwords {
        eventually("the server takes it", async || world.ping(password).await).await;
    }
}

/// Watches that the server goes on taking all of these passwords.
async fn all_stay_taken(world: &World, passwords: &[&str]) {
    never(A_WHILE, "a password is refused", async || {
        for password in passwords {
            if let Err(answer) = world.ping(password).await {
                return Some(answer);
            }
        }
        None
    })
    .await;
}

async fn is_refused(world: &World, password: &str) {
    eventually("the server refuses it", async || {
        if world.refuses(password).await { Ok(()) } else { Err("it is taken".to_owned()) }
    })
    .await;
}

/// Writes entries for ever. Panics where one is refused.
async fn writes(world: &World, password: &str) {
    let pod = world.kubelet.pod(POD);
    for count in 0_u32.. {
        let entry = ["HMSET", "shop:entry", "data", &count.to_string()];
        let answer = pod.redis_cli(6380, Some(("app", password)), &entry).await;
        assert_eq!(answer, "OK", "the write of an application is refused");
    }
}

#[tokio::test]
async fn applications_with_the_old_password_and_with_the_new_one_write_until_the_overlap_is_over() {
    let (world, _operator, old) = shop("rotated", "6s").await;
    let history = world.watch(SHOP).await;
    let server = world.kubelet.pod(POD).incarnation().await;
    let requested = world.ask_for_password().await;
    let with_new = async {
        let operation = world.operation("Published", "has the new password").await;
        let binding = world.secret("shop-redis").await;
        let new = binding["password"].clone();
        assert!(binding["uri"].contains(&new) && binding["connectionString"].contains(&new) && new != old);
        let ends: Timestamp = operation["endsAt"].as_str().unwrap().parse().unwrap();
        let over = eventually("the overlap is over", async || {
            if Timestamp::now() < ends { Err("it is not".to_owned()) } else { Ok(()) }
        });
        tokio::select! { () = writes(&world, &new) => unreachable!(), () = over => {} }
        (new, operation)
    };
    let (new, operation) = tokio::select! {
        () = world.nobody_is_refused(&old, OVERLAP) => unreachable!(),
        seen = with_new => seen,
    };
    let complete = async {
        let complete = world.operation("Completed", "the earlier password is removed").await;
        is_refused(&world, &old).await;
        complete
    };
    let complete = tokio::select! { () = writes(&world, &new) => unreachable!(), complete = complete => complete };

    let whole = requested.parse::<Timestamp>().unwrap().as_second();
    let time = |operation: &Value, field: &str| operation[field].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(time(&complete, "requested").as_second(), whole);
    assert_eq!(time(&operation, "published") + OVERLAP, time(&operation, "endsAt"));
    assert!(time(&complete, "finished") >= time(&operation, "endsAt"));
    assert_eq!(history.of_condition("Ready"), ["True AllVerified"], "nobody was alarmed");
    let stages = history.of_operation();
    assert_eq!(
        stages.iter().filter(|stage| !["Waiting", "Removing"].contains(&stage.as_str())).collect::<Vec<_>>(),
        ["-", "Adding", "Published", "Completed"]
    );
    for reason in ["PasswordRotationStarted", "PasswordPublished", "PasswordRotated"] {
        world.event(SHOP, reason).await;
    }
    let reasons: Vec<_> = world.events(SHOP).await.into_iter().filter_map(|event| event.reason).collect();
    assert!(!reasons.iter().any(|reason| ["DriftCorrected", "NewPassword"].contains(&reason.as_str())), "{reasons:?}");
    assert_eq!(world.uid("Secret", "shop-redis-rotation").await, None);
    assert_eq!(world.kubelet.pod(POD).incarnation().await, server, "nothing was restarted");
    world.quiet().await;
}

#[tokio::test]
async fn a_request_of_a_backup_changes_nothing_and_says_why() {
    let (world, operator, old) = shop("backup", "2s").await;
    for (value, why) in [
        ("2020-01-01T00:00:00Z", "older than the TokenCache"),
        ("2999-01-01T00:00:00Z", "in the future"),
        ("at once", "does not begin with a time"),
    ] {
        world.ask_for_password_as_of(value).await;
        let operation = world.operation("Ignored", why).await;
        assert!(operation["remedies"][0]["command"].as_str().unwrap().starts_with("kubectl -n "), "{operation}");
    }
    world.event(SHOP, "RequestIgnored").await;
    // Nor does what was done already, whoever is asked.
    let requested = world.ask_for_password().await;
    world.operation("Completed", "").await;
    let new = world.secret("shop-redis").await["password"].clone();
    operator.kill().await;
    world.ask_for_password_as_of("2999-01-01T00:00:00Z").await;
    let _operator = operator_of(&world).await;
    world.operation("Ignored", "").await;
    world.ask_for_password_as_of(&requested).await;
    world.operation("Completed", "").await;
    never(A_WHILE, "another password is made", async || {
        let now = world.secret("shop-redis").await["password"].clone();
        (now != new || now == old || world.uid("Secret", "shop-redis-rotation").await.is_some()).then_some(now)
    })
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_waited_for_before_anything_is_published() {
    let (world, _operator, old) = shop("frozen", "2s").await;
    world.kubelet.pod(POD).freeze().await;
    world.condition(SHOP, "RedisAvailable", "False", "Frozen").await;
    world.ask_for_password().await;
    world.operation("Adding", "waiting for shop-redis-0, which does not answer: see RedisAvailable").await;
    assert_eq!(world.secret("shop-redis").await["password"], old);
    world.kubelet.pod(POD).thaw().await;
    world.operation("Completed", "").await;
    let new = world.secret("shop-redis").await["password"].clone();
    all_are_taken(&world, &[&new]).await;
    is_refused(&world, &old).await;
}

#[tokio::test]
async fn a_server_that_is_restarted_or_replaced_within_the_overlap_takes_both() {
    let (world, _operator, [old, new]) = published("restarted").await;
    world.kubelet.pod(POD).kill_out_of_memory().await;
    eventually("it runs again", async || world.ping(&new).await).await;
    all_are_taken(&world, &[&old, &new]).await;
    let before = world.uid("Pod", POD).await;
    world.delete("Pod", POD).await;
    // Until then the server of before may still answer.
    eventually("there is another pod", async || {
        let now = world.uid("Pod", POD).await;
        if now.is_some() && now != before { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    world.ready(SHOP).await;
    all_are_taken(&world, &[&old, &new]).await;
    all_stay_taken(&world, &[&old, &new]).await;
    overlap(&world, "1s").await;
    world.operation("Completed", "").await;
    is_refused(&world, &old).await;
    all_are_taken(&world, &[&new]).await;
}

#[tokio::test]
async fn what_is_lost_within_the_overlap_comes_back_and_nobody_is_refused() {
    let (world, _operator, [old, new]) = published("lost").await;
    for secret in ["shop-redis-rotation", "shop-redis-users", "shop-redis"] {
        let before = world.uid("Secret", secret).await;
        world.delete("Secret", secret).await;
        eventually(&format!("there is another Secret {secret}"), async || {
            let now = world.uid("Secret", secret).await;
            if now.is_some() && now != before { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
        all_stay_taken(&world, &[&old, &new]).await;
    }
    assert_eq!(world.secret("shop-redis").await["password"], new);
    world.ready(SHOP).await;
    overlap(&world, "1s").await;
    world.operation("Completed", "").await;
    is_refused(&world, &old).await;
}

#[tokio::test]
async fn a_password_that_somebody_puts_into_the_binding_meanwhile_is_adopted_and_one_that_cannot_be_used_is_undone() {
    let (world, _operator, [old, new]) = published("third").await;
    let third = "T".repeat(40);
    // One that cannot be used: undone.
    world.edit("Secret", "shop-redis", json!({"stringData": {"password": "sho,rt"}})).await;
    eventually("it is put back", async || {
        if world.secret("shop-redis").await["password"] == new { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await;
    all_stay_taken(&world, &[&old, &new]).await;
    // The old binding as a whole: published again.
    let whole = |binding: &BTreeMap<String, String>, password: &str| {
        let text = |text: &String| Value::from(text.replace(&new, password));
        json!({"stringData": binding.iter().map(|(key, value)| (key.clone(), text(value))).collect::<Map<_, _>>()})
    };
    let mut binding = world.secret("shop-redis").await;
    binding.insert("password".to_owned(), new.clone());
    world.edit("Secret", "shop-redis", whole(&binding, &old)).await;
    world.operation("Adding", "").await;
    overlap(&world, "6s").await;
    eventually("it is published again", async || {
        let now = world.secret("shop-redis").await;
        if now == binding { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await;
    overlap(&world, "1h").await;
    world.operation("Published", "has the new password").await;
    all_stay_taken(&world, &[&old, &new]).await;
    // A third one, of which only the key is written: adopted.
    world.edit("Secret", "shop-redis", json!({"stringData": {"password": third}})).await;
    world.operation("Published", "somebody put another password into Secret shop-redis").await;
    all_are_taken(&world, &[&third]).await;
    all_stay_taken(&world, &[&old, &new, &third]).await;
    overlap(&world, "1s").await;
    world.operation("Completed", "").await;
    is_refused(&world, &old).await;
    is_refused(&world, &new).await;
    all_are_taken(&world, &[&third]).await;
    world.ready(SHOP).await;
}

#[tokio::test]
async fn a_paused_cache_keeps_its_passwords_until_it_goes_on() {
    let (world, _operator, old) = shop("held", "2s").await;
    let pause = |value: Value| json!({"metadata": {"annotations": {"tokencache.dev/reconcile": value}}});
    world.edit("TokenCache", SHOP, pause("paused".into())).await;
    world.ask_for_password().await;
    world.operation("Waiting", "paused").await;
    assert_eq!(world.uid("Secret", "shop-redis-rotation").await, None);
    overlap(&world, "1h").await;
    world.edit("TokenCache", SHOP, pause(Value::Null)).await;
    world.operation("Adding", "").await;
    overlap(&world, "10s").await;
    another_is_published(&world, &old).await;
    world.edit("TokenCache", SHOP, pause("paused".into())).await;
    overlap(&world, "1s").await;
    world.operation("Published", "Held").await;
    let new = world.secret("shop-redis").await["password"].clone();
    all_stay_taken(&world, &[&old, &new]).await;
    world.condition(SHOP, "RedisAvailable", "True", "Available").await;
    world.edit("TokenCache", SHOP, pause(Value::Null)).await;
    world.operation("Completed", "").await;
    is_refused(&world, &old).await;
}

#[tokio::test]
async fn a_cache_that_is_deleted_in_the_midst_of_a_rotation_leaves_nothing_but_its_key() {
    let (world, _operator, _) = published("deleted").await;
    api_server().kubectl(&["delete", "tokencache", SHOP, "--namespace", &world.namespace]).await;
    eventually("all that it owned is collected", async || {
        let names = world.names().await;
        let keys: Vec<_> = world.keys().await.into_keys().map(|name| format!("Secret {name}")).collect();
        if names == keys && keys.len() == 1 { Ok(()) } else { Err(format!("{names:?}")) }
    })
    .await;
}

#[tokio::test]
async fn while_a_pod_runs_that_has_the_old_password_it_is_named_and_the_end_waits_for_a_further_overlap() {
    let (world, _operator, old) = shop("outdated", "8s").await;
    world.application("web", json!({"envFrom": [{"secretRef": {"name": "shop-redis"}}]}), &json!([])).await;
    world.ask_for_password().await;
    let message = world.condition(SHOP, "PasswordRolledOut", "False", "EarlierPasswordInUse").await;
    assert!(message.contains("if these pods still run: Pod web"), "{message}");
    world.event(SHOP, "EarlierPasswordInUse").await;
    let operation = world.operation("Published", "ends when these pods have ended").await;
    assert!(world.ping(&old).await.is_ok(), "it is valid for longer");
    let time = |operation: &Value, field: &str| operation[field].as_str().unwrap().parse::<Timestamp>().unwrap();
    let latest = time(&operation, "published") + SignedDuration::from_secs(16);
    assert_eq!(time(&operation, "endsAt"), latest);
    world.event(SHOP, "PasswordOverlapExtended").await;
    let complete = world.operation("Completed", "").await;
    assert!(time(&complete, "finished") >= latest, "{complete}");
    is_refused(&world, &old).await;
    let told = world.event(SHOP, "PasswordOverlapOver").await;
    assert!(told.contains("Pod web"), "{told}");
    let status = world.ready(SHOP).await;
    assert_eq!(condition(&status, "PasswordRolledOut"), &Value::Null);
    // By the clock, nobody is waited for.
    world.edit("TokenCache", SHOP, json!({"spec": {"redis": {"passwordRotation": {"wait": "Clock"}}}})).await;
    world.ask_for_password().await;
    let operation = world.operation("Published", "passwordRotation.wait: Clock").await;
    let complete = world.operation("Completed", "").await;
    let ends = time(&complete, "published") + SignedDuration::from_secs(8);
    assert_eq!(time(&operation, "endsAt"), ends);
}

#[tokio::test]
async fn an_overlap_is_checked_on_admission() {
    let (world, _operator) = operated("overlap").await;
    for wrong in ["", "0s", "31d", "24", "1.5h", "one day", "1w", "-1h"] {
        let refused = world.try_create(SHOP, json!({"redis": {"passwordRotation": {"overlap": wrong}}})).await;
        let words = refused.unwrap_err().to_string();
        assert!(
            words.contains("overlap must be a whole number with the suffix s, m, h or d, from 1s to 30d"),
            "{words}"
        );
    }
    let made = world.create(SHOP, json!({"redis": {"passwordRotation": {}}})).await;
    let rotation = &made.data["spec"]["redis"]["passwordRotation"];
    assert_eq!(rotation, &json!({"overlap": "24h", "wait": "Consumers"}));
    for right in ["1s", "30d", "720h", "2592000s"] {
        let patch = json!({"spec": {"redis": {"passwordRotation": {"overlap": right}}}});
        world.edit("TokenCache", SHOP, patch).await;
    }
}
