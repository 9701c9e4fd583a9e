//! Who reaches a cache over the network: when there is a `NetworkPolicy`, and what is said of it.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use tokencache_operator::{
    kubernetes::identity::Found,
    redis::{live::Callers, plan::network::asks_for_callers},
};

use super::pods::running;
use super::seen::Seen;
use super::world::{World, said, shop};

const POLICY: [&str; 1] = ["NetworkPolicy shop-redis"];
const AUTO: &str = "{}";
const NAMESPACE: &str = "{redis: {networkPolicy: Namespace}}";
const NONE: &str = "{redis: {networkPolicy: None}}";

/// A cache that an operator made that knew of no policy.
fn from_before(spec: &str) -> World {
    let mut world = World::settled(shop(spec));
    world.observed.network_policy = Found::Absent;
    world
}

fn outside(addresses: &[&str]) -> Callers {
    Callers::Outside(addresses.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect())
}

fn live(world: &World) -> NetworkPolicy {
    NetworkPolicy::clone(world.observed.network_policy.owned().unwrap())
}

fn asks(world: &World) -> bool {
    asks_for_callers(&world.settings(), &world.observed)
}

#[test]
fn a_new_cache_gets_its_policy_with_its_other_objects() {
    for (spec, is_made) in [(AUTO, true), (NAMESPACE, true), (NONE, false)] {
        let mut world = World::new(shop(spec));
        assert!(!asks(&world), "{spec}: nobody can be connected");
        assert_eq!(world.pass().contains(&POLICY[0].to_owned()), is_made, "{spec}");
        let world = World::settled(shop(spec));
        assert!(world.plan().is_empty(), "{spec}: {:?}", said(&world.plan()));
    }
}

#[test]
fn a_cache_that_was_there_gets_it_once_nobody_would_be_cut_off() {
    let planned = |callers: Callers| {
        let mut world = from_before(AUTO);
        assert!(asks(&world));
        world.observed.callers = callers;
        said(&world.plan())
    };
    assert_eq!(planned(Callers::Unknown), [""; 0]);
    assert_eq!(planned(outside(&["10.9.0.1"])), [""; 0]);
    assert_eq!(planned(Callers::Inside), POLICY);
}

#[test]
fn the_field_says_by_name_that_whoever_is_outside_is_cut_off() {
    let mut world = from_before(NAMESPACE);
    world.observed.callers = outside(&["10.9.0.1"]);
    assert!(!asks(&world));
    assert_eq!(world.pass(), POLICY);
    let mut world = from_before(NONE);
    world.observed.callers = Callers::Inside;
    assert!(!asks(&world) && world.plan().is_empty());
}

#[test]
fn one_that_was_there_stays_and_is_made_again_and_put_right() {
    let mut world = World::settled(shop(AUTO));
    world.observed.callers = outside(&["10.9.0.1"]);
    assert!(world.plan().is_empty() && !asks(&world), "it stays, whoever is connected");
    let changes: [fn(&mut NetworkPolicy); 5] = [
        |policy| policy.spec.as_mut().unwrap().ingress.as_mut().unwrap()[0].from = None,
        |policy| policy.spec.as_mut().unwrap().ingress = None,
        |policy| policy.spec.as_mut().unwrap().policy_types.as_mut().unwrap().push("Egress".to_owned()),
        |policy| {
            let narrow = LabelSelector {
                match_labels: Some([("a".to_owned(), "b".to_owned())].into()),
                match_expressions: None,
            };
            let peers = policy.spec.as_mut().unwrap().ingress.as_mut().unwrap()[0].from.as_mut().unwrap();
            peers[0].pod_selector = Some(narrow);
        },
        |policy| {
            let peers = policy.spec.as_mut().unwrap().ingress.as_mut().unwrap()[0].from.as_mut().unwrap();
            peers[0].namespace_selector = Some(LabelSelector::default());
        },
    ];
    for change in changes {
        let mut policy = live(&world);
        change(&mut policy);
        world.observed.network_policy = Found::Owned(Arc::new(policy));
        assert_eq!(world.pass(), POLICY);
        assert!(world.plan().is_empty());
    }
    world.observed.network_policy = Found::Absent;
    world.observed.was_restricted = true;
    assert!(!asks(&world));
    assert_eq!(world.pass(), POLICY, "whoever it kept out is not connected");
}

#[test]
fn another_port_or_another_home_of_the_operator_reaches_the_policy() {
    let mut world = World::settled(shop("{redis: {tls: {mode: Disabled}}}"));
    let port =
        |world: &World| serde_json::to_value(live(world)).unwrap()["spec"]["ingress"][0]["ports"][0]["port"].clone();
    assert_eq!(port(&world), 6379);
    world.observed.operator.namespace = Some("operators".to_owned());
    assert_eq!(world.pass(), POLICY);
    assert_eq!(port(&World::settled(shop(AUTO))), 6380);
}

#[test]
fn an_operator_that_would_be_kept_out_makes_none() {
    for spec in [AUTO, NAMESPACE] {
        let mut world = from_before(spec);
        world.observed.operator.namespace = None;
        world.observed.callers = Callers::Inside;
        assert!(world.plan().is_empty() && !asks(&world), "{spec}");
    }
}

#[test]
fn a_policy_of_somebody_elses_is_left_alone_and_keeps_no_cache_from_its_work() {
    for spec in [AUTO, NAMESPACE] {
        for found in [Found::Foreign("whoever uses the field manager kubectl".to_owned()), Found::Leftover] {
            let mut world = from_before(spec);
            world.observed.network_policy = found;
            assert_eq!(world.observed.taken("shop"), None);
            assert_eq!(world.observed.leftover("shop"), None);
            assert!(world.plan().is_empty() && !asks(&world), "{spec}");
        }
    }
}

#[test]
fn the_policy_is_named_after_the_cache_and_selects_its_servers() {
    let policy = live(&World::settled(shop(AUTO)));
    assert_eq!((policy.name_any(), policy.namespace()), ("shop-redis".to_owned(), Some("web".to_owned())));
    insta::assert_yaml_snapshot!(policy.spec.unwrap());
}

#[test]
fn what_is_said_of_who_reaches_a_cache() {
    let told = |what: &str, change: fn(&mut World)| {
        let seen = Seen::pod(&running(true)).outcome(Ok(super::seen::well()));
        seen.with(|world| {
            world.observed.network_policy = Found::Absent;
            change(world);
        })
        .said_of("NetworkRestricted", what)
    };
    let told = [
        Seen::answer(vec![]).said_of("NetworkRestricted", "the policy is there"),
        told("it is about to be made", |world| world.observed.callers = Callers::Inside),
        Seen::answer(vec![])
            .with(|world| {
                world.observed.network_policy = Found::Absent;
                world.observed.was_restricted = true;
            })
            .paused()
            .said_of("NetworkRestricted", "it is gone, and the cache paused"),
        told("it is not known who is connected", |_| {}),
        told("somebody is connected from outside", |world| world.observed.callers = outside(&["10.9.0.1"])),
        told("several are", |world| world.observed.callers = outside(&["10.9.0.1", "fd00::1"])),
        told("a policy of that name is somebody else's", |world| {
            world.observed.network_policy = Found::Foreign("whoever uses the field manager kubectl".to_owned());
        }),
        told("one of that name was restored", |world| {
            world.observed.network_policy = Found::Restored("velero-server".to_owned());
        }),
        told("the operator runs in no pod", |world| world.observed.operator.namespace = None),
    ];
    insta::assert_snapshot!(told.join(""));
}

#[test]
fn where_none_is_asked_for_nothing_is_said() {
    let warnings = |change: fn(&mut World)| Seen::answer(vec![]).with(change).warnings();
    let closed = |world: &mut World| {
        world.observed.network_policy = Found::Absent;
        world.observed.callers = outside(&["10.9.0.1"]);
    };
    assert_eq!(warnings(closed), 1);
    assert_eq!(Seen::pod_of(NONE, &running(true)).outcome(Ok(super::seen::well())).with(closed).warnings(), 0);
}
