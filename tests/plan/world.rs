//! A cluster made of values: what a plan writes is what the next pass observes.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::ResourceExt;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokencache_operator::api::v1alpha1::TokenCache;
use tokencache_operator::data_protection::settings::Settings as RingSettings;
use tokencache_operator::kubernetes::identity::{FIELD_MANAGER, Found};
use tokencache_operator::kubernetes::process::Processes;
use tokencache_operator::kubernetes::workload::Consumers;
use tokencache_operator::redis::network::Callers;
use tokencache_operator::redis::objects::TEMPLATE_ANNOTATION;
use tokencache_operator::redis::tls::{issue, schedule::AUTHORITY_LIFETIME};
use tokencache_operator::redis::{
    Clearance, Mint, Plan, credentials::Credentials, observed::Observed, plan, settings::Settings,
};

/// One `TokenCache` and what there is of it.
#[derive(Clone)]
pub struct World {
    pub cache: TokenCache,
    pub observed: Observed,
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
        let observed = Observed {
            service_account: Found::Nothing,
            network_policy: Found::Nothing,
            was_restricted: false,
            callers: Callers::Unknown,
            operator_namespace: Some("tokencache-system".to_owned()),
            service: Found::Nothing,
            headless_service: Found::Nothing,
            config_map: Found::Nothing,
            application_settings: Found::Nothing,
            stateful_set: Found::Nothing,
            operator_login: Found::Nothing,
            users: Found::Nothing,
            connection: Found::Nothing,
            rotation: Found::Nothing,
            settled: None,
            certificate_authority: Found::Nothing,
            server_certificate: Found::Nothing,
            provided_certificate: None,
            claim: None,
            pods: Vec::new(),
            samples: Vec::new(),
            consumers: Consumers::Unknown,
            processes: Processes::Unknown,
            operations: Vec::new(),
        };
        let mut world = Self { cache, observed, dice: 1, now: START };
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

    pub fn plan(&self) -> Plan {
        plan(&self.settings(), &self.observed, &self.credentials())
    }

    /// Carries the plan out. Says what was written.
    pub fn pass(&mut self) -> Vec<String> {
        let plan = self.plan();
        let written = said(&plan);
        let Plan {
            mints,
            service_account,
            network_policy,
            config_maps,
            secrets,
            clearances,
            services,
            stateful_set,
            claim,
        } = plan;
        let of_tls = |clearance: &Clearance| clearance.secret.name.as_deref() == Some("shop-redis-tls");
        assert!(
            clearances.iter().all(of_tls),
            "here everything else is applied, and an apply takes away what is not wanted any more"
        );
        let settings = self.settings();
        for mint in mints {
            let mut secret = mint.secret(&settings, &[self.dice; 128]).unwrap();
            if let Some(live) = self.slot(&secret.name_any()).ours() {
                let mut data = live.data.clone().unwrap();
                data.extend(secret.data.take().unwrap());
                secret.data = Some(data);
            }
            self.store_secret(secret);
            self.dice += 1;
        }
        for secret in secrets {
            self.store_secret(secret);
        }
        for Clearance { secret, keys } in clearances {
            let mut cleared = Secret::clone(self.slot(secret.name.as_deref().unwrap()).ours().unwrap());
            cleared.data.as_mut().unwrap().retain(|key, _| !keys.contains(key));
            self.store_secret(cleared);
        }
        for object in config_maps {
            let slot = match object.name_any().as_str() {
                "shop-settings" => &mut self.observed.application_settings,
                _ => &mut self.observed.config_map,
            };
            *slot = Found::Ours(stored(object));
        }
        for object in services {
            let slot = match object.name_any().as_str() {
                "shop-redis" => &mut self.observed.service,
                _ => &mut self.observed.headless_service,
            };
            *slot = Found::Ours(stored(object));
        }
        if let Some(object) = network_policy {
            self.observed.network_policy = Found::Ours(stored(object));
        }
        if let Some(object) = service_account {
            self.observed.service_account = Found::Ours(stored(object));
        }
        if let Some(object) = stateful_set {
            self.observed.stateful_set = Found::Ours(stored(object));
        }
        if claim.is_some() {
            self.observed.claim = None;
        }
        written
    }

    pub fn store_secret(&mut self, secret: Secret) {
        let name = secret.name_any();
        *self.slot(&name) = Found::Ours(stored(secret));
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
        let data = secret.ours().unwrap().data.clone().unwrap();
        String::from_utf8(data[key].0.clone()).unwrap()
    }

    /// Every object that is there, Secrets with placeholders for what is secret.
    pub fn objects(&self) -> Vec<Value> {
        // Without `..`: an object that no snapshot shows does not compile.
        let Observed {
            service_account,
            network_policy,
            was_restricted: _,
            callers: _,
            operator_namespace: _,
            service,
            headless_service,
            config_map,
            application_settings,
            stateful_set,
            operator_login,
            users,
            connection,
            rotation,
            settled: _,
            certificate_authority,
            server_certificate,
            provided_certificate: _,
            claim: _,
            pods: _,
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

/// What a plan writes, as kinds and names.
pub fn said(plan: &Plan) -> Vec<String> {
    let Plan {
        mints,
        service_account,
        network_policy,
        config_maps,
        secrets,
        clearances,
        services,
        stateful_set,
        claim,
    } = plan;
    let mut said: Vec<String> = mints
        .iter()
        .map(|mint| match mint {
            Mint::OperatorLogin => "mint Secret shop-redis-operator".to_owned(),
            Mint::Connection(_) => "mint Secret shop-redis".to_owned(),
            Mint::NextPassword(_) => "mint Secret shop-redis-rotation".to_owned(),
            Mint::CertificateAuthority(_) => "mint Secret shop-redis-ca".to_owned(),
            Mint::ServerCertificate(_) => "mint Secret shop-redis-tls".to_owned(),
        })
        .collect();
    said.extend(secrets.iter().map(|object: &Secret| format!("Secret {}", object.name_any())));
    said.extend(clearances.iter().map(|clearance| format!("clear {:?}", clearance.keys)));
    said.extend(config_maps.iter().map(|object: &ConfigMap| format!("ConfigMap {}", object.name_any())));
    said.extend(service_account.iter().map(|object| format!("ServiceAccount {}", object.name_any())));
    said.extend(network_policy.iter().map(|object| format!("NetworkPolicy {}", object.name_any())));
    said.extend(services.iter().map(|object: &Service| format!("Service {}", object.name_any())));
    said.extend(stateful_set.iter().map(|object| format!("StatefulSet {}", object.name_any())));
    said.extend(claim.iter().map(|(seen, _)| format!("claim {}", seen.name.as_deref().unwrap_or_default())));
    said
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
    let mut object = serde_json::to_value(found.ours()?.as_ref()).unwrap();
    object["metadata"].as_object_mut().unwrap().remove("managedFields");
    object["kind"] = kind.into();
    if let Some(mark) = object["metadata"]["annotations"].get_mut(TEMPLATE_ANNOTATION) {
        *mark = "<hash of the template>".into();
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
