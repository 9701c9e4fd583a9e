//! Secrets that were lost or changed.

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokencache_operator::{
    kubernetes::identity::Found,
    redis::{
        access::acl::{APP, OPERATOR, PROBE, password_hashes},
        look::fault::Fault,
        server::objects::OPERATOR_LOGIN_ANNOTATION,
    },
};

use super::rotation::Shop;
use super::world::{World, shop};

pub fn with(secret: &Found<Arc<Secret>>, key: &str, value: &str) -> Found<Arc<Secret>> {
    let mut changed = Secret::clone(secret.owned().unwrap());
    changed.data.as_mut().unwrap().insert(key.to_owned(), ByteString(value.as_bytes().to_vec()));
    Found::Owned(Arc::new(changed))
}

fn login_mark(world: &World) -> String {
    let set = world.observed.stateful_set.owned().unwrap();
    let template = set.spec.as_ref().unwrap().template.metadata.as_ref().unwrap();
    template.annotations.as_ref().unwrap()[OPERATOR_LOGIN_ANNOTATION].clone()
}

#[test]
fn the_users_come_back_with_the_same_bytes() {
    let mut world = World::settled(shop("{}"));
    let before = world.observed.users.clone();
    world.observed.users = Found::Absent;
    assert_eq!(world.pass(), ["Secret shop-redis-users"]);
    assert_eq!(world.observed.users, before);
}

#[test]
fn a_lost_operator_login_is_drawn_anew_beside_the_earlier_one_and_no_pod_is_replaced_for_it() {
    let mut world = World::settled(shop("{}"));
    let (before, mark) = (world.observed.users.clone(), login_mark(&world));
    let hashes = |world: &World, user| password_hashes(&World::text(&world.observed.users, "users.acl"), user);
    let earlier = [OPERATOR, PROBE].map(|user| hashes(&world, user));
    let app = World::text(&world.observed.connection, "password");
    world.observed.operator_login = Found::Absent;
    assert_eq!(world.pass(), ["mint Secret shop-redis-operator"]);
    assert_eq!(world.pass(), ["Secret shop-redis-users"]);
    for (user, earlier) in [OPERATOR, PROBE].into_iter().zip(earlier) {
        let now = hashes(&world, user);
        assert!(now.len() == 2 && earlier.iter().all(|hash| now.contains(hash)), "{user}");
    }
    assert_eq!(login_mark(&world), mark, "no pod is replaced");
    assert_eq!(World::text(&world.observed.connection, "password"), app);
    assert!(world.plan().is_empty());
    // The overlap ends: what was valid before is not any more, and still no pod is replaced.
    world.now += SignedDuration::from_hours(25);
    assert_eq!(world.pass(), ["Secret shop-redis-operator", "Secret shop-redis-users"]);
    assert!([OPERATOR, PROBE].iter().all(|user| hashes(&world, user).len() == 1));
    assert!(world.observed.users != before && login_mark(&world) == mark);
    assert!(world.plan().is_empty());
}

#[test]
fn the_readiness_probe_keeps_its_earlier_password_until_kubelet_has_brought_the_new_one() {
    let mut world = World::settled(shop("{redis: {passwordRotation: {overlap: 1s}}}"));
    world.observed.operator_login = Found::Absent;
    while !world.plan().is_empty() {
        world.pass();
    }
    let probes = |world: &World| password_hashes(&World::text(&world.observed.users, "users.acl"), PROBE).len();
    world.now += SignedDuration::from_secs(119);
    world.pass();
    assert_eq!(probes(&world), 2);
    world.now += SignedDuration::from_secs(2);
    world.pass();
    assert_eq!(probes(&world), 1);
}

#[test]
fn a_server_that_nobody_could_teach_a_new_operator_login_is_replaced_and_starts_with_it() {
    let mut shop = Shop::settled();
    let mark = login_mark(&shop.world);
    shop.world.observed.operator_login = Found::Absent;
    shop.passes();
    assert_eq!(login_mark(&shop.world), mark);
    shop.look();
    shop.world.observed.samples[0].outcome = Err(Fault::WrongPassword);
    let written = shop.world.pass();
    assert_eq!(written, ["Secret shop-redis-operator", "StatefulSet shop-redis"]);
    let new = login_mark(&shop.world);
    assert_ne!(new, mark, "the pod's annotation is what makes it restart");
    // It stays so, whatever the next look says.
    for answers in [true, false] {
        shop.answers = answers;
        shop.later(SignedDuration::from_mins(1));
        assert_eq!(login_mark(&shop.world), new);
    }
}

#[test]
fn an_operator_password_that_was_changed_by_hand_is_followed_and_one_that_cannot_be_is_made_anew() {
    let own = "M".repeat(40);
    for (changed, writes) in [
        (own.as_str(), ["Secret shop-redis-operator", "Secret shop-redis-users"].as_slice()),
        ("mine", ["mint Secret shop-redis-operator"].as_slice()),
    ] {
        let mut world = World::settled(shop("{}"));
        let (before, mark) = (World::text(&world.observed.users, "users.acl"), login_mark(&world));
        world.observed.operator_login = with(&world.observed.operator_login, "password", changed);
        assert_eq!(world.pass(), writes, "{changed}");
        while !world.plan().is_empty() {
            world.pass();
        }
        let (now, was) = (World::text(&world.observed.users, "users.acl"), password_hashes(&before, OPERATOR));
        let now = password_hashes(&now, OPERATOR);
        assert!(now.len() == 2 && now.contains(&was[0]), "{changed}");
        assert!(World::text(&world.observed.operator_login, "password").len() == 40, "{changed}");
        assert_eq!(login_mark(&world), mark, "{changed}");
    }
}

#[test]
fn a_lost_binding_gets_a_new_password_beside_the_earlier_one_and_redis_is_not_restarted_for_it() {
    let mut world = World::settled(shop("{}"));
    let app = World::text(&world.observed.connection, "password");
    let earlier = password_hashes(&World::text(&world.observed.users, "users.acl"), APP);
    world.observed.connection = Found::Absent;
    assert_eq!(world.pass(), ["mint Secret shop-redis-rotation"]);
    assert_eq!(world.pass(), ["Secret shop-redis", "Secret shop-redis-users"], "no server runs that could be asked");
    assert_ne!(World::text(&world.observed.connection, "password"), app);
    let now = password_hashes(&World::text(&world.observed.users, "users.acl"), APP);
    assert!(now.len() == 2 && now.contains(&earlier[0]));
    assert!(world.plan().is_empty());
}

#[test]
fn what_was_valid_is_known_from_the_last_look_where_every_secret_is_lost() {
    let mut shop = Shop::settled();
    let (old, mark) = (shop.binding(), login_mark(&shop.world));
    let world = &mut shop.world;
    for secret in [&mut world.observed.connection, &mut world.observed.users, &mut world.observed.operator_login] {
        *secret = Found::Absent;
    }
    shop.passes();
    assert!(shop.is_valid(&old) && shop.is_valid(&shop.binding()) && shop.binding() != old);
    assert_eq!(login_mark(&shop.world), mark);
}

#[test]
fn users_that_somebody_else_wrote_tell_nothing_of_what_was_valid() {
    let mut world = World::settled(shop("{}"));
    let users = world.observed.users.clone();
    let text = World::text(&users, "users.acl");
    let strange = "0".repeat(64);
    let own = password_hashes(&text, APP)[0].as_hex().to_owned();
    let mut edited = Secret::clone(with(&users, "users.acl", &text.replace(&own, &strange)).owned().unwrap());
    let record = json!({"manager": "kubectl-edit", "operation": "Update", "time": "2026-06-01T00:00:00Z"});
    edited.metadata.managed_fields = Some(vec![serde_json::from_value(record).unwrap()]);
    world.observed.users = Found::Owned(Arc::new(edited));
    assert_eq!(world.pass(), ["Secret shop-redis-users"]);
    assert_eq!(World::text(&world.observed.users, "users.acl"), text);
}

#[test]
fn everything_in_the_binding_but_the_password_is_written_again() {
    for key in ["host", "port", "username", "uri", "connectionString", "ssl", "type", "provider"] {
        let mut world = World::settled(shop("{}"));
        let before = World::text(&world.observed.connection, key);
        world.observed.connection = with(&world.observed.connection, key, "edited");
        assert_eq!(world.pass(), ["Secret shop-redis"], "{key}");
        assert_eq!(World::text(&world.observed.connection, key), before);
    }
}

#[test]
fn a_password_that_somebody_puts_into_the_binding_is_followed_and_the_earlier_one_stays_valid_for_the_overlap() {
    let mut shop = Shop::settled();
    let (old, third) = (shop.binding(), "a=b @/\u{e4};");
    shop.world.observed.connection = with(&shop.world.observed.connection, "password", third);
    shop.passes();
    assert_eq!(shop.binding().reveal(), third);
    let key = |key| World::text(&shop.world.observed.connection, key);
    assert!(key("connectionString").contains(&format!(",password={third},")));
    assert!(key("uri").contains("://app:a%3Db%20%40%2F%C3%A4%3B@shop-redis.web.svc"), "{}", key("uri"));
    assert!(shop.is_valid(&old) && shop.is_valid(&shop.binding()));
    shop.later(SignedDuration::from_hours(25));
    assert!(!shop.is_valid(&old) && shop.is_valid(&shop.binding()) && shop.binding().reveal() == third);
}

#[test]
fn a_password_that_no_connection_string_can_carry_is_undone_and_the_users_stay_as_they_are() {
    for changed in [" short", "", "with,comma,that,a,connection,cannot,carry,", "a\nb"] {
        let mut world = World::settled(shop("{}"));
        let (users, binding) = (world.observed.users.clone(), world.observed.connection.clone());
        world.observed.connection = with(&binding, "password", changed);
        assert_eq!(world.pass(), ["Secret shop-redis"], "{changed:?}");
        assert_eq!((&world.observed.connection, &world.observed.users), (&binding, &users), "{changed:?}");
        // Where the connection string beside it holds none either, it is lost.
        let edited = with(&with(&binding, "password", changed), "connectionString", changed);
        world.observed.connection = edited;
        assert_eq!(world.pass(), ["mint Secret shop-redis-rotation"], "{changed:?}");
        while !world.plan().is_empty() {
            world.pass();
        }
        let now = password_hashes(&World::text(&world.observed.users, "users.acl"), APP);
        assert!(now.len() == 2 && World::text(&world.observed.connection, "password").len() == 40, "{changed:?}");
    }
}

#[test]
fn a_binding_without_a_password_of_a_cache_that_has_none_gets_one() {
    let mut world = World::settled(shop("{}"));
    world.observed.users = Found::Absent;
    world.observed.connection = with(&with(&world.observed.connection, "password", ""), "connectionString", "");
    assert_eq!(world.pass(), ["mint Secret shop-redis"]);
    world.pass();
    assert!(world.plan().is_empty());
    assert_eq!(password_hashes(&World::text(&world.observed.users, "users.acl"), APP).len(), 1);
}

#[test]
fn what_is_known_of_passwords_never_quotes_one() {
    let mut world = World::settled(shop("{}"));
    let earlier = World::text(&world.observed.connection, "password");
    world.observed.connection = with(&world.observed.connection, "password", "guessable");
    let words = format!("{:?}", world.credentials());
    assert!(!words.contains("guessable") && !words.contains(&earlier), "{words}");
}
