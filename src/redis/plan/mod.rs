//! What is to be written so that Redis is as the settings want it.
//!
//! In: the settings, what was observed, the passwords and the certificate. Out: writes, and none for what is so already.
//!
//! | module | what |
//! |---|---|
//! | [`rollout`] | the `StatefulSet`, and when its pod is replaced |
//! | [`network`] | who reaches the servers over the network |

pub mod network;
pub mod rollout;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    credentials::mint::NewSecret,
    credentials::{self, Credentials, binding},
    live::Live,
    server::objects,
    settings::Settings,
};
use crate::kubernetes::{
    object::{Kind, Reference},
    write::{
        Write, subset,
        upkeep::{is_written_for, upkeep, upkeep_secret},
    },
};

/// What is to be written so that Redis is as the settings want it, in this order. Passwords and certificates come first: while
/// one is to be made, what depends on it waits for it.
#[must_use]
pub fn writes(settings: &Settings, observed: &Live, credentials: &Credentials) -> Vec<Write> {
    let (tls, rotation, settled) = (&credentials.tls, &credentials.rotation, observed.settled.as_ref());
    let authorities = tls.authorities();
    let can_publish = !settings.has_tls() || authorities.is_some();
    let mut mints = tls.mints.clone();
    let mut secrets = tls.writes.clone();
    mints.extend(credentials.new_login.clone().map(Box::new).map(NewSecret::OperatorLogin));
    if let Some(login) = &credentials.operator {
        secrets.extend(upkeep_secret(settled, &observed.operator_login, login.secret(settings)));
    }
    let is_rotated = rotation.mint.is_some() || observed.rotation.owned().is_some();
    mints.extend(rotation.mint.clone().map(NewSecret::NextPassword));
    secrets.extend(rotation.write.clone());
    if credentials.to_publish().is_none() && !is_rotated && can_publish {
        let replaced = observed.connection.owned().map(|binding| Box::new(binding.metadata.clone()));
        mints.push(NewSecret::Connection(authorities.cloned(), replaced));
    }
    // What depends on nothing comes first: where a name is not free, nothing is drawn.
    let mut writes: Vec<Write> = upkeep(settled, &observed.service_account, objects::service_account(settings))
        .into_iter()
        .chain(upkeep(settled, &observed.application_settings, binding::application_settings(settings)))
        .chain(mints.into_iter().map(|mint| mint.write(settings)))
        .collect();
    // Last of what is made: where a cluster's own policies forbid it, all else is there.
    let policy =
        network::wanted(settings, observed).and_then(|wanted| upkeep(settled, &observed.network_policy, wanted));
    let claim = observed.claim.clone().and_then(|metadata| {
        let lacking = settings.owner.lacking(objects::COMPONENT, &metadata)?;
        Some(Write::Label(Reference { kind: Kind::PersistentVolumeClaim, metadata }, lacking))
    });
    let last = policy.into_iter().chain(claim);
    // Where there is no certificate to start with, nothing that asks for one is written; what runs already is kept up.
    if !tls.lets_start() && !rollout::is_written(settings, observed, credentials) {
        writes.extend(secrets.into_iter().chain(last));
        return writes;
    }
    if let (Some(password), true) = (credentials.to_publish(), can_publish) {
        let wanted = binding::connection(settings, password, authorities, rotation.marks);
        secrets.extend(upkeep_secret(settled, &observed.connection, wanted));
    }
    let mut stateful_set = None;
    if let (Some(operator), Some(hashes), false) =
        (credentials.operator_password(), credentials.hashes(), rotation.valid.is_empty())
    {
        let probe = objects::probe_password(operator);
        secrets.extend(upkeep_secret(settled, &observed.users, objects::users(settings, &hashes, &probe)));
        stateful_set = self::stateful_set(settings, observed, credentials);
    }
    let certificate = credentials::tls::mounted::at_start(settings, observed, tls);
    writes.extend(secrets);
    writes.extend(upkeep(settled, &observed.config_map, objects::config_map(settings, &certificate)));
    writes.extend(upkeep(settled, &observed.headless_service, objects::headless_service(settings)));
    writes.extend(upkeep(settled, &observed.service, objects::service(settings)));
    writes.extend(stateful_set.into_iter().chain(last));
    writes
}

/// What is to be written of the `StatefulSet`, which is all of a spec that the API server may refuse.
#[must_use]
pub fn stateful_set(settings: &Settings, observed: &Live, credentials: &Credentials) -> Option<Write> {
    let wanted = rollout::wanted(settings, observed, Some(credentials));
    let live = observed.stateful_set.owned().map(|live| &live.metadata);
    let is_as_wanted =
        live.is_some_and(|live| observed.settled.holds(live, &wanted, || is_admitted(observed, &wanted)));
    if is_as_wanted { None } else { upkeep(&observed.settled, &observed.stateful_set, wanted) }
}

/// Whether the live `StatefulSet` is what the API server made of this one.
pub(crate) fn is_admitted(observed: &Live, wanted: &StatefulSet) -> bool {
    let (Some(live), Some(admitted)) = (observed.stateful_set.owned(), &observed.admitted) else { return false };
    let identity = |object: &StatefulSet| {
        let ObjectMeta { labels, annotations, owner_references, .. } = object.metadata.clone();
        StatefulSet {
            metadata: ObjectMeta { labels, annotations, owner_references, ..ObjectMeta::default() },
            ..StatefulSet::default()
        }
    };
    admitted.holds(&live.metadata, &wanted.spec)
        && is_written_for(live.as_ref(), wanted)
        && subset::holds(&identity(live), &identity(wanted))
}
