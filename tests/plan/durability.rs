//! Everything that `Durable` can say, and what is said elsewhere of a cache that has a volume.

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use tokencache_operator::{
    api::v1alpha1::TokenCacheStatus,
    capability::{ask::Volume, part::Part},
    condition::{ConditionType, Finding, Reason},
    controller::report::{Basis, compose},
    redis::{
        look::{
            answer::{Answer, Impediment, Saving},
            drift::{Correction, Drift, Parameter},
            fault::Fault,
        },
        part::refusal,
    },
};

use super::pods::{running, unschedulable};
use super::seen::{Seen, well};
use super::world::{START, World, shop};
use crate::support::told::assert_short;

const VOLUME: &str = "{redis: {persistence: {size: 2Gi, storageClassName: fast}}}";

fn drift(parameter: Parameter, found: &str, correction: Correction) -> Answer {
    Answer { drift: vec![Drift { parameter, found: found.to_owned(), correction, corrected_at: None }], ..well() }
}

fn persistent(answer: Answer) -> Seen {
    Seen::pod_of(VOLUME, &running(true)).outcome(Ok(answer))
}

fn in_memory(answer: Answer) -> Seen {
    Seen::pod(&running(true)).outcome(Ok(answer))
}

#[test]
fn what_is_said_of_a_restart_a_node_loss_and_a_deletion() {
    use Correction::{Corrected, Ineffective, Refused, Withheld};
    let saving = |write_failed, rewrite_failed| Answer { saving: Saving { write_failed, rewrite_failed }, ..well() };
    let refused = || Refused("ERR CONFIG SET failed - Unable to turn on AOF. Check server logs.".to_owned());
    let deleted = "{redis: {persistence: {size: 2Gi, whenDeleted: Delete}}}";
    let full = Impediment::CannotSave("MISCONF Errors writing to the AOF file: No space left on device".to_owned());
    let on =
        |mebibytes: u64| persistent(well()).with(move |world| world.observed.volume = Volume::Holds(mebibytes << 20));
    let cases = [
        in_memory(well()).durable("entries are held in memory only"),
        in_memory(drift(Parameter::AppendOnly, "yes", Corrected)).durable("somebody had switched the file on"),
        in_memory(drift(Parameter::AppendOnly, "yes", Withheld)).paused().durable("and the cache is paused"),
        persistent(well()).durable("entries are kept"),
        Seen::pod_of(deleted, &running(true)).outcome(Ok(well())).durable("and deleted with the cache"),
        persistent(drift(Parameter::AppendOnly, "no", Corrected)).durable("somebody had switched the file off"),
        persistent(drift(Parameter::AppendOnly, "no", refused())).durable("it cannot be switched on again"),
        persistent(drift(Parameter::AppendOnly, "no", Ineffective("no".to_owned()))).durable("and nobody says why"),
        persistent(drift(Parameter::AppendFsync, "no", Withheld)).paused().durable("writes wait in the kernel"),
        persistent(drift(Parameter::AppendFsync, "always", refused())).durable("every write waits for the disk"),
        persistent(Answer { impediment: Some(full), ..saving(true, false) }).durable("the volume is full"),
        persistent(saving(false, true)).durable("the file could not be written anew"),
        on(512).durable("the volume is smaller than it was asked to be"),
        on(768).durable("the volume is just large enough"),
        Seen::pod_of(VOLUME, &running(true)).outcome(Err(Fault::Frozen)).durable("the server is frozen"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn a_volume_that_is_too_small_is_made_for_nobody_and_one_that_is_there_is_taken() {
    let refused = |size: &str, volume| {
        let mut world = World::new(shop(&format!("{{redis: {{persistence: {{size: {size}}}}}}}")));
        world.observed.volume = volume;
        refusal(&world.settings(), &world.observed)
    };
    let told = refused("512Mi", Volume::Absent).unwrap();
    assert_eq!(
        told.told(),
        "spec.redis.persistence.size is 512Mi, less than three times maxMemory 256Mi, and there is no claim data-shop-redis-0 yet. \
         Costs nothing: set spec.redis.maxMemory: 170Mi"
    );
    assert_short(&told.told(), &told.remedies);
    assert!(told.remedies[1].step.ends_with("spec.redis.persistence.size: 768Mi"), "{:?}", told.remedies);
    assert_eq!(refused("768Mi", Volume::Absent), None);
    assert_eq!(refused("512Mi", Volume::Holds(512 << 20)), None, "an earlier cache has left it");
    assert_eq!(refused("512Mi", Volume::Unknown), None, "nobody knows");
    let mut world = World::settled(shop("{redis: {persistence: {size: 512Mi}}}"));
    world.observed.volume = Volume::Absent;
    assert_eq!(refusal(&world.settings(), &world.observed), None, "its claim is on its way");
}

#[test]
fn a_cache_in_memory_is_no_warning_and_a_volume_that_does_not_do_its_job_is() {
    let warnings = |finding: Finding| {
        let (cache, previous, now) = (shop("{}"), TokenCacheStatus::default(), START);
        let part = Part { findings: vec![finding], ..Part::default() };
        compose(Basis { cache: &cache, previous: &previous, now }, &part, None, vec![], &[]).unwrap().status.warnings
    };
    assert_eq!(warnings(Finding::fails(ConditionType::Durable, Reason::InMemory, "")), 0);
    assert_eq!(warnings(Finding::fails(ConditionType::Durable, Reason::SaveFailed, "")), 1);
    assert_eq!(warnings(Finding::unknown(ConditionType::Durable, Reason::RedisUnavailable, "")), 0);
    assert_eq!(warnings(Finding::holds(ConditionType::Durable, Reason::Persisted, "")), 0);
    assert_eq!(warnings(Finding::fails(ConditionType::RedisAvailable, Reason::Frozen, "")), 0, "that is a failure");
}

/// The pod of a cache with a volume, which no node takes for this.
fn unbound(words: &str) -> Seen {
    Seen::pod_of(VOLUME, &unschedulable(words)).with(|world| {
        let mut pod = Pod::clone(&world.observed.pods[0]);
        let claim = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-shop-redis-0"}}]);
        pod.spec.as_mut().unwrap().volumes = serde_json::from_value(claim).unwrap();
        world.observed.pods = vec![pod.into()];
    })
}

#[test]
fn what_is_said_of_a_cache_with_a_volume() {
    let immediate = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found, preemption: \
                     0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    let no_volume = "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.";
    let elsewhere = "0/3 nodes are available: 3 node(s) had volume node affinity conflict.";
    let no_room = "0/1 nodes are available: 1 Insufficient memory.";
    let outgrown = |world: &mut World| {
        world.cache = shop("{redis: {maxMemory: 512Mi, persistence: {size: 2Gi, storageClassName: fast}}}");
    };
    let cases = [
        unbound(immediate).told("the class does not exist"),
        unbound(no_volume).told("there is no volume to bind"),
        unbound(elsewhere).told("the volume is on another node"),
        unbound(no_room).told("the node has no room"),
        Seen::pod_of(VOLUME, &running(true)).with(outgrown).told("the spec wants more memory"),
        Seen::pod_of(VOLUME, &running(false)).outcome(Err(Fault::Frozen)).told("the server is frozen"),
        persistent(drift(Parameter::EvictionPolicy, "noeviction", Correction::Refused("NOPERM no".to_owned())))
            .told("a restart would mend the policy"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}
