//! When the earlier password ends: by the clock, and by the pods that have it still.
//!
//! In: when the new one was published, the overlap, whom the end waits for, the pods that use the binding, the time. Out: a
//! [`Term`]: whether the earlier one may go, and what is said of the pods that have it.
//!
//! ```text
//! published ──▶ overlap ──────────────────────────▶ ends ──▶ while outdated pods run ──▶ a further overlap: latest
//!   they are named       a day before: they warn
//! ```

use jiff::{SignedDuration, Timestamp};

use super::schedule::{after, mounted_at};
use crate::{
    api::v1alpha1::{PasswordWait, Remedy},
    capability::time::{next_look, whole},
    condition::{ConditionType::PasswordRolledOut, Finding, Message, Reason},
    kubernetes::{
        name,
        read::process::{Outdated, Processes},
    },
    redis::settings::Settings,
};

/// How long before the end those warn that will be refused.
const WARNED_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// How often the pods are looked at while the end waits for them.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// When the earlier password ends.
pub struct Term<'seen> {
    settings: &'seen Settings,
    published: Timestamp,
    /// When the overlap is over.
    ends: Timestamp,
    /// When it ends, whatever runs.
    latest: Timestamp,
    /// The pods that have the earlier one; `None` where it is not known.
    outdated: Option<Outdated>,
    now: Timestamp,
}

impl<'seen> Term<'seen> {
    /// Of a password that was published at this time.
    #[must_use]
    pub fn of(settings: &'seen Settings, published: Timestamp, processes: &Processes, now: Timestamp) -> Self {
        let overlap = settings.rotation.overlap;
        let ends = after(published, overlap);
        let latest = match settings.rotation.wait {
            PasswordWait::Consumers => after(ends, overlap),
            PasswordWait::Clock => ends,
        };
        let outdated = processes.started_before(mounted_at(published, overlap), now);
        Self { settings, published, ends, latest, outdated, now }
    }

    /// From when on a look at the pods counts: one that is older may lack a pod that has started since and read the earlier
    /// password.
    #[must_use]
    pub fn looks_since(&self) -> Timestamp {
        let mounted = mounted_at(self.published, self.settings.rotation.overlap);
        if self.now < mounted { self.published } else { mounted }
    }

    /// Whether the earlier password may go.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.now >= self.latest || self.is_past() && self.outdated.as_ref().is_some_and(Outdated::is_empty)
    }

    /// Whether the overlap is over.
    #[must_use]
    pub fn is_past(&self) -> bool {
        self.now >= self.ends
    }

    /// When the overlap is over.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// When the earlier password ends, by what is known now.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        if self.is_past() { self.latest } else { self.ends }
    }

    /// When it is to be looked at again.
    #[must_use]
    pub fn wake_at(&self) -> Timestamp {
        if self.is_past() {
            return self.latest.min(after(self.now, LOOK_AGAIN));
        }
        let next = if self.is_near() { self.ends } else { after(self.ends, -WARNED_AHEAD) };
        let again = next_look(self.published, self.now);
        // Once all are restarted, none comes that has the earlier one.
        if self.outdated.as_ref().is_some_and(Outdated::is_empty) { next } else { next.min(again) }
    }

    /// Until when the earlier password is valid, and what is to be done by then.
    #[must_use]
    pub fn told(&self) -> Message {
        let of = "the earlier one";
        let valid = || Message::from(format!("{of} is valid until {}", whole(self.ends_at())));
        match &self.outdated {
            None if self.is_near() => self.unknown(of),
            None => {
                let secret = name::redis(&self.settings.owner.name);
                valid().remedy(Remedy::free(format!("restart the applications that read Secret {secret} by then")))
            }
            Some(outdated) if outdated.is_empty() => valid().and("No pod uses it any more"),
            Some(outdated) => self.named(&self.end(of), outdated),
        }
    }

    /// Who has the earlier password, and what helps them; nothing where nobody is known to have it.
    #[must_use]
    pub fn who_has_it(&self) -> Option<Message> {
        self.if_any("Pods that may have the earlier password")
    }

    /// Who is refused where it is over.
    #[must_use]
    pub fn refused(&self) -> Option<Message> {
        self.if_any("Refused (WRONGPASS) when they connect next")
    }

    /// Whether the password is with all who use it, while the earlier one is about to end.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        if !self.is_near() {
            return None;
        }
        let of = format!("the earlier password of Secret {}", name::redis(&self.settings.owner.name));
        Some(match &self.outdated {
            None => Finding::unknown(PasswordRolledOut, Reason::ConsumersUnknown, self.unknown(&of)),
            Some(outdated) if outdated.is_empty() => {
                Finding::holds(PasswordRolledOut, Reason::RolledOut, format!("no pod uses {of} any more"))
            }
            Some(outdated) => {
                let reason =
                    if self.is_past() { Reason::PasswordOverlapExtended } else { Reason::EarlierPasswordInUse };
                Finding::fails(PasswordRolledOut, reason, self.named(&self.end(&of), outdated))
            }
        })
    }

    fn is_near(&self) -> bool {
        self.now >= after(self.ends, -WARNED_AHEAD)
    }

    /// A sentence, the pods that may have the earlier password, and how they get the new one.
    fn named(&self, sentence: &str, outdated: &Outdated) -> Message {
        let restart = outdated.restart(&self.settings.owner.namespace);
        let restart = restart.map(|command| Remedy::free("restart them").command(command));
        Message::from(format!("{sentence}: {outdated}")).remedies(restart)
    }

    fn if_any(&self, sentence: &str) -> Option<Message> {
        let outdated = self.outdated.as_ref().filter(|outdated| !outdated.is_empty())?;
        Some(self.named(sentence, outdated))
    }

    /// When it ends, and which pods that depends on, or concerns, before they are named.
    fn end(&self, of: &str) -> String {
        let (ends, latest) = (whole(self.ends), whole(self.latest));
        match self.settings.rotation.wait {
            PasswordWait::Clock => {
                format!("{of} ends at {ends} (passwordRotation.wait: Clock), and these pods are refused then")
            }
            PasswordWait::Consumers if self.is_past() => {
                format!("{of} ends when these pods have ended, at {latest} at the latest")
            }
            PasswordWait::Consumers => {
                format!("{of} ends at {ends}, or by {latest} if these pods still run")
            }
        }
    }

    fn unknown(&self, of: &str) -> Message {
        let namespace = &self.settings.owner.namespace;
        Message::from(format!(
            "{of} ends at {}, as the operator cannot list the pods of namespace {namespace} and does not know who uses it",
            whole(self.latest)
        ))
        .remedy(Remedy::look("see the operator's log"))
    }
}
