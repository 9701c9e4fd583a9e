//! The pod templates of an empty spec, byte for byte. They are what every Redis that runs was made from.
//!
//! The API server stored such a spec with the defaults of its day: a default that is another one now reaches new caches
//! only. So the image of that day is said here.

use serde_json::Value;
use tokencache_operator::{
    api::v1alpha1::crd,
    redis::server::{objects::stateful_set, pod::Template},
};

use super::world::{World, shop};

/// The template of each version, the newest first. That with named certificates differs only where the user provides one.
const GOLDEN: [&str; Template::ALL.len()] = [
    include_str!("golden/pod-template-busy-ends.yaml"),
    include_str!("golden/pod-template-busy-ends.yaml"),
    include_str!("golden/pod-template.yaml"),
];

/// What was stored of an empty spec, as far as the default is another one now.
const STORED: &str = "{redis: {image: 'docker.io/library/redis:8.2'}}";

const MEANING: &str = "a pod template is not the one in tests/plan/golden: whoever upgrades the operator to this version \
                       restarts every Redis that was made from it, and empties every cache that is held in memory. What is \
                       to be different in new pods is another redis::pod::Template, with a golden file of its own";

/// The pod template of a cache with this spec. In place of the mark of the operator's password, which is random, it says so.
fn template(spec: &str, template: Template) -> String {
    let world = World::new(shop(spec));
    let set = stateful_set(&world.settings(), 448 << 20, template, Some("<mark of operator>"));
    let template = serde_json::to_value(&set.spec.as_ref().unwrap().template).unwrap();
    serde_yaml::to_string(&template).unwrap()
}

/// The value with every default of its schema filled in, as the API server does when it stores an object, and with old
/// objects when it reads them.
fn filled(schema: &Value, value: &Value) -> Value {
    let mut value = value.clone();
    for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
        let Some(fields) = value.as_object_mut() else { break };
        let present = fields.get(field).or_else(|| schema.get("default"));
        if let Some(present) = present.map(|present| filled(schema, present)) {
            fields.insert(field.clone(), present);
        }
    }
    value
}

#[test]
fn the_pod_template_of_an_empty_spec_is_the_one_that_every_redis_was_made_from() {
    for (version, golden) in Template::ALL.into_iter().zip(GOLDEN) {
        assert!(template(STORED, version) == golden, "{version:?}: {MEANING}\n{}", template(STORED, version));
    }
}

#[test]
fn what_the_schema_fills_into_an_old_object_leaves_its_pod_template_as_it_was() {
    let crd = serde_json::to_value(crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let spec = filled(schema, &serde_yaml::from_str(STORED).unwrap());
    assert_eq!(spec["redis"]["evictionPolicy"], "volatile-lru", "defaults were filled in");
    for (version, golden) in Template::ALL.into_iter().zip(GOLDEN) {
        assert!(template(&spec.to_string(), version) == golden, "{version:?}: {MEANING}\n{spec}");
    }
}
