//! The controller's plan around that of Redis: rehearsal, pause, names that are taken, what nothing needs any more.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use tokencache_operator::{
    api::v1alpha1::EvictionPolicy,
    capability::{
        observed::Objects,
        operation,
        part::{Group, Needs},
    },
    controller::decide::plan::{Plan, Stands, left, plan},
    kubernetes::{
        identity::{FIELD_MANAGER, Found},
        object::{Kind, Reference},
        write::Write,
    },
    redis::{
        part,
        server::{objects::stateful_set, pod::Template},
    },
};

use super::world::{World, shop};

fn planned(world: &World, retirees: Vec<Reference>) -> Plan {
    planned_but(world, retirees, &|_| false)
}

/// While what this holds of has to wait.
fn planned_but(world: &World, retirees: Vec<Reference>, waits: &dyn Fn(&Write) -> bool) -> Plan {
    planned_with(world, vec![], retirees, waits)
}

/// With writes of another capability.
fn planned_with(world: &World, beside: Vec<Group>, retirees: Vec<Reference>, waits: &dyn Fn(&Write) -> bool) -> Plan {
    let settings = world.settings();
    let is_accepted = world
        .cache
        .status
        .as_ref()
        .is_some_and(|status| Some(status.observed_generation) == world.cache.metadata.generation);
    let mut part = part::plan(&settings, &world.observed, &world.credentials(), is_accepted);
    let mut objects = Objects::default();
    for Reference { kind, metadata } in retirees {
        assert_eq!(kind, Kind::ConfigMap);
        part.groups[0].unneeded.push((kind, metadata.name.clone().unwrap()));
        objects.insert(ConfigMap { metadata, ..ConfigMap::default() });
    }
    part.groups.extend(beside);
    let stands = Stands { is_paused: operation::is_paused(&world.cache), is_blocked: part.is_blocked };
    plan((&settings.owner, &objects), part.groups, stands, waits)
}

/// What a plan writes, in its order.
fn written(plan: &Plan) -> Vec<String> {
    plan.groups.iter().flat_map(|group| &group.writes).map(|write| format!("{write:?}")).collect()
}

fn retirees() -> Vec<Reference> {
    vec![child(Kind::ConfigMap, "shop-redis-old", FIELD_MANAGER)]
}

/// An object that has the cache's labels and owner, from this field manager.
fn child(kind: Kind, name: &str, manager: &str) -> Reference {
    let owner = World::new(shop("{}")).settings().owner;
    let fields = json!({"f:metadata": {"f:ownerReferences": {"k:{\"uid\":\"uid-of-shop\"}": {}}}});
    let entry = json!({"manager": manager, "operation": "Update", "fieldsV1": fields});
    let managed_fields = Some(vec![serde_json::from_value(entry).unwrap()]);
    Reference { kind, metadata: ObjectMeta { managed_fields, ..owner.metadata(name.to_owned(), "redis") } }
}

/// What of these objects is deleted, and what is left, by kind and name.
fn split(spec: &str, children: Vec<Reference>) -> [Vec<String>; 2] {
    let world = World::settled(shop(spec));
    let settings = world.settings();
    let part = part::plan(&settings, &world.observed, &world.credentials(), true);
    let left = left(&settings.owner, &part.groups[0].unneeded, &children);
    let mut objects = Objects::default();
    for Reference { kind, metadata } in children {
        // No other kind was ever made for an earlier spec.
        if kind == Kind::Secret {
            objects.insert(Secret { metadata, ..Secret::default() });
        }
    }
    let plan = plan((&settings.owner, &objects), part.groups, Stands::default(), &|_| false);
    let deleted = written(&plan).into_iter().map(|write| write.strip_prefix("delete ").unwrap().to_owned());
    [deleted.collect(), left.iter().map(ToString::to_string).collect()]
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
    assert_eq!(rehearsal, Some(stateful_set(&world.settings(), 448 << 20, Template::NEWEST, None).into()));
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
fn a_spec_that_changes_nothing_that_the_api_server_may_refuse_is_not_rehearsed() {
    let mut world = World::settled(shop("{}"));
    world.cache.metadata.generation = Some(2);
    world.cache.spec.redis.eviction_policy = EvictionPolicy::AllkeysLru;
    let plan = planned(&world, vec![]);
    assert_eq!((written(&plan), plan.rehearsal), (vec!["apply ConfigMap shop-redis-config".to_owned()], None));
    world.cache.spec.redis.pod.priority_class_name = Some("high".to_owned());
    let plan = planned(&world, vec![]);
    assert_eq!((written(&plan).len(), plan.rehearsal.is_some()), (2, true));
}

#[test]
fn what_nothing_needs_any_more_is_retired() {
    let world = World::settled(shop("{}"));
    assert_eq!(written(&planned(&world, retirees())), ["delete ConfigMap shop-redis-old"]);
}

#[test]
fn a_paused_cache_is_left_alone() {
    let mut world = World::new(shop("{}"));
    let annotations = world.cache.metadata.annotations.get_or_insert_default();
    annotations.insert("tokencache.dev/reconcile".to_owned(), "paused".to_owned());
    assert_eq!(planned(&world, retirees()), Plan::default());
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
    assert_eq!(planned(&world, retirees()), Plan::default());
}

#[test]
fn a_ring_that_is_there_is_kept_up_while_redis_waits_and_none_is_begun() {
    let ring = |needs: Needs| Group {
        name: "key ring",
        needs,
        is_chain: true,
        rehearsal: None,
        writes: vec![Write::Create(ConfigMap::default().into())],
        unneeded: vec![],
        mends: vec![],
    };
    let mut world = World::new(shop("{}"));
    for found in [Found::Foreign("Deployment web".to_owned()), Found::Leftover] {
        world.observed.service = found;
        let planned = |needs| planned_with(&world, vec![ring(needs)], vec![], &|_| false);
        assert_eq!(planned(Needs::AcceptedSpec), Plan::default());
        let kept_up = planned(Needs::Nothing);
        let [group] = kept_up.groups.as_slice() else { panic!("{kept_up:?}") };
        assert_eq!((group.name, group.needs, kept_up.rehearsal.clone()), ("key ring", Needs::Nothing, None));
    }
}

#[test]
fn an_adoption_that_has_to_wait_keeps_nothing_else_from_being_put_right() {
    let mut world = World::settled(shop("{}"));
    let Found::Owned(service) = &world.observed.headless_service else { panic!("it is there") };
    let mut orphaned = service.as_ref().clone();
    orphaned.metadata.owner_references = None;
    orphaned.spec.as_mut().unwrap().selector = None;
    world.observed.headless_service = Found::Owned(Arc::new(orphaned));
    world.observed.application_settings = Found::Absent;
    assert_eq!(written(&planned(&world, retirees())), ["adopt Service shop-redis-headless"]);
    let waits = |write: &Write| matches!(write, Write::Adopt(..));
    let plan = planned_but(&world, retirees(), &waits);
    assert_eq!(written(&plan), ["create ConfigMap shop-settings", "delete ConfigMap shop-redis-old"]);
    assert_eq!(format!("{:?}", plan.held), "[adopt Service shop-redis-headless]");
}

#[test]
fn what_an_earlier_cache_left_behind_is_waited_for() {
    let mut world = World::new(shop("{}"));
    world.observed.users = Found::Leftover;
    assert_eq!(planned(&world, retirees()), Plan::default());
    world.observed.users = Found::Absent;
    assert!(!planned(&world, retirees()).is_empty());
}

#[test]
fn a_secret_that_is_somebody_elses_is_not_read() {
    let mut world = World::settled(shop("{}"));
    world.observed.connection = Found::Foreign("somebody else".to_owned());
    assert_eq!(world.credentials().app, None);
    let taken = world.observed.taken("shop").unwrap();
    assert_eq!((taken.kind, taken.name.as_str()), ("Secret", "shop-redis"));
}

#[test]
fn what_somebody_copied_is_left_alone_and_told_whatever_it_carries() {
    let kinds = [Kind::StatefulSet, Kind::Service, Kind::ConfigMap, Kind::Secret, Kind::ServiceAccount];
    for kind in kinds {
        for manager in ["kubectl-create", FIELD_MANAGER] {
            let [deleted, left] = split("{}", vec![child(kind, "worker-redis", manager)]);
            assert_eq!((deleted, left), (vec![], vec![format!("{} worker-redis", kind.as_str())]), "{manager}");
        }
    }
    let needed = vec![child(Kind::Secret, "shop-redis", "kubectl-create")];
    assert_eq!(split("{}", needed), [[""; 0]; 2], "under a needed name it is kept in order");
    let key = "shop-key-80732141-ec8f-4b80-af9c-c4d2d1ff8901";
    assert_eq!(split("{}", vec![child(Kind::Secret, key, FIELD_MANAGER)]), [[""; 0]; 2], "keys are never touched");
}

#[test]
fn what_the_operator_made_for_an_earlier_spec_is_deleted_and_a_copy_under_such_a_name_is_not() {
    let plain = "redis: {tls: {mode: Disabled}}";
    let made = |manager: &str| ["shop-redis-ca", "shop-redis-tls"].map(|name| child(Kind::Secret, name, manager));
    let names = ["Secret shop-redis-ca", "Secret shop-redis-tls"].map(str::to_owned).to_vec();
    assert_eq!(split(plain, made(FIELD_MANAGER).to_vec()), [names.clone(), vec![]]);
    assert_eq!(split(plain, made("kubectl-create").to_vec()), [vec![], names]);
    assert_eq!(split("{}", made(FIELD_MANAGER).to_vec()), [[""; 0]; 2], "they are needed");
    let mut going = child(Kind::Secret, "shop-redis-ca", FIELD_MANAGER);
    going.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
    assert_eq!(split(plain, vec![going]), [[""; 0]; 2], "it is going already");
}

#[test]
fn what_nobody_owns_is_taken_up_again_before_anything_else_is_written_and_not_while_paused() {
    let mut world = World::settled(shop("{}"));
    let mut service = world.observed.service.owned().unwrap().as_ref().clone();
    service.metadata.owner_references = None;
    world.observed.service = Found::Owned(service.into());
    world.observed.users = Found::Absent;
    let plan = planned(&world, retirees());
    assert_eq!(written(&plan)[0], "adopt Service shop-redis");
    assert!(written(&plan).iter().all(|write| !write.starts_with("create")), "{plan:?}");
    world.observed.config_map = Found::Restored("velero-server".to_owned());
    assert_eq!(planned(&world, retirees()), Plan::default(), "it waits until somebody has said what this is");
    world.observed.config_map = Found::Absent;
    let annotations = world.cache.metadata.annotations.get_or_insert_default();
    annotations.insert("tokencache.dev/reconcile".to_owned(), "paused".to_owned());
    assert_eq!(planned(&world, retirees()), Plan::default());
}

#[test]
fn a_claim_that_lacks_its_labels_gets_them_and_one_that_has_them_is_left_alone() {
    let mut world = World::settled(shop("redis: {persistence: {size: 2Gi}}"));
    let owner = world.settings().owner;
    let named = |metadata: ObjectMeta| ObjectMeta { name: Some("data-shop-redis-0".to_owned()), ..metadata };
    world.observed.claim =
        Some(named(ObjectMeta { labels: Some(owner.selector_labels("redis")), ..ObjectMeta::default() }));
    assert_eq!(world.pass(), ["claim data-shop-redis-0"]);
    world.observed.claim = Some(named(owner.lasting_metadata(String::new(), "redis")));
    assert!(world.plan().is_empty());
}
