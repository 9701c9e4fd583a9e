//! Whether a live object that nobody owns is what would be made, in what nobody can change of it afterwards. The rest is put
//! right like any drift.
//!
//! In: the settings, and the object. Out: yes or no.

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
};

use super::{objects, pod::Template};
use crate::{kubernetes::write::subset, redis::settings::Settings};

/// What is told by its name alone.
#[must_use]
pub fn service_account(_: &ServiceAccount) -> bool {
    true
}

/// What is told by its name alone.
#[must_use]
pub fn network_policy(_: &NetworkPolicy) -> bool {
    true
}

/// Whether its data can be put right.
#[must_use]
pub fn config_map(live: &ConfigMap) -> bool {
    live.immutable != Some(true)
}

/// Whether it is of this type, and its data can be put right.
#[must_use]
pub fn secret(live: &Secret, type_: &str) -> bool {
    live.immutable != Some(true) && live.type_.as_deref() == Some(type_)
}

/// Whether it is headless where it is to be, and only there.
#[must_use]
pub fn service(live: &Service, is_headless: bool) -> bool {
    let address = live.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref());
    (address == Some("None")) == is_headless
}

/// Whether it has the pods, the governing Service and the volumes that it is to have.
#[must_use]
pub fn stateful_set(live: &StatefulSet, settings: &Settings) -> bool {
    let wanted = objects::stateful_set(settings, settings.max_memory.container(), Template::NEWEST, None);
    let (Some(live), Some(wanted)) = (&live.spec, wanted.spec) else { return false };
    live.selector == wanted.selector
        && live.service_name == wanted.service_name
        && live.pod_management_policy == wanted.pod_management_policy
        && live.volume_claim_templates.iter().flatten().count()
            == wanted.volume_claim_templates.iter().flatten().count()
        && subset::holds(&live.volume_claim_templates, &wanted.volume_claim_templates)
}
