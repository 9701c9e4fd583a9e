//! The memory of the server's container, as `maxMemory` moves: it changes only where it must, or where the pod is replaced
//! anyway.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use tokencache_operator::{api::v1alpha1::Amount, kubernetes::identity::Found, redis::desired::want};

use super::pods::{pod, running};
use super::world::{World, said, shop};

const BOTH: [&str; 2] = ["ConfigMap shop-redis-config", "StatefulSet shop-redis"];

fn change(world: &mut World, max_memory: &str) -> Vec<String> {
    world.cache.spec.redis.max_memory = Amount::Text(max_memory.to_owned());
    assert_eq!(world.plan(), world.plan());
    let written = world.pass();
    assert!(world.plan().is_empty(), "{max_memory}: a second pass writes {:?}", said(&world.plan()));
    written
}

fn limit(world: &World) -> String {
    let spec = world.observed.stateful_set.owned().unwrap().spec.clone().unwrap().template.spec.unwrap();
    let resources = spec.containers[0].resources.clone().unwrap();
    let (limit, request) = (&resources.limits.unwrap()["memory"], &resources.requests.unwrap()["memory"]);
    assert_eq!(limit, request);
    limit.0.clone()
}

#[test]
fn memory_moves_within_the_container_that_there_is() {
    let mut world = World::settled(shop("{}"));
    for max_memory in ["128Mi", "300Mi", "107Mi", "256Mi"] {
        assert_eq!(change(&mut world, max_memory), BOTH[..1], "{max_memory}");
        assert_eq!(limit(&world), "448Mi", "{max_memory}");
    }
}

#[test]
fn a_container_that_is_too_small_or_far_too_large_is_replaced_by_one_that_fits() {
    let mut world = World::settled(shop("{}"));
    for (max_memory, container) in [("308Mi", "526Mi"), ("4Gi", "6208Mi"), ("256Mi", "448Mi"), ("100Mi", "214Mi")] {
        assert_eq!(change(&mut world, max_memory), BOTH, "{max_memory}");
        assert_eq!(limit(&world), container, "{max_memory}");
    }
}

#[test]
fn a_server_that_forks_has_half_as_much_again_at_any_time() {
    let mut world = World::settled(shop("{redis: {persistence: {size: 2Gi}}}"));
    assert_eq!(change(&mut world, "257Mi"), BOTH);
    assert_eq!(limit(&world), "450Mi");
    assert_eq!(change(&mut world, "200Mi"), BOTH[..1]);
    assert_eq!(change(&mut world, "257Mi"), BOTH[..1]);
}

#[test]
fn a_server_that_loads_a_file_never_gets_less_than_what_the_file_may_hold() {
    let mut world = World::settled(shop("{redis: {maxMemory: 4Gi, persistence: {size: 12Gi}}}"));
    assert_eq!(change(&mut world, "16Mi"), BOTH[..1]);
    world.cache.spec.redis.image = "docker.io/library/redis:8.4".to_owned();
    assert_eq!(world.pass(), BOTH[1..]);
    assert_eq!(limit(&world), "6208Mi");
    assert!(world.plan().is_empty());
}

#[test]
fn a_pod_that_is_replaced_anyway_gets_what_a_new_one_gets() {
    let mut world = World::settled(shop("{}"));
    change(&mut world, "128Mi");
    world.cache.spec.redis.image = "docker.io/library/redis:8.4".to_owned();
    assert_eq!(world.pass(), BOTH[1..]);
    assert_eq!(limit(&world), "256Mi");
    assert!(world.plan().is_empty());
}

#[test]
fn a_container_whose_limit_somebody_took_away_gets_one_again() {
    let mut world = World::settled(shop("{}"));
    let mut set = StatefulSet::clone(world.observed.stateful_set.owned().unwrap());
    let spec = set.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
    spec.containers[0].resources.as_mut().unwrap().limits = None;
    world.observed.stateful_set = Found::Owned(Arc::new(set));
    assert_eq!(world.pass(), BOTH[1..]);
    assert_eq!(limit(&world), "448Mi");
}

#[test]
fn the_server_gets_more_only_where_its_own_container_has_room() {
    let has_room = |max_memory: &str, container: &str| {
        let mut world = World::settled(shop(&format!("{{redis: {{maxMemory: {max_memory}}}}}")));
        let mut pod = k8s_openapi::api::core::v1::Pod::clone(&pod(&running(true)));
        let template = world.observed.stateful_set.owned().unwrap().spec.clone().unwrap().template;
        let mut spec = template.spec.unwrap();
        let limits = spec.containers[0].resources.as_mut().unwrap().limits.as_mut().unwrap();
        limits.insert("memory".to_owned(), Quantity(container.to_owned()));
        pod.spec = Some(spec);
        world.observed.pods = vec![Arc::new(pod)];
        want(&world.settings(), &world.observed, &world.credentials()).has_room
    };
    assert!(has_room("300Mi", "448Mi") && has_room("16Mi", "448Mi"));
    assert!(!has_room("308Mi", "448Mi"));
}
