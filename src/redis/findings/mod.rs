//! How a cache's Redis is doing: whether it is available, and what was verified of it.
//!
//! In: the settings, what was observed, when, and the plan's view of the passwords. Out: findings, and what the servers
//! answered. Nothing is remembered from one pass to the next.

pub(crate) mod availability;
pub mod certificate;
pub(crate) mod drift;
pub(crate) mod durability;
pub(crate) mod known;
pub mod load;
pub(crate) mod pod;
pub mod published;
pub mod release;
pub(crate) mod sample;
pub mod unanswered;
pub mod unread;
pub(crate) mod users;

use super::{
    credentials::Credentials,
    live::Live,
    plan::{network, rollout},
    restart::Restart,
    server::pods::server_in,
    settings::Settings,
};
use crate::{
    api::v1alpha1::Remedy,
    capability::operation,
    condition::{ConditionType::RedisAvailable, Finding, Message, Reason},
    kubernetes::{identity::ORPHANED, name},
};
use known::unavailable;
pub use known::{Answered, Health, Moment};
use pod::trouble;
use sample::of_sample;

/// Reads the health of a cache's Redis. A password that is not followed comes before whatever else is wrong: it is what
/// only the user can mend.
#[must_use]
pub fn health(settings: &Settings, observed: &Live, credentials: &Credentials, moment: Moment) -> Health {
    let mut health = of_redis(settings, observed, credentials, moment);
    if let Health::Known { findings, .. } = &mut health {
        findings.extend(network::finding(settings, observed, moment.carried_out));
    }
    health
}

fn of_redis(settings: &Settings, observed: &Live, credentials: &Credentials, moment: Moment) -> Health {
    with_tls(settings, observed, credentials, moment, of_cluster(settings, observed, credentials, moment))
}

/// Adds what is to be said of the certificate.
fn with_tls(
    settings: &Settings,
    observed: &Live,
    credentials: &Credentials,
    moment: Moment,
    mut health: Health,
) -> Health {
    let Health::Known { findings, servers, .. } = &mut health else { return health };
    let server = observed.pods.first().and_then(|pod| server_in(settings, pod));
    let sample = server.and_then(|server| observed.samples.iter().find(|sample| sample.server == server));
    // What a look showed says something only where the other findings go by it.
    let tells_of_tls = findings.iter().any(|finding| finding.reason == Reason::TlsNotReady);
    let sample = sample.filter(|_| tells_of_tls || !servers.is_empty());
    findings.extend(certificate::finding(settings, &credentials.tls, sample, moment.now));
    health
}

/// Redis is not available, and that is an outage.
fn failed(reason: Reason, message: impl Into<Message>) -> Health {
    unavailable(Finding::fails(RedisAvailable, reason, message))
}

fn of_cluster(settings: &Settings, observed: &Live, credentials: &Credentials, moment: Moment) -> Health {
    let owner = &settings.owner.name;
    let restart = Restart::seen(settings, observed);
    if let Some(taken) = observed.taken(owner) {
        let (kind, name) = (taken.kind, taken.name);
        if taken.is_restored {
            let message = operation::restored(&settings.owner, kind, &name, &taken.holder);
            return failed(Reason::NameTaken, message);
        }
        let holder = taken.holder;
        let fact = format!(
            "{kind} {name} exists already and belongs to {holder}; it is left as it is, and nothing else is made"
        );
        let help = if holder == ORPHANED {
            "put back the labels that the other objects have; if it has them, delete it"
        } else {
            "delete or rename it, or give this TokenCache another name"
        };
        return failed(Reason::NameTaken, Message::from(fact).remedy(Remedy::look(help)));
    }
    if let Some(leftover) = observed.leftover(owner) {
        let message = format!("{leftover} of an earlier TokenCache {owner} is still being deleted");
        return failed(Reason::Provisioning, message);
    }
    if !credentials.tls.lets_start() && !rollout::is_written(settings, observed, credentials) {
        let message = "Redis is not started or changed before there is a certificate: see TlsReady";
        return unavailable(Finding::unknown(RedisAvailable, Reason::TlsNotReady, message));
    }
    let Some(pod) = observed.pods.first() else {
        // In the words of a pod that is there: whether the StatefulSet controller has come to it yet is no news.
        let first = [name::redis(owner), "-0".to_owned()].concat();
        return failed(Reason::Provisioning, rollout::being_started(settings, &first, ""));
    };
    // How a server ends that was told to is no trouble.
    if let Some(trouble) = trouble(pod, restart, moment.now).filter(|_| !crate::redis::server::pods::is_over(pod)) {
        return failed(trouble.reason, trouble.message);
    }
    let Some(server) = server_in(settings, pod) else {
        if pod.metadata.deletion_timestamp.is_some() && rollout::restarts_for_password(pod, credentials) {
            return failed(Reason::RestartingForPassword, rollout::new_password(pod, restart));
        }
        return failed(Reason::Provisioning, rollout::on_its_way(settings, pod, restart));
    };
    if let Some(why) = rollout::pending(settings, observed, pod, credentials, moment.carried_out) {
        return if rollout::restarts_for_password(pod, credentials) {
            failed(Reason::RestartingForPassword, rollout::new_password(pod, restart))
        } else {
            failed(Reason::Provisioning, why)
        };
    }
    of_sample(settings, observed, pod, &server, credentials, moment)
}
