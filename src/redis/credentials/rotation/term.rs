//! When the earlier password ends: by the clock, and by the pods that have it still.
//!
//! In: when the new one was published, the overlap, whom the end waits for, the pods that use the binding, the time. Out: a
//! [`Term`]: whether the earlier one may go, and what is said of those that have it.
//!
//! ```text
//! published ──▶ overlap ──────────────────────────▶ ends ──▶ while outdated pods run ──▶ a further overlap: latest
//!   they are named       a day before: they warn
//! ```

use jiff::{SignedDuration, Timestamp};

use super::schedule::{after, mounted_at};
use crate::{
    api::v1alpha1::PasswordWait,
    capability::time::{next_look, whole},
    condition::{ConditionType::PasswordRolledOut, Finding, Reason},
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
    pub fn told(&self) -> String {
        let secret = name::redis(&self.settings.owner.name);
        let until = whole(self.ends_at());
        let valid = if self.is_past() {
            format!(". The overlap is over, and the earlier one stays valid until {until} at the latest")
        } else {
            format!(", and the earlier one is valid until {until}")
        };
        match &self.outdated {
            None if self.is_near() => format!("{valid}. {}", self.unknown()),
            None => format!("{valid}: by then, restart the applications that read Secret {secret}"),
            Some(outdated) if outdated.is_empty() => format!("{valid}. No pod that uses it has run since before"),
            Some(outdated) if self.is_near() => format!("{valid}. {}. {}", self.named(outdated), self.consequence()),
            Some(outdated) => format!("{valid}. {}", self.named(outdated)),
        }
    }

    /// Who has the earlier password; nothing where nobody is known to have it.
    #[must_use]
    pub fn who_has_it(&self) -> Option<String> {
        self.outdated.as_ref().filter(|outdated| !outdated.is_empty()).map(|outdated| self.named(outdated))
    }

    /// Who is refused where it is over.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.who_has_it().map(|who| format!("{who}. They are refused (WRONGPASS) when they connect next"))
    }

    /// Whether the password is with all who use it, while the earlier one is about to end.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        if !self.is_near() {
            return None;
        }
        let secret = name::redis(&self.settings.owner.name);
        Some(match &self.outdated {
            None => Finding::unknown(PasswordRolledOut, Reason::ConsumersUnknown, self.unknown()),
            Some(outdated) if outdated.is_empty() => {
                let message =
                    format!("no pod that uses Secret {secret} has run since before its password was published");
                Finding::holds(PasswordRolledOut, Reason::RolledOut, message)
            }
            Some(outdated) => {
                let reason =
                    if self.is_past() { Reason::PasswordOverlapExtended } else { Reason::EarlierPasswordInUse };
                let message = format!("Secret {secret}: {}. {}", self.named(outdated), self.consequence());
                Finding::fails(PasswordRolledOut, reason, message)
            }
        })
    }

    fn is_near(&self) -> bool {
        self.now >= after(self.ends, -WARNED_AHEAD)
    }

    fn named(&self, outdated: &Outdated) -> String {
        let restart = outdated.restart(&self.settings.owner.namespace);
        let restart = restart.map(|command| format!(". Restart them: {command}")).unwrap_or_default();
        format!(
            "Pods that started before the new password was published, and may use the earlier one: {outdated}{restart}"
        )
    }

    fn consequence(&self) -> String {
        let (ends, latest) = (whole(self.ends), whole(self.latest));
        match self.settings.rotation.wait {
            PasswordWait::Clock => format!(
                "The earlier one ends at {ends} all the same (passwordRotation.wait is Clock), and they are refused when they \
                 connect next"
            ),
            PasswordWait::Consumers if self.is_past() => {
                format!("It ends when none of them runs any more, and at {latest} all the same")
            }
            PasswordWait::Consumers => {
                format!("While one of them runs, the earlier one stays valid, until {latest} at the latest")
            }
        }
    }

    fn unknown(&self) -> String {
        let latest = whole(self.latest);
        let unknown = format!(
            "Which pods still have the earlier password cannot be found out, since the operator cannot list the pods of \
             namespace {} (its log says why)",
            self.settings.owner.namespace
        );
        match self.settings.rotation.wait {
            PasswordWait::Consumers => format!("{unknown}; so the earlier one stays valid until {latest}"),
            PasswordWait::Clock => format!("{unknown}; the earlier one ends at {latest}"),
        }
    }
}
