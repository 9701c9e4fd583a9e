//! Secrets that were lost or changed.

use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use tokencache_operator::{
    kubernetes::identity::Found,
    redis::{credentials::PasswordState, server::objects::OPERATOR_LOGIN_ANNOTATION},
};

use super::world::{World, said, shop};

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
fn a_lost_operator_login_is_drawn_anew_and_redis_restarts_to_learn_it() {
    let mut world = World::settled(shop("{}"));
    let (users, mark) = (World::text(&world.observed.users, "users.acl"), login_mark(&world));
    let app = World::text(&world.observed.connection, "password");
    world.observed.operator_login = Found::Absent;
    assert_eq!(world.pass(), ["mint Secret shop-redis-operator"]);
    assert_eq!(world.pass(), ["Secret shop-redis-users", "StatefulSet shop-redis"]);
    assert_ne!(World::text(&world.observed.users, "users.acl"), users);
    assert_ne!(login_mark(&world), mark, "the pod's annotation is what makes it restart");
    assert_eq!(World::text(&world.observed.connection, "password"), app);
    assert!(world.plan().is_empty());
}

#[test]
fn a_lost_binding_is_drawn_anew_and_redis_is_not_restarted_for_it() {
    let mut world = World::settled(shop("{}"));
    let app = World::text(&world.observed.connection, "password");
    world.observed.connection = Found::Absent;
    assert_eq!(world.pass(), ["mint Secret shop-redis"]);
    assert_eq!(world.pass(), ["Secret shop-redis-users"]);
    assert_ne!(World::text(&world.observed.connection, "password"), app);
    assert!(world.plan().is_empty());
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
fn a_password_that_was_changed_by_hand_is_refused_and_the_users_stay_as_they_are() {
    for changed in ["short", "", "X".repeat(40).as_str(), "with,comma,that,a,connection,cannot,carry,"] {
        let mut world = World::settled(shop("{}"));
        let users = world.observed.users.clone();
        world.observed.connection = with(&world.observed.connection, "password", changed);
        assert!(matches!(world.credentials().app, PasswordState::Refused(_)), "{changed:?}");
        assert!(world.plan().is_empty(), "{changed:?}: {:?}", said(&world.plan()));
        // Also where something else makes the users' Secret be written.
        world.observed.users = with(&world.observed.users, "probe", "edited");
        assert_eq!(world.pass(), ["Secret shop-redis-users"], "{changed:?}");
        assert_eq!(world.observed.users, users, "{changed:?}");
    }
}

#[test]
fn a_changed_operator_login_is_refused_and_nothing_follows_from_it() {
    let mut world = World::settled(shop("{}"));
    world.observed.operator_login = with(&world.observed.operator_login, "password", "mine");
    assert!(matches!(world.credentials().operator, PasswordState::Refused(_)));
    assert!(world.plan().is_empty());
}

#[test]
fn a_refusal_never_quotes_the_password() {
    let mut world = World::settled(shop("{}"));
    let earlier = World::text(&world.observed.connection, "password");
    world.observed.connection = with(&world.observed.connection, "password", "guessable");
    let words = format!("{:?}", world.credentials());
    assert!(!words.contains("guessable") && !words.contains(&earlier), "{words}");
}
