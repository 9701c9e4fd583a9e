//! What is said of the servers' certificate: `TlsReady`.
//!
//! In: the settings, what the Secrets say, the latest look at the server. Out: a finding, or none where connections are
//! plain text.

use jiff::{SignedDuration, Timestamp};

use super::{drift, unread};
use crate::{
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
            "the certificate is being made; Redis starts once it is there",
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
            Some((sample, Err(Fault::PlainText))) => Finding::fails(
                TlsReady,
                Reason::PlainText,
                Message::from(format!(
                    "{} answers in plain text on port {}, where TLS was expected: something other than this Redis's \
                     configuration is at work there, and applications, which expect TLS, cannot connect. Nothing secret was \
                     sent",
                    sample.server.pod,
                    settings.port(),
                ))
                .remedy(Restart::of(settings, None).remedy(settings, &sample.server.pod)),
            ),
            Some((sample, Err(Fault::Certificate(untrusted)))) => {
                let replacement = tls.replacement.as_ref().filter(|_| sample.want.correct);
                of_untrusted(settings, &sample.server.pod, untrusted, replacement)
            }
            Some((_, Err(_))) | None => unasked(),
        }),
    }
}

fn unasked() -> Finding {
    Finding::unknown(
        TlsReady,
        Reason::RedisUnavailable,
        "which certificate is served could not be asked: see RedisAvailable",
    )
}

fn of_served(
    settings: &Settings,
    pod: &str,
    (served, cost): (&Served, Restart),
    is_on_its_way: bool,
    now: Timestamp,
) -> Finding {
    let (namespace, host) = (&settings.owner.namespace, settings.host());
    let described = describe(&served.fingerprint, served.not_after);
    let secret = certificate_source(settings).unwrap_or_default();
    // Redis refuses alike what is not there and what it cannot read.
    let reload = match &served.reload {
        Reload::Refused(_) if is_on_its_way => &Reload::Pending,
        reload => reload,
    };
    if now >= served.not_after {
        let next = match reload {
            Reload::Done => format!("renew the one in Secret {secret}"),
            Reload::Refused(words) => format!("it refuses to load the one in Secret {secret} ({words})"),
            Reload::Pending | Reload::Withheld => {
                format!(
                    "the one in Secret {secret} is loaded as soon as it reaches the pod and the cache is not paused"
                )
            }
        };
        return Finding::fails(
            TlsReady,
            Reason::CertificateExpired,
            Message::from(format!(
                "the certificate that {pod} serves has expired ({described}), and applications refuse it: {next}"
            ))
            .remedies(matches!(reload, Reload::Refused(_)).then(|| cost.remedy(settings, pod))),
        );
    }
    match reload {
        Reload::Done => Finding::holds(
            TlsReady,
            Reason::CertificateServed,
            format!("{pod} serves a certificate for {host}, as a handshake showed ({described})"),
        ),
        Reload::Pending => Finding::holds(
            TlsReady,
            Reason::ReloadPending,
            format!(
                "{pod} serves a certificate for {host} ({described}); the one in Secret {secret} is another, and is loaded \
                 as soon as kubelet has brought it to the pod, which takes a minute or two. If this lasts, `kubectl -n \
                 {namespace} describe pod {pod}` tells why"
            ),
        ),
        Reload::Refused(words) => Finding::fails(
            TlsReady,
            Reason::ReloadRefused,
            format!(
                "{pod} refuses to load the certificate in Secret {secret} ({words}), and goes on serving the one it has \
                 ({described}); it is tried again. `kubectl -n {namespace} logs {pod}` tells more: either it cannot be read, or \
                 kubelet has not brought it to the pod, and then `kubectl -n {namespace} describe pod {pod}` tells why"
            ),
        ),
        Reload::Withheld => Finding::fails(
            TlsReady,
            Reason::DriftWhilePaused,
            format!(
                "{pod} serves another certificate ({described}) than the one in Secret {secret}; it is left alone while the \
                 annotation tokencache.dev/reconcile says paused, and while SpecValid is False"
            ),
        ),
    }
}

fn of_untrusted(settings: &Settings, pod: &str, untrusted: &Untrusted, replacement: Option<&Replacement>) -> Finding {
    let host = settings.host();
    let secret = certificate_source(settings).unwrap_or_default();
    let (reason, what) = match &untrusted.why {
        Distrust::UnknownIssuer => (
            Reason::CertificateUntrusted,
            format!("was signed by none of the authorities in ca.crt of Secret {}", name::redis(&settings.owner.name)),
        ),
        Distrust::WrongName => {
            (Reason::CertificateNameMismatch, format!("is not valid for {host}, by which applications connect"))
        }
        Distrust::Expired => (Reason::CertificateExpired, "has expired".to_owned()),
        Distrust::NotYetValid => (
            Reason::CertificateNotYetValid,
            "is not valid yet: either its time is wrong, or the operator's clock".to_owned(),
        ),
        Distrust::Other(words) => (Reason::CertificateUntrusted, format!("cannot be verified: {words}")),
    };
    let shown = untrusted.shown.as_ref();
    let shown = shown.map_or_else(String::new, |Foreign { fingerprint, issuer }| {
        format!(" (SHA-256 {}…, issued by {issuer:?})", fingerprint.short())
    });
    let cost = Restart::of(settings, None);
    let next = match replacement {
        None => format!("a restart makes it serve the one in Secret {secret}"),
        Some(Replacement { at, before, .. }) => {
            let before = before.map_or_else(String::new, |before| {
                format!(
                    ". It was replaced for this at {before} already, so something other than its own configuration is at work \
                     there: see the image, and who can write Secrets and pods in namespace {}",
                    settings.owner.namespace
                )
            });
            format!(
                "Unless it serves the right one before, the pod is replaced at {at}, and {}{before}",
                cost.leads_to()
            )
        }
    };
    Finding::fails(
        TlsReady,
        reason,
        Message::from(format!(
            "the certificate that {pod} serves{shown} {what}. Applications refuse it, and the operator sends its login to nobody \
             who cannot prove who it is. {next}"
        ))
        .remedy(cost.remedy(settings, pod)),
    )
}

/// What tells one certificate from another, and when it expires. Neither moves while the same one is served.
fn describe(fingerprint: &Fingerprint, not_after: Timestamp) -> String {
    format!("notAfter {not_after}, SHA-256 {}…", fingerprint.short())
}
