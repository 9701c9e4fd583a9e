//! Every object of a cache, as YAML beside the `TokenCache` that it comes from.

use tokencache_operator::redis::{
    access::password::{Password, login_mark},
    server::objects::probe_password,
};

use super::world::{World, shop};

/// Every field of the spec has a value of its own.
pub const FULL: &str = r#"
redis:
  image: registry.example/valkey:8.1
  imagePullPolicy: Always
  acceptedVersion: 8.1.1
  maxMemory: 1500M
  evictionPolicy: allkeys-lfu
  persistence: {size: 10G, storageClassName: fast, whenDeleted: Delete}
  tls: {mode: Secret, secretName: shop-certificate}
  acl: Strict
  networkPolicy: Namespace
  passwordRotation: {overlap: 7d, wait: Clock}
  pod:
    resources: {requests: {cpu: 250m}, limits: {cpu: 2}}
    nodeSelector: {pool: caches}
    tolerations: [{key: dedicated, operator: Equal, value: caches, effect: NoSchedule}]
    affinity:
      nodeAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
          nodeSelectorTerms: [{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}]
    topologySpreadConstraints:
    - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}
    priorityClassName: high
    imagePullSecrets: [{name: registry}]
entries: {instanceName: "a*b[c]?\\:", encrypt: false, inspect: Metadata}
dataProtection:
  mode: Managed
  applicationName: /app
  rotation: {every: 30d, publishAhead: 4d}
  certificate: {secretName: shop-dp}
  previous: [{secretName: shop-dp-before}]
  import: {secretName: old-ring}
"#;

/// The `TokenCache` and its objects. What is secret is replaced by what it is.
fn told(world: &World) -> String {
    let mut documents = vec![serde_json::to_value(&world.cache).unwrap()];
    documents.extend(world.objects());
    let yaml: Vec<String> = documents.iter().map(|document| serde_yaml::to_string(document).unwrap()).collect();
    let mut text = yaml.join("---\n");
    let password = |slot| Password::parse(World::text(slot, "password").as_bytes()).unwrap();
    let operator = password(&world.observed.operator_login);
    let users =
        [("app", password(&world.observed.connection)), ("probe", probe_password(&operator)), ("operator", operator)];
    for (user, password) in users {
        let hash = password.sha256();
        text = text.replace(password.reveal(), &format!("<password of {user}>"));
        text = text.replace(hash.as_hex(), &format!("<hash of {user}>"));
        text = text.replace(&login_mark(&hash), &format!("<mark of {user}>"));
    }
    text
}

#[test]
fn the_objects_of_an_empty_spec() {
    let world = World::settled(shop("{}"));
    insta::assert_snapshot!(told(&world));
}

#[test]
fn the_objects_of_a_spec_with_every_field() {
    let world = World::settled(shop(FULL));
    insta::assert_snapshot!(told(&world));
}

#[test]
fn the_full_spec_leaves_no_field_of_the_schema_out() {
    let spec: serde_json::Value = serde_yaml::from_str(FULL).unwrap();
    let crd = serde_json::to_value(tokencache_operator::api::v1alpha1::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let sections = [("", "/properties"), ("/redis", "/properties/redis/properties")];
    let sections = sections.into_iter().chain([
        ("/redis/persistence", "/properties/redis/properties/persistence/properties"),
        ("/redis/pod", "/properties/redis/properties/pod/properties"),
        ("/redis/tls", "/properties/redis/properties/tls/properties"),
        ("/redis/passwordRotation", "/properties/redis/properties/passwordRotation/properties"),
        ("/redis/pod/resources", "/properties/redis/properties/pod/properties/resources/properties"),
        ("/entries", "/properties/entries/properties"),
        ("/dataProtection", "/properties/dataProtection/properties"),
        ("/dataProtection/rotation", "/properties/dataProtection/properties/rotation/properties"),
    ]);
    for (path, properties) in sections {
        let written = spec.pointer(path).unwrap();
        for field in schema.pointer(properties).unwrap().as_object().unwrap().keys() {
            assert!(written.get(field).is_some(), "{path}/{field} is not in it");
        }
    }
}
