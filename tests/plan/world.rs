//! A cluster made of values: what a plan writes is what the next pass observes.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::ResourceExt;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokencache_operator::{
    api::v1alpha1::TokenCache,
    capability::{ask::Volume, observed::OperatorPlace},
    data_protection::settings::Settings as RingSettings,
    entries::look::Look,
    kubernetes::{
        identity::{APPLIED_ANNOTATION, FIELD_MANAGER, Found},
        object::Object,
        read::{process::Processes, workload::Consumers},
        write::Write,
    },
    redis::{
        credentials::Credentials,
        live::{Callers, Live},
        plan::writes,
        server::objects::TEMPLATE_ANNOTATION,
        settings::Settings,
        tls::{issue, schedule::AUTHORITY_LIFETIME},
    },
};

/// One `TokenCache` and what there is of it.
#[derive(Clone)]
pub struct World {
    pub cache: TokenCache,
    pub observed: Live,
    /// What the latest looks show of entries.
    pub looks: Vec<Look>,
    /// What the random bytes of the next mint are made of.
    pub dice: u8,
    /// The time.
    pub now: Timestamp,
}

/// When a world begins: 2026-01-01.
pub const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The `TokenCache` named `shop` with this spec, in YAML.
pub fn shop(spec: &str) -> TokenCache {
    let spec: Value = serde_yaml::from_str(spec).unwrap();
    let metadata = json!({"name": "shop", "namespace": "web", "uid": "uid-of-shop", "generation": 1});
    let kind = json!({"apiVersion": "tokencache.dev/v1alpha1", "kind": "TokenCache"});
    serde_json::from_value(merged(kind, json!({"metadata": metadata, "spec": spec}))).unwrap()
}

fn merged(mut into: Value, from: Value) -> Value {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
    into
}

/// A user's Secret with a certificate for these names, made at a time.
pub fn provided(names: &[&str], made: Timestamp) -> Secret {
    let authority = issue::authority("somebody", &[3; 128], made).unwrap();
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let ends = made + AUTHORITY_LIFETIME;
    let issued = issue::certificate(&names, &authority, ends, &[4; 128], made).unwrap();
    let data = [
        ("tls.crt", issued.certificate.as_str()),
        ("tls.key", issued.key.reveal()),
        ("ca.crt", &authority.certificate),
    ];
    let data = data.map(|(key, text)| (key.to_owned(), ByteString(text.as_bytes().to_vec())));
    Secret { data: Some(data.into()), type_: Some("kubernetes.io/tls".to_owned()), ..Secret::default() }
}

impl World {
    /// Nothing is there yet.
    pub fn new(cache: TokenCache) -> Self {
        let observed = Live {
            service_account: Found::Absent,
            network_policy: Found::Absent,
            was_restricted: false,
            callers: Callers::Unknown,
            operator: OperatorPlace { namespace: Some("tokencache-system".to_owned()), reaches_services: false },
            service: Found::Absent,
            headless_service: Found::Absent,
            config_map: Found::Absent,
            application_settings: Found::Absent,
            stateful_set: Found::Absent,
            operator_login: Found::Absent,
            users: Found::Absent,
            connection: Found::Absent,
            rotation: Found::Absent,
            admitted: None,
            certificate_authority: Found::Absent,
            server_certificate: Found::Absent,
            provided_certificate: None,
            verified: Arc::default(),
            settled: Arc::default(),
            claim: None,
            volume: Volume::Unknown,
            pods: Vec::new(),
            strangers: Vec::new(),
            samples: Vec::new(),
            consumers: Consumers::Unknown,
            processes: Processes::Unknown,
            operations: Vec::new(),
        };
        let mut world = Self { cache, observed, looks: Vec::new(), dice: 1, now: START };
        if world.cache.spec.redis.tls.secret_name.is_some() {
            world.observed.provided_certificate = Some(Arc::new(provided(&[&world.settings().host()], START)));
        }
        world
    }

    /// Everything is there.
    pub fn settled(cache: TokenCache) -> Self {
        let mut world = Self::new(cache);
        for _ in 0..3 {
            world.pass();
        }
        world
    }

    pub fn settings(&self) -> Settings {
        Settings::parse(&self.cache).unwrap()
    }

    pub fn ring_settings(&self) -> RingSettings {
        RingSettings::parse(self.settings().owner, &self.cache).unwrap()
    }

    pub fn credentials(&self) -> Credentials {
        Credentials::read(&self.settings(), &self.observed, self.now)
    }

    pub fn plan(&self) -> Vec<Write> {
        writes(&self.settings(), &self.observed, &self.credentials())
    }

    /// Carries the plan out. Says what was written.
    pub fn pass(&mut self) -> Vec<String> {
        let plan = self.plan();
        let written = said(&plan);
        for write in plan {
            match write {
                Write::Mint(draft) => {
                    let secret = draft.secret(&[self.dice; 128]).unwrap();
                    self.dice += 1;
                    self.merge_secret(secret, &[]);
                }
                Write::Amend { secret, without } => self.merge_secret(secret, &without),
                Write::Create(object) | Write::Apply(object) => self.store(object),
                Write::Label(..) => self.observed.claim = None,
                other => panic!("{other:?}"),
            }
        }
        written
    }

    fn store(&mut self, object: Object) {
        let name = object.name().to_owned();
        let observed = &mut self.observed;
        match object {
            Object::Secret(object) => *self.slot(&name) = Found::Owned(stored(Arc::unwrap_or_clone(object))),
            Object::ConfigMap(object) => {
                let slot = match name.as_str() {
                    "shop-settings" => &mut observed.application_settings,
                    _ => &mut observed.config_map,
                };
                *slot = Found::Owned(stored(Arc::unwrap_or_clone(object)));
            }
            Object::Service(object) => {
                let slot = match name.as_str() {
                    "shop-redis" => &mut observed.service,
                    _ => &mut observed.headless_service,
                };
                *slot = Found::Owned(stored(Arc::unwrap_or_clone(object)));
            }
            Object::NetworkPolicy(object) => {
                observed.network_policy = Found::Owned(stored(Arc::unwrap_or_clone(object)));
            }
            Object::ServiceAccount(object) => {
                observed.service_account = Found::Owned(stored(Arc::unwrap_or_clone(object)));
            }
            Object::StatefulSet(object) => {
                observed.stateful_set = Found::Owned(stored(Arc::unwrap_or_clone(object)));
            }
            Object::PersistentVolumeClaim(_) => panic!("claims are the StatefulSet controller's"),
        }
    }

    /// What a merge patch makes of a Secret; or the Secret, where there is none.
    fn merge_secret(&mut self, secret: Secret, without: &[String]) {
        let name = secret.name_any();
        let merged = match self.slot(&name).owned() {
            None => secret,
            Some(live) => {
                let mut merged = Secret::clone(live);
                merged.metadata.managed_fields = None;
                merged.data.get_or_insert_default().extend(secret.data.unwrap_or_default());
                merged.data.get_or_insert_default().retain(|key, _| !without.contains(key));
                merged
            }
        };
        self.store_secret(merged);
    }

    pub fn store_secret(&mut self, secret: Secret) {
        let name = secret.name_any();
        *self.slot(&name) = Found::Owned(stored(secret));
    }

    fn slot(&mut self, secret: &str) -> &mut Found<Arc<Secret>> {
        match secret {
            "shop-redis" => &mut self.observed.connection,
            "shop-redis-users" => &mut self.observed.users,
            "shop-redis-rotation" => &mut self.observed.rotation,
            "shop-redis-ca" => &mut self.observed.certificate_authority,
            "shop-redis-tls" => &mut self.observed.server_certificate,
            _ => &mut self.observed.operator_login,
        }
    }

    /// The text of a Secret's key, in the Secret of this slot.
    pub fn text(secret: &Found<Arc<Secret>>, key: &str) -> String {
        let data = secret.owned().unwrap().data.clone().unwrap();
        String::from_utf8(data[key].0.clone()).unwrap()
    }

    /// Every object that is there, Secrets with placeholders for what is secret.
    pub fn objects(&self) -> Vec<Value> {
        // Without `..`: an object that no snapshot shows does not compile.
        let Live {
            service_account,
            network_policy,
            was_restricted: _,
            callers: _,
            operator: _,
            service,
            headless_service,
            config_map,
            application_settings,
            stateful_set,
            operator_login,
            users,
            connection,
            rotation,
            admitted: _,
            certificate_authority,
            server_certificate,
            provided_certificate: _,
            verified: _,
            settled: _,
            claim: _,
            volume: _,
            pods: _,
            strangers: _,
            samples: _,
            consumers: _,
            processes: _,
            operations: _,
        } = &self.observed;
        [
            told("ServiceAccount", service_account),
            told("NetworkPolicy", network_policy),
            told("Service", service),
            told("Service", headless_service),
            told("ConfigMap", config_map),
            told("ConfigMap", application_settings),
            told("StatefulSet", stateful_set),
            told("Secret", operator_login),
            told("Secret", users),
            told("Secret", connection),
            told("Secret", rotation),
            told("Secret", certificate_authority),
            told("Secret", server_certificate),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What a plan writes.
pub fn said(plan: &[Write]) -> Vec<String> {
    let named = |object: &Object| format!("{} {}", object.kind().as_str(), object.name());
    let one = |write: &Write| match write {
        Write::Create(object) | Write::Apply(object) => named(object),
        Write::Amend { secret, without } if secret.data.is_none() => format!("clear {without:?}"),
        Write::Label(object, _) => format!("claim {}", object.name()),
        other => format!("{other:?}"),
    };
    plan.iter().map(one).collect()
}

/// The `StatefulSet` that a plan writes.
pub fn written_set(plan: &[Write]) -> Option<StatefulSet> {
    plan.iter().find_map(|write| match write {
        Write::Create(Object::StatefulSet(set)) | Write::Apply(Object::StatefulSet(set)) => {
            Some(StatefulSet::clone(set))
        }
        _ => None,
    })
}

/// As the API server keeps it: with a record of what was applied.
pub fn stored<T: Serialize + kube::Resource>(mut object: T) -> Arc<T> {
    let applied = serde_json::to_value(&object).unwrap();
    let entry = ManagedFieldsEntry {
        manager: Some(FIELD_MANAGER.to_owned()),
        operation: Some("Apply".to_owned()),
        fields_v1: Some(FieldsV1(fields(&applied))),
        ..ManagedFieldsEntry::default()
    };
    object.meta_mut().managed_fields = Some(vec![entry]);
    Arc::new(object)
}

/// The fields of a value in the form of `managedFields`. Lists whose elements have names are lists by name.
fn fields(value: &Value) -> Value {
    let named = |list: &[Value]| !list.is_empty() && list.iter().all(|element| element["name"].is_string());
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (format!("f:{key}"), fields(value))).collect(),
        Value::Array(list) if named(list) => list
            .iter()
            .map(|element| (format!("k:{}", json!({"name": element["name"]})), fields(element)))
            .collect::<Map<String, Value>>()
            .into(),
        _ => json!({}),
    }
}

fn told<T: Serialize>(kind: &str, found: &Found<Arc<T>>) -> Option<Value> {
    let mut object = serde_json::to_value(found.owned()?.as_ref()).unwrap();
    object["metadata"].as_object_mut().unwrap().remove("managedFields");
    object["kind"] = kind.into();
    if let Some(mark) = object["metadata"]["annotations"].get_mut(TEMPLATE_ANNOTATION) {
        *mark = "<hash of the template>".into();
    }
    // What differs from one version of the operator to the next by anything that this shows.
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(APPLIED_ANNOTATION);
        if annotations.is_empty() {
            object["metadata"]["annotations"] = Value::Null;
        }
    }
    if kind == "Secret" {
        let secret: Secret = serde_json::from_value(object.clone()).unwrap();
        let data = secret.data.unwrap_or_default();
        let text = data.into_iter().map(|(key, value)| (key, pem_labels(String::from_utf8(value.0).unwrap()).into()));
        object["data"] = text.collect::<Map<String, Value>>().into();
    }
    Some(serde_json::from_str(&without_fingerprints(&object.to_string())).unwrap())
}

/// The names of files after certificates differ in every run too.
fn without_fingerprints(text: &str) -> String {
    let parts: Vec<&str> = text.split(".pem").collect();
    let (last, parts) = parts.split_last().unwrap();
    let named = parts.iter().map(|part| {
        let (before, fingerprint) = part.split_at(part.len() - 64);
        assert!(fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()), "{fingerprint}");
        format!("{before}<fingerprint>.pem")
    });
    named.chain([(*last).to_owned()]).collect()
}

/// Certificates and keys differ in every run: what they are is told in their place.
fn pem_labels(text: String) -> String {
    if !text.starts_with("-----BEGIN ") {
        return text;
    }
    let labels = text.lines().filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    labels.map(|label| format!("<{label}>")).collect::<Vec<_>>().join(" ")
}
