//! What is said of a server that gave no answer.
//!
//! In: the fault, the pod, and which passwords hold. Out: the finding about `RedisAvailable`.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::availability::{FIRST_PROBES, full};
use crate::{
    api::v1alpha1::{Acl, Remedy},
    condition::{ConditionType::RedisAvailable, Finding, Message, Reason},
    redis::{
        credentials::Credentials,
        look::{
            LONGEST_LOOK, Sample,
            fault::{Fault, Kill},
        },
        plan::rollout,
        restart::Restart,
        server::pods::{became_ready_after, ends_where_busy, is_ready, is_running, was_started_after},
        settings::Settings,
    },
};

/// A fault in a few words, for where [`finding`] says the rest.
#[must_use]
pub fn in_words(fault: &Fault) -> String {
    match fault {
        Fault::Unreachable(why) => format!("Redis could not be reached ({why})"),
        Fault::Frozen | Fault::Slow => "Redis did not answer in time".to_owned(),
        Fault::WritesWait => "Redis kept a write waiting".to_owned(),
        Fault::WrongPassword => "Redis wants another password than the operator's".to_owned(),
        Fault::NoPermission { command, message } => format!("Redis refused {command} to the operator ({message})"),
        Fault::Loading => "Redis is loading its data".to_owned(),
        Fault::Busy(_) => "Redis is kept busy by a script".to_owned(),
        Fault::Full => "Redis has reached maxclients".to_owned(),
        Fault::TlsPort | Fault::PlainText | Fault::Certificate(_) => "the TLS handshake with Redis failed".to_owned(),
        Fault::NotRedis(_) | Fault::Unexpected(_) => "Redis gave an unexpected answer".to_owned(),
    }
}

/// What is said of a server that gave no answer.
#[must_use]
pub fn finding(
    settings: &Settings,
    pod: &Pod,
    sample: &Sample,
    fault: &Fault,
    credentials: &Credentials,
    now: Timestamp,
) -> Finding {
    let name = &sample.server.pod;
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("unknown");
    let starting = !is_ready(pod) && (!is_running(pod) || was_started_after(pod, now - FIRST_PROBES));
    // How many entries there were, no look has told.
    let cost = Restart::of(settings, None);
    let restart = || cost.remedy(settings, name);
    let (address, port) = (sample.server.address, sample.server.port);
    let place = format!("{name} ({address}:{port})");
    let (reason, message) = match fault {
        Fault::Unreachable(_) if starting || became_ready_after(pod, sample.taken) => {
            (Reason::Provisioning, rollout::on_its_way(settings, pod, cost))
        }
        Fault::Unreachable(why) => (
            Reason::Unreachable,
            Message::from(format!("{place} cannot be reached: {why}")).remedy(Remedy::look(format!(
                "check node {node}, and NetworkPolicies that keep the operator out"
            ))),
        ),
        Fault::Frozen if is_ready(pod) => (
            Reason::Frozen,
            Message::from(format!(
                "{place} accepts connections but does not answer the operator, although its last readiness probe passed"
            ))
            .remedy(Remedy::look("if this lasts, check the operator's CPU, and proxies between it and the pod")),
        ),
        Fault::Frozen => (
            Reason::Frozen,
            Message::from(format!(
                "{place} accepts connections but does not answer; applications wait a second for every token. kubelet restarts \
                 it after a minute"
            ))
            .remedy(restart()),
        ),
        Fault::Slow => (
            Reason::Frozen,
            Message::from(format!(
                "{place} answers too slowly: a look at it took more than {} s",
                LONGEST_LOOK.as_secs()
            ))
            .remedy(slow(&format!("node {node}"))),
        ),
        Fault::WritesWait => (
            Reason::ReadOnly,
            Message::from(format!("{place} answers reads and keeps every write waiting, as after CLIENT PAUSE"))
                .remedy(Remedy::free("send CLIENT UNPAUSE, or wait until the pause ends")),
        ),
        Fault::Full => (Reason::TooManyClients, full(settings, (&place, pod), "", cost)),
        Fault::WrongPassword if rollout::restarts_for_password(pod, credentials) => {
            (Reason::RestartingForPassword, rollout::new_password(pod, cost).into())
        }
        Fault::WrongPassword => (
            Reason::WrongPassword,
            Message::from(format!(
                "{place} refuses the operator's password, so its settings cannot be verified. Somebody changed user operator on it"
            ))
            .remedy(restart()),
        ),
        Fault::NoPermission { command, message } => (
            Reason::PermissionDenied,
            Message::from(format!(
                "{place} refuses {command} to user operator, so its settings cannot be verified. Somebody changed that user: \
                 {message}"
            ))
            .remedy(restart()),
        ),
        Fault::Loading => (
            Reason::Loading,
            format!("{place} is loading its data into memory, and refuses commands until that is done").into(),
        ),
        Fault::Busy(kill) => (Reason::Busy, busy(settings, pod, name, kill)),
        Fault::TlsPort => (
            Reason::TlsPort,
            Message::from(format!(
                "{place} speaks TLS where plain text is expected, so applications cannot connect. Something else listens there, \
                 such as a service mesh's proxy"
            ))
            .remedy(Remedy::look(format!("exclude port {port} of the pod from the service mesh"))),
        ),
        Fault::PlainText | Fault::Certificate(_) => {
            let message = format!("{place} was not asked, because its TLS handshake failed: see TlsReady");
            return Finding::unknown(RedisAvailable, Reason::TlsNotReady, message);
        }
        Fault::NotRedis(said) if said.is_empty() && settings.has_tls() => (
            Reason::NotRedis,
            Message::from(format!(
                "{place} closes every connection before a TLS handshake: it is not Redis, or has reached maxclients"
            ))
            .remedy(is_redis())
            .remedy(Remedy::free("restart the applications that open many connections")),
        ),
        Fault::NotRedis(said) => {
            let said = if said.is_empty() { "closes every connection".to_owned() } else { format!("says {said:?}") };
            let message = Message::from(format!("what answers at {place} is not Redis: it {said}"));
            (Reason::NotRedis, message.remedy(is_redis()))
        }
        Fault::Unexpected(said) => (
            Reason::UnexpectedAnswer,
            Message::from(format!("{place} gave an unexpected answer: {said}")).remedy(log(settings, name)),
        ),
    };
    Finding::fails(RedisAvailable, reason, message)
}

/// What is said of a server that a script keeps from everything else.
fn busy(settings: &Settings, pod: &Pod, name: &str, kill: &Kill) -> Message {
    let fact = format!("{name} runs a script or a function, and refuses everything else (BUSY)");
    let message = |next: &str| Message::from(fact).and(next);
    let restart = Restart::of(settings, None).remedy(settings, name);
    let by_itself = if ends_where_busy(pod) {
        "Its liveness probe restarts it after a minute"
    } else {
        "Its liveness probe, of an earlier version, does not restart it"
    };
    let told = match kill {
        Kill::NotYet => message("The operator ends it at a later look, unless it has written something"),
        Kill::Withheld => message("The operator does not end it while the cache is paused or SpecValid is False")
            .remedy(Remedy::free("send SCRIPT KILL, if it has written nothing"))
            .remedy(restart),
        Kill::Unkillable => {
            message(&format!("It has written, so nobody can end it (UNKILLABLE). {by_itself}")).remedy(restart)
        }
        Kill::Refused(words) => {
            message(&format!("{by_itself}. The operator could not end it: {words}")).remedy(restart)
        }
        Kill::Ineffective => {
            message(&format!("Redis reported that it ended, but it goes on. {by_itself}")).remedy(restart)
        }
    };
    let whence = who_runs_scripts(settings);
    let is_later = !told.remedies.is_empty() && whence.costs.is_some();
    let step = if is_later { format!("after that, {}", whence.step) } else { whence.step };
    told.remedy(Remedy { step, ..whence })
}

/// Where a script may come from.
#[must_use]
pub fn who_runs_scripts(settings: &Settings) -> Remedy {
    match settings.acl {
        Acl::Compatible => Remedy::free("set spec.redis.acl: Standard, unless applications use package 8.0.x"),
        Acl::Standard | Acl::Strict => Remedy::look("find the other login that runs scripts; user app may not"),
    }
}

/// The server's log.
#[must_use]
pub fn log(settings: &Settings, pod: &str) -> Remedy {
    Remedy::look("see its log").command(format!("kubectl -n {} logs {pod}", settings.owner.namespace))
}

/// What may make a server slow.
#[must_use]
pub fn slow(node: &str) -> Remedy {
    Remedy::look(format!("check the load of {node}, the operator's CPU, and slow commands"))
}

/// Whether it can be Redis that answers.
#[must_use]
pub fn is_redis() -> Remedy {
    Remedy::look("see whether spec.redis.image names Redis, and whether a proxy stands before the pod")
}
