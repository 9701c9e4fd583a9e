//! What one pass after the other writes.

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use std::sync::Arc;
use tokencache_operator::kubernetes::identity::Found;

use super::objects::FULL;
use super::world::{World, said, shop};

#[test]
fn the_first_pass_mints_the_passwords_and_makes_what_does_not_depend_on_them() {
    let mut world = World::new(shop("{}"));
    assert_eq!(
        world.pass(),
        [
            "ServiceAccount shop-redis",
            "ConfigMap shop-settings",
            "mint Secret shop-redis-ca",
            "mint Secret shop-redis-operator",
            "NetworkPolicy shop-redis",
        ]
    );
}

#[test]
fn the_second_pass_mints_what_the_authority_vouches_for_and_the_third_makes_the_rest() {
    let mut world = World::new(shop("{}"));
    world.pass();
    assert_eq!(world.pass(), ["mint Secret shop-redis-tls", "mint Secret shop-redis"]);
    assert_eq!(
        world.pass(),
        [
            "Secret shop-redis-users",
            "ConfigMap shop-redis-config",
            "Service shop-redis-headless",
            "Service shop-redis",
            "StatefulSet shop-redis",
        ]
    );
    assert!(world.plan().is_empty());
}

#[test]
fn without_tls_nothing_waits_for_a_certificate() {
    let mut world = World::new(shop("redis: {tls: {mode: Disabled}}"));
    assert_eq!(world.pass()[2..4], ["mint Secret shop-redis-operator", "mint Secret shop-redis"]);
    assert_eq!(world.pass(), ["Secret shop-redis-users", "StatefulSet shop-redis"]);
    assert!(world.plan().is_empty());
    assert_eq!(World::text(&world.observed.connection, "port"), "6379");
}

#[test]
fn planning_over_its_own_result_writes_nothing() {
    for spec in ["{}", FULL] {
        let world = World::settled(shop(spec));
        assert!(world.plan().is_empty(), "{:?}", said(&world.plan()));
    }
}

#[test]
fn planning_twice_gives_equal_plans() {
    for spec in ["{}", FULL] {
        let mut world = World::new(shop(spec));
        for _ in 0..3 {
            assert_eq!(world.plan(), world.plan());
            world.pass();
        }
    }
}

#[test]
fn two_caches_with_the_same_spec_have_passwords_of_their_own() {
    let (first, mut second) = (World::settled(shop("{}")), World::new(shop("{}")));
    second.dice = 7;
    second.pass();
    second.pass();
    assert_ne!(
        World::text(&first.observed.connection, "password"),
        World::text(&second.observed.connection, "password")
    );
}

#[test]
fn an_object_that_is_gone_is_made_again_and_nothing_else() {
    let settled = World::settled(shop("{}"));
    let without = |remove: &dyn Fn(&mut World)| {
        let mut world = settled.clone();
        remove(&mut world);
        said(&world.plan())
    };
    assert_eq!(without(&|world| world.observed.service_account = Found::Absent), ["ServiceAccount shop-redis"]);
    assert_eq!(without(&|world| world.observed.service = Found::Absent), ["Service shop-redis"]);
    assert_eq!(without(&|world| world.observed.headless_service = Found::Absent), ["Service shop-redis-headless"]);
    assert_eq!(without(&|world| world.observed.config_map = Found::Absent), ["ConfigMap shop-redis-config"]);
    assert_eq!(without(&|world| world.observed.application_settings = Found::Absent), ["ConfigMap shop-settings"]);
    assert_eq!(without(&|world| world.observed.stateful_set = Found::Absent), ["StatefulSet shop-redis"]);
    assert_eq!(without(&|world| world.observed.users = Found::Absent), ["Secret shop-redis-users"]);
}

#[test]
fn what_was_edited_by_hand_is_written_again() {
    let mut world = World::settled(shop("{}"));
    let mut config = ConfigMap::clone(world.observed.config_map.owned().unwrap());
    config.data.as_mut().unwrap().insert("redis.conf".to_owned(), "maxmemory 0".to_owned());
    world.observed.config_map = Found::Owned(Arc::new(config));
    let mut service = Service::clone(world.observed.service.owned().unwrap());
    service.spec.as_mut().unwrap().ports.as_mut().unwrap()[0].port = 6379;
    world.observed.service = Found::Owned(Arc::new(service));
    assert_eq!(world.pass(), ["ConfigMap shop-redis-config", "Service shop-redis"]);
    assert!(world.plan().is_empty());
}

#[test]
fn what_others_added_is_left_alone() {
    let mut world = World::settled(shop("{}"));
    let mut service = Service::clone(world.observed.service.owned().unwrap());
    service.metadata.annotations.get_or_insert_default().insert("team".to_owned(), "blue".to_owned());
    service.spec.as_mut().unwrap().cluster_ip = Some("10.0.0.7".to_owned());
    world.observed.service = Found::Owned(Arc::new(service));
    assert!(world.plan().is_empty());
}
