//! A cache as one pass sees it, and what is reported of it then.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};
use tokencache_operator::{
    api::v1alpha1::{ConditionRemedies, Remedy, TokenCacheStatus},
    capability::operation,
    controller::report::{Basis, compose},
    entries::{
        self,
        look::{
            Look,
            census::Keyspace,
            payloads::{Counts, Payloads},
        },
    },
    kubernetes::identity::Found,
    redis::{
        access::password::login_mark,
        desired::want,
        findings::Moment,
        look::{
            Sample,
            answer::{Answer, MemorySettings, Product, Reload, Role, Saving, Served, ShutOut, UnknownWords},
            drift::Drift,
            fault::Fault,
            load::Usage,
        },
        part::{Assessment, assessment},
        server::pods::server_in,
        tls::certificate::Fingerprint,
    },
};

use super::pods::{REVISION, marked, on_node, running};
use super::world::{World, shop};
use crate::support::{
    plain::assert_plain,
    told::{assert_short, lines},
};

const NOW: &str = "2026-01-01T12:00:00Z";

/// A settled cache that is seen so.
pub struct Seen(World);

impl Seen {
    /// A cache with this spec, of which nothing is there yet.
    pub fn of(spec: &str) -> Self {
        Self(World::new(shop(spec)))
    }

    pub fn nothing() -> Self {
        Self(World::settled(shop("{}")))
    }

    /// A pod, and no sample of its server.
    pub fn pod(status: &Value) -> Self {
        Self::pod_of("{}", status)
    }

    /// The pod of a cache with this spec, and no sample of its server.
    pub fn pod_of(spec: &str, status: &Value) -> Self {
        let mut seen = Self(World::settled(shop(spec)));
        seen.rolled_out();
        let operator = seen.0.credentials().operator_password().unwrap().sha256();
        seen.0.observed.pods = vec![marked(status, &login_mark(&operator))];
        seen
    }

    /// The `StatefulSet` controller has seen the template, and made the pod from it.
    fn rolled_out(&mut self) {
        let mut set = StatefulSet::clone(self.0.observed.stateful_set.owned().unwrap());
        let status = json!({"replicas": 1, "observedGeneration": 1, "updateRevision": REVISION});
        set.status = Some(serde_json::from_value(status).unwrap());
        self.0.observed.stateful_set = Found::Owned(set.into());
    }

    pub fn outcome(mut self, outcome: Result<Answer, Fault>) -> Self {
        let server = server_in(&self.0.settings(), &self.0.observed.pods[0]).unwrap();
        let want = want(&self.0.settings(), &self.0.observed, &self.0.credentials());
        let look = Look {
            server: server.clone(),
            names: self.0.ring_settings().application_names(),
            entries: Keyspace::default(),
            payloads: Payloads::default(),
            counts: Counts::default(),
        };
        self.0.looks = outcome.is_ok().then_some(look).into_iter().collect();
        self.0.observed.samples = vec![Sample { server, taken: NOW.parse().unwrap(), want, outcome }];
        self
    }

    /// What stands in the server.
    pub fn holds(self, entries: Keyspace) -> Self {
        self.with(|world| world.looks[0].entries = entries)
    }

    /// A pod that is ready, and this answer of its server.
    pub fn answer(drift: Vec<Drift>) -> Self {
        Self::pod(&running(true)).outcome(Ok(Answer { drift, ..well() }))
    }

    pub fn fault(fault: Fault) -> Self {
        Self::pod(&running(true)).outcome(Err(fault))
    }

    pub fn with(mut self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.0);
        self
    }

    pub fn paused(self) -> Self {
        self.with(|world| {
            let annotations = world.cache.metadata.annotations.get_or_insert_default();
            annotations.insert("tokencache.dev/reconcile".to_owned(), "paused".to_owned());
        })
    }

    /// How the server is used, and what stands in it.
    pub fn usage(self) -> (Usage, Keyspace) {
        (self.0.observed.samples[0].outcome.as_ref().unwrap().usage.clone(), self.0.looks[0].entries.clone())
    }

    /// What is reported, also of what takes more looks to tell.
    pub fn asked(self, what: &str) -> String {
        self.report(what, true)
    }

    /// What is reported. `Ready` is left out where it repeats another condition, as is `Stalled` where it is False, and
    /// `Durable` where it is as the spec asks.
    pub fn told(self, what: &str) -> String {
        self.report(what, false)
    }

    fn report(self, what: &str, with_sampling: bool) -> String {
        let Some(status) = self.status() else { return format!("{what}\n  (nothing new is said)\n") };
        let conditions = status.conditions;
        let mut text = format!("{what}\n");
        for condition in &conditions {
            let remedies = remedies(&status.remedies, &condition.type_);
            if !["Ready", "Stalled"].contains(&condition.type_.as_str()) {
                assert_short(&condition.message, remedies);
            }
            let repeated =
                conditions.iter().any(|other| other.type_ != condition.type_ && other.message == condition.message);
            let shown = match condition.type_.as_str() {
                "SpecValid" => false,
                "Ready" => !repeated,
                "Stalled" => condition.status == "True",
                "TlsReady" if condition.reason == "CertificateServed" => false,
                "UsersVerified" | "AccessAllowed" if condition.status == "Unknown" => false,
                "UsersVerified" => condition.reason != "Verified",
                "AccessAllowed" | "ServerSupported" | "NetworkRestricted" => condition.status == "False",
                "Durable" => !repeated && !matches!(condition.reason.as_str(), "InMemory" | "Persisted"),
                _ => condition.reason != "RedisUnavailable" && (with_sampling || condition.reason != "Sampling"),
            };
            if shown && condition.type_ == "Stalled" {
                text += "  Stalled=True\n";
            } else if shown {
                text += &(sentence(condition) + &lines(remedies));
            }
        }
        text
    }

    /// All that is said.
    pub fn conditions(self) -> Vec<Condition> {
        self.status().unwrap().conditions
    }

    /// What is said of one condition.
    pub fn said_of(self, of: &str, what: &str) -> String {
        let status = self.status().unwrap();
        let condition = status.conditions.iter().find(|condition| condition.type_ == of).unwrap();
        let remedies = remedies(&status.remedies, of);
        assert_short(&condition.message, remedies);
        format!("{what}\n{}{}", sentence(condition), lines(remedies))
    }

    /// What is said of `Durable`, and how many warnings there are.
    pub fn durable(self, what: &str) -> String {
        let status = self.status().unwrap();
        let condition = status.conditions.iter().find(|condition| condition.type_ == "Durable").unwrap();
        let remedies = remedies(&status.remedies, "Durable");
        assert_short(&condition.message, remedies);
        format!("{what}\n  warnings={}\n{}{}", status.warnings, sentence(condition), lines(remedies))
    }

    /// How many warnings the status counts.
    pub fn warnings(self) -> i32 {
        self.status().unwrap().warnings
    }

    pub fn status(mut self) -> Option<TokenCacheStatus> {
        // The look came after whatever changed the Secrets.
        let want = want(&self.0.settings(), &self.0.observed, &self.0.credentials());
        for sample in &mut self.0.observed.samples {
            sample.want.users.clone_from(&want.users);
        }
        let Self(world) = self;
        let (settings, now): (_, Timestamp) = (world.settings(), NOW.parse().unwrap());
        let carried_out = !operation::is_paused(&world.cache);
        let moment = Moment { now, period: SignedDuration::from_secs(30), carried_out };
        let of_entries = entries::settings::Settings::parse(&world.cache);
        let Assessment { mut part, answered, .. } =
            assessment(&settings, &world.observed, &world.credentials(), moment);
        if let Some(answered) = answered {
            let looks = (&world.observed, world.looks.as_slice());
            part.findings.extend(entries::findings::findings(&of_entries, &settings, looks, &answered));
        }
        let previous = TokenCacheStatus::default();
        let about = Basis { cache: &world.cache, previous: &previous, now };
        let report = compose(about, &part, None, vec![], &[]);
        report.map(|report| {
            let messages = report.status.conditions.iter().map(|condition| &condition.message);
            for message in messages.chain(report.events.iter().map(|event| &event.note)) {
                assert_plain(message);
                assert!(!message.ends_with('…'), "it is too long, and was cut: {message}");
            }
            report.status
        })
    }
}

fn remedies<'status>(all: &'status [ConditionRemedies], of: &str) -> &'status [Remedy] {
    all.iter().find(|remedies| remedies.condition == of).map_or(&[], |found| &found.remedies)
}

fn sentence(condition: &Condition) -> String {
    let words = [&condition.type_, "=", &condition.status, " ", &condition.reason].concat();
    ["  ", &words, "\n    ", &condition.message, "\n"].concat()
}

/// With the container of pods that are made now.
pub fn made_now(world: &mut World) {
    let set = world.observed.stateful_set.owned().unwrap();
    let spec = set.spec.as_ref().unwrap().template.spec.clone();
    let mut pod = Pod::clone(&world.observed.pods[0]);
    pod.spec.as_mut().unwrap().containers = spec.unwrap().containers;
    world.observed.pods = vec![pod.into()];
}

pub fn started_at(time: &str) -> Value {
    on_node(false, &json!({"running": {"startedAt": time}}), &json!({}))
}

/// A certificate that is served for two months more.
pub fn served(reload: Reload) -> Served {
    let not_after = "2026-03-01T00:00:00Z".parse().unwrap();
    Served { fingerprint: Fingerprint::of(b"a certificate"), not_after, reload, is_named: true }
}

pub fn well() -> Answer {
    Answer {
        product: Product::Redis,
        version: "8.2.9".to_owned(),
        is_preview: false,
        role: Some(Role::Primary),
        impediment: None,
        memory: Some(MemorySettings { max_memory: 256 << 20, eviction_policy: "volatile-lru".to_owned() }),
        is_crowded: false,
        saving: Saving::default(),
        drift: Vec::new(),
        certificate: Some(served(Reload::Done)),
        unknown_words: UnknownWords::new(),
        refusals: Vec::new(),
        shut_out: ShutOut::Nobody,
        detour: None,
        callers: None,
        usage: Usage::default(),
        unread: BTreeMap::new(),
    }
}
