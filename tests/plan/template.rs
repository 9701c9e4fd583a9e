//! Which template a pod is made from: one that runs keeps its own until it is replaced for another reason.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokencache_operator::{
    api::v1alpha1::{Amount, WhenDeleted},
    kubernetes::{identity::Found, write::admitted::Admitted},
    redis::{
        access::password::login_mark,
        server::{
            objects::{TEMPLATE_ANNOTATION, stateful_set},
            pod::Template,
        },
    },
};

use super::world::{World, said, shop, stored, written_set};

const SET: [&str; 1] = ["StatefulSet shop-redis"];

/// A cache whose pod an operator made that knew of no other template.
fn from_before(spec: &str) -> World {
    let mut world = World::settled(shop(spec));
    let mark = login_mark(&world.credentials().operator_password().unwrap().sha256());
    let set = stateful_set(&world.settings(), 448 << 20, Template::Original, Some(&mark));
    world.observed.stateful_set = Found::Owned(stored(set));
    world
}

fn live(world: &World) -> StatefulSet {
    StatefulSet::clone(world.observed.stateful_set.owned().unwrap())
}

fn liveness(world: &World) -> String {
    let pod = live(world).spec.unwrap().template.spec.unwrap();
    pod.containers[0].liveness_probe.clone().unwrap().exec.unwrap().command.unwrap().join(" ")
}

fn made_from(world: &World) -> Template {
    if liveness(world).contains("BUSY") { Template::NEWEST } else { Template::Original }
}

/// What an admission policy makes of an image.
fn redirect(world: &mut World) {
    let mut set = live(world);
    let image = &mut set.spec.as_mut().unwrap().template.spec.as_mut().unwrap().containers[0].image;
    *image = image.take().map(|image| image.replace("docker.io", "mirror.example"));
    world.observed.stateful_set = Found::Owned(Arc::new(set));
}

#[test]
fn a_new_cache_gets_the_newest_template() {
    assert_eq!(made_from(&World::settled(shop("{}"))), Template::NEWEST);
}

#[test]
fn a_pod_that_runs_keeps_its_template_when_the_operator_is_upgraded() {
    for spec in ["{}", "{redis: {persistence: {size: 2Gi}}}", "{redis: {tls: {mode: Disabled}}}"] {
        let mut world = from_before(spec);
        let before = live(&world).spec.unwrap().template;
        assert_eq!(world.pass(), SET, "{spec}: what was asked for is noted");
        assert_eq!(live(&world).spec.unwrap().template, before, "{spec}");
        assert!(live(&world).metadata.annotations.unwrap().contains_key(TEMPLATE_ANNOTATION));
        assert!(world.plan().is_empty(), "{spec}: {:?}", said(&world.plan()));
    }
}

#[test]
fn whatever_replaces_the_pod_brings_the_newest_template_too() {
    let changes: [fn(&mut World); 3] = [
        |world| world.cache.spec.redis.image = "docker.io/library/redis:8.4".to_owned(),
        |world| world.cache.spec.redis.max_memory = Amount::Text("4Gi".to_owned()),
        |world| world.cache.spec.redis.pod.priority_class_name = Some("high".to_owned()),
    ];
    for change in changes {
        let mut world = from_before("{}");
        world.pass();
        change(&mut world);
        world.pass();
        assert_eq!(made_from(&world), Template::NEWEST);
        assert!(world.plan().is_empty(), "{:?}", said(&world.plan()));
    }
}

#[test]
fn what_does_not_replace_the_pod_leaves_its_template() {
    let mut world = from_before("{redis: {persistence: {size: 2Gi}}}");
    world.pass();
    world.cache.spec.redis.persistence.as_mut().unwrap().when_deleted = WhenDeleted::Delete;
    world.cache.spec.redis.max_memory = Amount::Text("200Mi".to_owned());
    world.pass();
    assert_eq!(made_from(&world), Template::Original);
    assert!(world.plan().is_empty());
}

#[test]
fn what_somebody_changes_by_hand_is_undone_and_nothing_beside() {
    let mut world = from_before("{}");
    world.pass();
    let mut set = live(&world);
    set.spec.as_mut().unwrap().template.spec.as_mut().unwrap().service_account_name = Some("mallory".to_owned());
    world.observed.stateful_set = Found::Owned(Arc::new(set));
    assert_eq!(world.pass(), SET);
    assert_eq!(made_from(&world), Template::Original);
}

#[test]
fn a_pod_that_an_admission_policy_changed_keeps_its_template_too() {
    let mut world = from_before("{}");
    redirect(&mut world);
    let asked = written_set(&world.plan()).unwrap();
    assert_eq!(world.pass(), SET, "that it changes nothing is not known before");
    assert_eq!(made_from(&world), Template::Original);
    redirect(&mut world);
    let answer = ObjectMeta { uid: Some("a".to_owned()), generation: Some(1), ..live(&world).metadata };
    let mut set = live(&world);
    set.metadata = ObjectMeta { managed_fields: set.metadata.managed_fields, ..answer.clone() };
    world.observed.stateful_set = Found::Owned(Arc::new(set));
    world.observed.admitted = Admitted::new(&answer, &asked.spec);
    assert!(world.plan().is_empty(), "{:?}", said(&world.plan()));
    // The next operator does not know what came of it, but what was asked for.
    world.observed.admitted = None;
    assert_eq!(world.pass(), SET);
    assert_eq!(made_from(&world), Template::Original);
    redirect(&mut world);
    world.cache.spec.redis.image = "docker.io/library/redis:8.4".to_owned();
    world.pass();
    assert_eq!(made_from(&world), Template::NEWEST);
}
