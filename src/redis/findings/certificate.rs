//! What is said of the servers' certificate: `TlsReady`.
//!
//! In: the settings, what the Secrets say, the latest look at the server. Out: a finding, or none where connections are
//! plain text.

use jiff::{SignedDuration, Timestamp};

use super::{drift, unanswered, unread};
use crate::{
    api::v1alpha1::Remedy,
    condition::{ConditionStatus, ConditionType::TlsReady, Finding, Message, Reason},
    kubernetes::name,
    redis::{
        credentials::tls::{CertificateState, Tls, replacement::Replacement},
        look::{
            Sample,
            answer::{Reload, Section, Served},
            fault::{Fault, Foreign, Untrusted},
        },
        restart::Restart,
        settings::{Settings, certificate_source},
        tls::certificate::{Distrust, Fingerprint},
    },
};

/// How long kubelet may take to bring what was written to a Secret to a pod. A certificate that is not loaded by then is told.
const TO_THE_POD: SignedDuration = SignedDuration::from_mins(5);

/// What is said of the certificate. `sample` is the latest look at the server, if it still says something.
#[must_use]
pub fn finding(settings: &Settings, tls: &Tls, sample: Option<&Sample>, now: Timestamp) -> Option<Finding> {
    match &tls.state {
        CertificateState::Disabled => None,
        CertificateState::Unusable { reason, message, .. } => Some(Finding::fails(TlsReady, *reason, message.clone())),
        CertificateState::Making(_) => Some(Finding::fails(
            TlsReady,
            Reason::Provisioning,
            "the certificate is being made, and Redis starts once it is there",
        )),
        CertificateState::Known(_) => Some(match sample.map(|sample| (sample, &sample.outcome)) {
            Some((sample, Ok(answer))) => match &answer.certificate {
                Some(served) => {
                    let pod = &sample.server.pod;
                    let corrected = drift::told(settings, pod, answer, TlsReady);
                    let is_on_its_way = tls.identity().and_then(|identity| identity.written);
                    let is_on_its_way = is_on_its_way.is_some_and(|written| now < written + TO_THE_POD);
                    let served = corrected.unwrap_or_else(|| {
                        of_served(settings, pod, (served, Restart::of(settings, Some(answer))), is_on_its_way, now)
                    });
                    let unknown = unread::finding(settings, pod, answer, TlsReady, &[Section::PlainPort]);
                    unknown.filter(|_| served.status == ConditionStatus::True).unwrap_or(served)
                }
                None => unasked(),
            },
            Some((sample, Err(Fault::PlainText))) => {
                let (pod, port) = (&sample.server.pod, settings.port());
                let message = Message::from(format!(
                    "{pod} answers in plain text on port {port}, where TLS is expected: applications cannot connect"
                ));
                let message = message.remedy(Restart::of(settings, None).remedy(settings, pod));
                Finding::fails(TlsReady, Reason::PlainText, message)
            }
            Some((sample, Err(Fault::Certificate(untrusted)))) => {
                let replacement = tls.replacement.as_ref().filter(|_| sample.want.correct);
                of_untrusted(settings, &sample.server.pod, untrusted, replacement)
            }
            Some((_, Err(_))) | None => unasked(),
        }),
    }
}

fn unasked() -> Finding {
    Finding::unknown(TlsReady, Reason::RedisUnavailable, "Redis could not be asked: see RedisAvailable")
}

fn of_served(
    settings: &Settings,
    pod: &str,
    (served, cost): (&Served, Restart),
    is_on_its_way: bool,
    now: Timestamp,
) -> Finding {
    let host = settings.host();
    let described = describe(&served.fingerprint, served.not_after);
    let secret = certificate_source(settings).unwrap_or_default();
    // Redis refuses alike what is not there and what it cannot read.
    let reload = match &served.reload {
        Reload::Refused(_) if is_on_its_way => &Reload::Pending,
        reload => reload,
    };
    if now >= served.not_after {
        let expired =
            Message::from(format!("applications refuse the certificate of {pod}: it has expired ({described})"));
        let message = match reload {
            Reload::Done => expired.remedy(Remedy::look(format!("renew the one in Secret {secret}"))),
            Reload::Refused(words) => expired
                .and(&format!("Redis does not load the one in Secret {secret}: {words}"))
                .remedy(cost.remedy(settings, pod)),
            Reload::Pending | Reload::Withheld => expired.and(&format!(
                "The one in Secret {secret} is loaded once it reaches the pod and the cache is not paused"
            )),
        };
        return Finding::fails(TlsReady, Reason::CertificateExpired, message);
    }
    let why = |step: &str| {
        let namespace = &settings.owner.namespace;
        Remedy::look(step).command(format!("kubectl -n {namespace} describe pod {pod}"))
    };
    match reload {
        Reload::Done => Finding::holds(
            TlsReady,
            Reason::CertificateServed,
            format!("{pod} serves a certificate for {host}, as a handshake showed ({described})"),
        ),
        Reload::Pending => Finding::holds(
            TlsReady,
            Reason::ReloadPending,
            Message::from(format!(
                "{pod} serves a certificate for {host} ({described}). The next one, in Secret {secret}, reaches the pod within \
                 about two minutes"
            ))
            .remedy(why("if this lasts, see the events")),
        ),
        Reload::Refused(words) => Finding::fails(
            TlsReady,
            Reason::ReloadRefused,
            Message::from(format!(
                "{pod} does not load the certificate in Secret {secret}, and serves the earlier one ({described}): {words}"
            ))
            .remedy(unanswered::log(settings, pod))
            .remedy(why("see whether kubelet has brought the Secret to the pod")),
        ),
        Reload::Withheld => Finding::fails(
            TlsReady,
            Reason::DriftWhilePaused,
            Message::from(format!(
                "{pod} serves another certificate ({described}) than the one in Secret {secret}"
            ))
            .and("It is left alone while the cache is paused or SpecValid is False"),
        ),
    }
}

fn of_untrusted(settings: &Settings, pod: &str, untrusted: &Untrusted, replacement: Option<&Replacement>) -> Finding {
    let (reason, what) = match &untrusted.why {
        Distrust::UnknownIssuer => (
            Reason::CertificateUntrusted,
            format!("no CA in ca.crt of Secret {} signed it", name::redis(&settings.owner.name)),
        ),
        Distrust::WrongName => (Reason::CertificateNameMismatch, format!("it is not valid for {}", settings.host())),
        Distrust::Expired => (Reason::CertificateExpired, "it has expired".to_owned()),
        Distrust::NotYetValid => {
            (Reason::CertificateNotYetValid, "it is not valid yet, or the operator's clock is wrong".to_owned())
        }
        Distrust::Other(words) => (Reason::CertificateUntrusted, words.clone()),
    };
    let message = Message::from(format!("applications refuse the certificate of {pod}: {what}"));
    let message = match replacement {
        None => message,
        Some(Replacement { at, before: None, .. }) => message.and(&format!("The pod is replaced at {at}")),
        Some(Replacement { at, .. }) => message.and(&format!("The pod was replaced for it, and is again at {at}")),
    };
    let is_repeated = replacement.is_some_and(|replacement| replacement.before.is_some());
    let intruder = "find out who can write Secrets and pods in its namespace";
    let message = message
        .remedies(is_repeated.then(|| Remedy::look(intruder)))
        .remedy(Restart::of(settings, None).remedy(settings, pod));
    // An issuer's name may be long: it comes last, where it is cut.
    let message = match &untrusted.shown {
        Some(Foreign { fingerprint, issuer }) => {
            message.and(&format!("Served: SHA-256 {}…, issued by {issuer:?}", fingerprint.short()))
        }
        None => message,
    };
    Finding::fails(TlsReady, reason, message)
}

/// What tells one certificate from another, and when it expires. Neither moves while the same one is served.
fn describe(fingerprint: &Fingerprint, not_after: Timestamp) -> String {
    format!("notAfter {not_after}, SHA-256 {}…", fingerprint.short())
}
