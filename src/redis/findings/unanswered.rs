//! What is said of a server that gave no answer.
//!
//! In: the fault, the pod, and which passwords hold. Out: the finding about `RedisAvailable`.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::{
    availability::{FIRST_PROBES, full},
    drift::restart,
};
use crate::{
    api::v1alpha1::Acl,
    condition::{ConditionType::RedisAvailable, Finding, Reason},
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
        Fault::Full => "Redis has as many clients as it may".to_owned(),
        Fault::TlsPort | Fault::PlainText | Fault::Certificate(_) => "the TLS handshake with Redis failed".to_owned(),
        Fault::NotRedis(_) | Fault::Unexpected(_) => "Redis gave an odd answer".to_owned(),
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
    let namespace = &settings.owner.namespace;
    // How many entries there were, no look has told.
    let cost = Restart::of(settings, None);
    let restart = |with: &str| restart(settings, cost, name, with);
    let (address, port) = (sample.server.address, sample.server.port);
    let place = format!("{name} ({address}:{port})");
    let (reason, message) = match fault {
        Fault::Unreachable(_) if starting || became_ready_after(pod, sample.taken) => {
            (Reason::Provisioning, rollout::on_its_way(settings, pod, cost))
        }
        Fault::Unreachable(why) => (
            Reason::Unreachable,
            format!(
                "{place} cannot be reached: {why}. Check its node ({node}) and NetworkPolicies that keep the operator \
                 out; if applications cannot connect either, they ask the identity provider for every token"
            ),
        ),
        Fault::Frozen if is_ready(pod) => (Reason::Frozen, silent_to_the_operator(&place)),
        Fault::Frozen => (
            Reason::Frozen,
            format!(
                "{place} accepts connections and does not answer: the server hangs or its node is overloaded, and \
                 applications wait a second for every token. kubelet restarts it after a minute. {}: `kubectl -n {namespace} delete \
                 pod {name}` does so at once",
                cost.costs()
            ),
        ),
        Fault::Slow => (
            Reason::Frozen,
            format!(
                "{place} answers so slowly that a look at it was not over within {} s: its node ({node}) or the operator's \
                 is overloaded, or slow commands keep it busy",
                LONGEST_LOOK.as_secs()
            ),
        ),
        Fault::WritesWait => (Reason::ReadOnly, writes_wait(&place)),
        Fault::Full => (Reason::TooManyClients, full(settings, (&place, pod), "", cost)),
        Fault::WrongPassword if rollout::restarts_for_password(pod, credentials) => {
            (Reason::RestartingForPassword, rollout::new_password(pod, cost))
        }
        Fault::WrongPassword => (
            Reason::WrongPassword,
            format!(
                "{place} refuses the operator's password: somebody changed the user operator on the server, and its \
                 settings cannot be verified. {}",
                restart("the users from its Secret")
            ),
        ),
        Fault::NoPermission { command, message } => (
            Reason::PermissionDenied,
            format!(
                "{place} refuses {command} to the operator ({message}): somebody changed the user operator on the \
                 server, and its settings cannot be verified. {}",
                restart("the users from its Secret")
            ),
        ),
        Fault::Loading => (
            Reason::Loading,
            format!("{place} is loading its data into memory and refuses commands until that is done"),
        ),
        Fault::Busy(kill) => (Reason::Busy, busy(settings, pod, name, kill)),
        Fault::TlsPort => (
            Reason::TlsPort,
            format!(
                "{place} speaks TLS where plain text was expected, so that applications cannot connect either: something \
                 other than this Redis listens there, such as a service mesh's proxy. Exclude port {port} of the pod from it"
            ),
        ),
        Fault::PlainText | Fault::Certificate(_) => {
            let message = format!("{place} was not asked, since it did not prove who it is: see TlsReady");
            return Finding::unknown(RedisAvailable, Reason::TlsNotReady, message);
        }
        Fault::NotRedis(said) if said.is_empty() && settings.has_tls() => (
            Reason::NotRedis,
            format!(
                "what answers at {place} closes every connection before a TLS handshake. Either it is not Redis: see whether \
                 spec.redis.image names one, and whether a service mesh's proxy stands before the pod; or it has as many clients \
                 as it may (maxclients), and restarting applications that open many connections frees them"
            ),
        ),
        Fault::NotRedis(said) => (
            Reason::NotRedis,
            format!(
                "what answers at {place} is not Redis{}. See whether spec.redis.image names one, and whether a service mesh's \
                 proxy stands before the pod",
                if said.is_empty() { ": it closes every connection".to_owned() } else { format!(": it says {said:?}") }
            ),
        ),
        Fault::Unexpected(said) => (
            Reason::UnexpectedAnswer,
            format!("{place} cannot be looked at, it answered: {said}. See `kubectl -n {namespace} logs {name}`"),
        ),
    };
    Finding::fails(RedisAvailable, reason, message)
}

/// What is said of a server that a script keeps from everything else.
fn busy(settings: &Settings, pod: &Pod, name: &str, kill: &Kill) -> String {
    let restart = restart(settings, Restart::of(settings, None), name, "no script running");
    let by_itself = if ends_where_busy(pod) {
        ". Where it lasts for a minute, its liveness probe does that"
    } else {
        ". Its liveness probe does not do that: this pod was made by an earlier version of the operator"
    };
    let next = match kill {
        Kill::NotYet => {
            "Where a look some seconds from now finds it so again, the operator ends it, unless it has written \
             something"
                .to_owned()
        }
        Kill::Withheld => format!(
            "It is left alone while the annotation tokencache.dev/reconcile says paused, and while SpecValid is False. \
             Costs nothing: SCRIPT KILL, where it has written nothing. {restart}"
        ),
        Kill::Unkillable => {
            format!("It has written something, so that Redis lets nobody end it (UNKILLABLE). {restart}{by_itself}")
        }
        Kill::Refused(words) => format!("The operator could not end it ({words}). {restart}{by_itself}"),
        Kill::Ineffective => format!("Redis said that it was ended, and it goes on. {restart}{by_itself}"),
    };
    format!(
        "{name} runs a script or a function, and refuses everything else until it ends (BUSY): applications ask the identity \
         provider for every token. {next}. {}",
        who_runs_scripts(settings)
    )
}

/// Where a script may come from.
#[must_use]
pub fn who_runs_scripts(settings: &Settings) -> &'static str {
    match settings.acl {
        Acl::Compatible => {
            "spec.redis.acl: Compatible lets whoever has the applications' password run scripts, which only \
             Microsoft.Extensions.Caching.StackExchangeRedis 8.0.x needs: Standard does not"
        }
        Acl::Standard | Acl::Strict => "The applications' user may run none: somebody with another login does",
    }
}

fn writes_wait(place: &str) -> String {
    format!(
        "{place} answers reads, and keeps every write waiting: most often somebody sent it CLIENT PAUSE, which ends by itself, \
         or with CLIENT UNPAUSE"
    )
}

/// What is said of a server that kubelet, which asks it too and gives it three tries, has not found fault with.
fn silent_to_the_operator(place: &str) -> String {
    format!(
        "{place} accepts the operator's connections and does not answer, although its readiness probe passed last: either \
         it hangs since a moment, and then the pod becomes unready and kubelet restarts it; or something between the \
         operator and the pod takes connections and forwards nothing (a service mesh's proxy), or the operator itself is \
         short of CPU"
    )
}
