//! The controller's plan around that of Redis: rehearsal, pause, names that are taken, what nothing needs any more.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use tokencache_operator::controller::plan::{Plan, Retiree, RetireeKind, plan};
use tokencache_operator::data_protection::{KeyMint, key::KeyOrder, plan as ring, schedule::Why};
use tokencache_operator::kubernetes::identity::Found;
use tokencache_operator::redis::{objects::stateful_set, pod::Template};

use super::world::{World, shop};

fn planned(world: &World, surplus: Vec<Retiree>) -> Plan {
    plan(&world.cache, &world.settings(), &world.observed, &world.credentials(), ring::Plan::default(), surplus)
}

fn surplus() -> Vec<Retiree> {
    let metadata = ObjectMeta { name: Some("shop-redis-old".to_owned()), ..ObjectMeta::default() };
    vec![Retiree { kind: RetireeKind::ConfigMap, metadata }]
}

fn valid(world: &mut World, generation: i64) {
    let time = "2026-01-01T00:00:00Z";
    world.cache.status = serde_json::from_value(json!({
        "observedGeneration": generation,
        "conditions": [{
            "type": "SpecValid", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": time,
            "observedGeneration": generation,
        }],
    }))
    .unwrap();
}

#[test]
fn a_new_generation_is_shown_to_the_api_server_before_anything_is_written() {
    let mut world = World::new(shop("{}"));
    let rehearsal = planned(&world, vec![]).rehearsal;
    assert_eq!(rehearsal, Some(stateful_set(&world.settings(), 448 << 20, Template::NEWEST, None)));
    valid(&mut world, 1);
    assert_eq!(planned(&world, vec![]).rehearsal, None, "this generation was accepted");
    world.cache.metadata.generation = Some(2);
    assert!(planned(&world, vec![]).rehearsal.is_some());
}

#[test]
fn nothing_is_rehearsed_where_nothing_is_to_be_written() {
    let mut world = World::settled(shop("{}"));
    assert!(planned(&world, vec![]).is_empty());
    world.cache.metadata.generation = Some(2);
    assert_eq!(planned(&world, vec![]), Plan::default());
}

#[test]
fn what_nothing_needs_any_more_is_retired() {
    let world = World::settled(shop("{}"));
    assert_eq!(planned(&world, surplus()).retirees, surplus());
    assert!(!planned(&world, surplus()).is_empty());
}

#[test]
fn a_paused_cache_is_left_alone() {
    let mut world = World::new(shop("{}"));
    let annotations = world.cache.metadata.annotations.get_or_insert_default();
    annotations.insert("tokencache.dev/reconcile".to_owned(), "paused".to_owned());
    assert_eq!(planned(&world, surplus()), Plan::default());
    world
        .cache
        .metadata
        .annotations
        .get_or_insert_default()
        .insert("tokencache.dev/reconcile".to_owned(), "no".to_owned());
    assert!(!planned(&world, vec![]).is_empty(), "another value does not pause");
}

#[test]
fn one_name_that_is_taken_keeps_everything_from_being_made() {
    let mut world = World::new(shop("{}"));
    world.observed.service = Found::Foreign("Deployment web".to_owned());
    assert_eq!(planned(&world, surplus()), Plan::default());
}

#[test]
fn a_ring_that_is_there_is_kept_up_while_redis_waits_and_none_is_begun() {
    let ring = |why: Why| {
        let now = Timestamp::UNIX_EPOCH;
        let order = KeyOrder { created: now, activates: now, expires: now };
        let mint = ring::Mint { key: KeyMint { why, order, certificate: None }, requested: None };
        ring::Plan { mint: Some(mint), ..ring::Plan::default() }
    };
    let mut world = World::new(shop("{}"));
    for found in [Found::Foreign("Deployment web".to_owned()), Found::Earlier] {
        world.observed.service = found;
        let planned = |ring| plan(&world.cache, &world.settings(), &world.observed, &world.credentials(), ring, vec![]);
        assert_eq!(planned(ring(Why::First)), Plan::default());
        let rotated = ring(Why::RotationDue);
        assert_eq!(planned(rotated.clone()), Plan { ring: rotated, ..Plan::default() });
    }
}

#[test]
fn what_an_earlier_cache_left_behind_is_waited_for() {
    let mut world = World::new(shop("{}"));
    world.observed.users = Found::Earlier;
    assert_eq!(planned(&world, surplus()), Plan::default());
    world.observed.users = Found::Nothing;
    assert!(!planned(&world, surplus()).is_empty());
}

#[test]
fn a_secret_that_is_somebody_elses_is_not_read() {
    let mut world = World::settled(shop("{}"));
    world.observed.connection = Found::Foreign("somebody else".to_owned());
    assert_eq!(world.credentials().app_password(), None);
    let taken = world.observed.taken("shop").unwrap();
    assert_eq!((taken.kind, taken.name.as_str()), ("Secret", "shop-redis"));
}
