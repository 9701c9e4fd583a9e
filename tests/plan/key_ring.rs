//! A cache's key ring pass by pass, on values: what is written, and what is said. No key and no Secret is in a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use tokencache_operator::{
    api::v1alpha1::{KeyRingStatus, OperationStage as Stage, TokenCache},
    condition::Finding,
    data_protection::{
        findings::{
            changes::{mends, minted},
            finding,
            status::status,
        },
        key::KeyDates,
        objects::file_secret,
        plan::{RingWrites, plan},
        ring::open::KeyRing,
        secrets::{Inputs, RingSecrets, Surroundings},
        settings::Settings,
        state::RingState,
    },
    kubernetes::{
        identity::Found,
        object::Object,
        read::{
            process::{Process, Processes},
            workload::Workload,
        },
        write::Write,
    },
};

use super::world::{START, World, shop, stored};
use crate::support::told::{assert_short, lines};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const ANNOTATION: &str = "tokencache.dev/rotate-key-requested";

/// The Secrets of a cache's key ring, and what happens to them.
#[derive(Clone)]
pub struct Keys {
    pub cache: TokenCache,
    pub files: BTreeMap<String, Arc<Secret>>,
    pub ring: Found<Arc<Secret>>,
    pub taken: BTreeMap<String, String>,
    pub inputs: Inputs,
    pub before: RingState,
    pub beside: Surroundings,
    pub now: Timestamp,
    dice: u8,
}

impl Keys {
    pub fn of(spec: &str) -> Self {
        let mut cache = shop(spec);
        cache.metadata.creation_timestamp = Some(Time(START));
        let settings = Settings::parse(World::new(cache.clone()).settings().owner, &cache).unwrap();
        let before =
            RingState::read(&settings, &RingSecrets::nothing(Surroundings::default()), &KeyRing::default(), START);
        let (files, taken, inputs) = (BTreeMap::new(), BTreeMap::new(), Inputs::default());
        Self {
            cache,
            files,
            ring: Found::Absent,
            taken,
            inputs,
            before,
            beside: Surroundings::default(),
            now: START,
            dice: 1,
        }
    }

    /// With a key that is published.
    pub fn begun() -> Self {
        let mut ring = Self::of("{}");
        assert_eq!(ring.pass(), ["mint", "Secret shop-keys"]);
        ring
    }

    pub fn settings(&self) -> Settings {
        Settings::parse(World::new(self.cache.clone()).settings().owner, &self.cache).unwrap()
    }

    pub fn observed(&self) -> RingSecrets {
        let files = self.files.values().cloned().collect();
        RingSecrets::new(files, self.ring.clone(), self.taken.clone(), self.beside()).with(self.inputs.clone())
    }

    fn beside(&self) -> Surroundings {
        let operations = [self.before.operation.clone(), self.before.revoke.operation.clone()];
        Surroundings {
            operations: operations.into_iter().flatten().collect(),
            consumers: "Deployment web".to_owned(),
            restart: Some("kubectl -n web rollout restart deployment/web".to_owned()),
            ..self.beside.clone()
        }
    }

    pub fn standing(&self) -> RingState {
        RingState::read(&self.settings(), &self.observed(), &KeyRing::default(), self.now)
    }

    pub fn plan(&self) -> RingWrites {
        plan(&self.settings(), &self.observed(), &self.standing(), vec![])
    }

    pub fn store(&mut self, mut secret: Secret) {
        secret.metadata.creation_timestamp = Some(Time(self.now));
        self.files.insert(secret.name_any(), Arc::new(secret));
    }

    /// Carries plans out, until nothing is left to do. Says what was written, without the names of keys.
    pub fn pass(&mut self) -> Vec<String> {
        // The status says what it said before until the pass is over; and as little as it may, where it ends early.
        let (told, mut written) = (self.standing(), Vec::new());
        for _ in 0..8 {
            let plan = self.plan();
            if plan.is_empty() {
                self.before = told;
                return written;
            }
            for write in plan.writes {
                written.push(self.carry_out(write));
            }
        }
        panic!("it never ends: {written:?}")
    }

    fn carry_out(&mut self, write: Write) -> String {
        match write {
            Write::Disown(owned) => {
                let disowned = |secret: &mut Arc<Secret>| Arc::make_mut(secret).metadata.owner_references = None;
                match (self.files.get_mut(owned.name()), &mut self.inputs.certificates) {
                    (Some(file), _) => disowned(file),
                    (None, Found::Owned(certificates)) => disowned(certificates),
                    (None, _) => panic!("nobody has seen it"),
                }
                "disown".to_owned()
            }
            Write::Mint(draft) => {
                let secret = draft.secret(&[self.dice; 128]).unwrap();
                self.dice += 1;
                self.store(secret);
                "mint".to_owned()
            }
            Write::Create(Object::Secret(secret)) | Write::Apply(Object::Secret(secret)) => {
                self.store_any(Arc::unwrap_or_clone(secret), &[])
            }
            Write::Amend { secret, without } => self.store_any(secret, &without),
            other => panic!("here everything that is made has its owner and its labels, but {other:?}"),
        }
    }

    fn store_any(&mut self, secret: Secret, without: &[String]) -> String {
        let name = secret.name_any();
        let slot = match name.as_str() {
            "shop-keys" => &mut self.ring,
            "shop-keys-certificates" => &mut self.inputs.certificates,
            _ => {
                self.store(secret);
                return "create".to_owned();
            }
        };
        *slot = Found::Owned(stored(secret));
        let without = if without.is_empty() { String::new() } else { format!(" without {without:?}") };
        format!("Secret {name}{without}")
    }

    /// The key that is to be made, as its Secret would be.
    pub fn mint(&self) -> Option<Secret> {
        let drafts = self.plan().writes.into_iter().filter_map(|write| match write {
            Write::Mint(draft) => draft.secret(&[self.dice; 128]),
            _ => None,
        });
        drafts.last()
    }

    /// The key that is to be made is made, and the operator ends.
    pub fn mint_only(&mut self) {
        let secret = self.mint().unwrap();
        self.dice += 1;
        self.store(secret);
    }

    /// The Secrets that are to be created.
    pub fn files(&self) -> Vec<Secret> {
        let created = self.plan().writes.into_iter().filter_map(|write| match write {
            Write::Create(Object::Secret(secret)) => Some(Arc::unwrap_or_clone(secret)),
            _ => None,
        });
        created.filter(|secret| secret.name_any() != "shop-keys").collect()
    }

    /// Passes, one each day, until this day after the beginning.
    pub fn until(&mut self, day: i32) -> Vec<(i64, Vec<String>)> {
        let mut written = Vec::new();
        while self.now < START + DAY * day {
            self.now += DAY;
            let pass = self.pass();
            if !pass.is_empty() {
                written.push((self.now.duration_since(START).as_hours() / 24, pass));
            }
        }
        written
    }

    pub fn annotate(&mut self, key: &str, value: &str) {
        self.cache.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    }

    pub fn ask(&mut self) {
        let now = self.now.to_string();
        self.annotate(ANNOTATION, &now);
    }

    fn stage(&self) -> Option<Stage> {
        self.standing().operation.map(|operation| operation.stage)
    }

    pub fn in_ring(&mut self, change: impl FnOnce(&mut BTreeMap<String, ByteString>)) {
        let mut secret = Secret::clone(self.ring.owned().unwrap());
        change(secret.data.as_mut().unwrap());
        self.ring = Found::Owned(Arc::new(secret));
    }

    /// Garbles the first key, in its own Secret and where it is published.
    pub fn garble_first_key(&mut self) {
        let (_, secret) = self.files.iter_mut().next().unwrap();
        let data = Arc::make_mut(secret).data.as_mut().unwrap();
        for bytes in data.values_mut() {
            bytes.0.truncate(100);
        }
        let garbled = data.clone();
        self.in_ring(|published| published.extend(garbled));
    }

    pub fn published(&self) -> BTreeMap<String, ByteString> {
        self.ring.owned().unwrap().data.clone().unwrap()
    }

    /// What the next pass puts right.
    pub fn mends(&self) -> Vec<String> {
        mends(&self.settings(), &self.observed(), &self.standing())
    }

    /// What is told of keys that this status does not have.
    pub fn minted(&self, before: Option<&KeyRingStatus>) -> Vec<String> {
        minted(&self.settings(), &self.observed(), &self.standing(), before)
    }

    pub fn finding(&self, mended: &[String]) -> Option<Finding> {
        finding(&self.settings(), &self.observed(), &self.standing(), (mended, &[]), self.now)
    }

    /// Why keys may be missing in it.
    pub fn gap(&self) -> Option<String> {
        self.standing().gap(&self.settings(), &self.observed())
    }

    pub fn status(&self) -> KeyRingStatus {
        status(&self.settings(), &self.observed(), &self.standing(), self.now).unwrap()
    }

    /// What is said, with the names of keys in the order of their first use.
    pub fn told(&self, what: &str) -> String {
        self.told_with(what, &[])
    }

    pub fn told_with(&self, what: &str, mended: &[String]) -> String {
        let Some(finding) = self.finding(mended) else { return format!("{what}\n  (nothing is said)\n") };
        let said = [finding.status.as_str(), finding.reason.as_str()].join(" ");
        let mut text =
            format!("{what}\n  {said}\n    {}\n{}", finding.message.told(), lines(&finding.message.remedies));
        assert_short(&finding.message.told(), &finding.message.remedies);
        if let Some(operation) = self.standing().operation {
            let stage = format!("{:?}", operation.stage);
            text += &["  ", &stage, "\n    ", &operation.message, "\n", &lines(&operation.remedies)].concat();
            assert_short(&operation.message, &operation.remedies);
        }
        let members = self.standing().ring.map(|ring| ring.ring.members().to_vec()).unwrap_or_default();
        let mut ids: Vec<_> = members.into_iter().map(|member| (member.activates, member.id)).collect();
        ids.sort_unstable();
        for (index, (_, id)) in ids.into_iter().enumerate() {
            text = text.replace(&id.to_string(), &format!("<key {}>", index + 1));
            text = text.replace(&id.short(), &format!("<key {}>", index + 1));
        }
        text
    }
}

#[test]
fn the_first_key_is_made_and_published_in_one_pass_and_then_there_is_nothing_to_do() {
    let ring = Keys::begun();
    assert!(ring.plan().is_empty());
    let key = ring.files.values().next().unwrap();
    assert_eq!((key.immutable, key.metadata.owner_references.clone()), (Some(true), None));
    assert_eq!(Some(ring.published()), key.data.clone());
    assert_eq!(ring.status().keys.len(), 1);
}

#[test]
fn keys_follow_each_other_and_none_is_ever_removed() {
    let mut ring = Keys::begun();
    let made = ["mint", "Secret shop-keys"].map(str::to_owned).to_vec();
    assert_eq!(ring.until(280), [(87, made.clone()), (177, made.clone()), (267, made)]);
    let published: BTreeSet<String> = ring.published().into_keys().collect();
    let held: BTreeSet<String> =
        ring.files.values().flat_map(|secret| secret.data.clone().unwrap()).map(|(name, _)| name).collect();
    assert_eq!((published.len(), published), (4, held));
}

#[test]
fn between_two_keys_nothing_that_is_said_moves() {
    let mut ring = Keys::begun();
    ring.now += DAY;
    let (told, status) = (ring.finding(&[]), ring.status());
    ring.until(86);
    assert_eq!((ring.finding(&[]), ring.status()), (told, status));
}

#[test]
fn planning_twice_gives_equal_plans() {
    let ring = Keys::of("{}");
    assert_eq!(ring.plan(), ring.plan());
}

#[test]
fn a_key_that_was_made_and_not_published_is_published_in_the_next_pass() {
    let mut ring = Keys::of("{}");
    ring.mint_only();
    assert_eq!(ring.pass(), ["Secret shop-keys"]);
    assert!(ring.plan().is_empty());
}

#[test]
fn a_ring_that_was_edited_or_deleted_is_published_again() {
    let begun = Keys::begun();
    let after = |change: &dyn Fn(&mut Keys)| {
        let mut ring = begun.clone();
        change(&mut ring);
        let written = ring.pass();
        assert_eq!(ring.published(), begun.published());
        assert!(ring.plan().is_empty());
        written
    };
    assert_eq!(after(&|ring| ring.ring = Found::Absent), ["Secret shop-keys"]);
    assert_eq!(after(&|ring| ring.in_ring(BTreeMap::clear)), ["Secret shop-keys"]);
    let garble = |data: &mut BTreeMap<String, ByteString>| data.values_mut().for_each(|value| value.0.truncate(9));
    assert_eq!(after(&|ring| ring.in_ring(garble)), ["Secret shop-keys"]);
    let stray = |data: &mut BTreeMap<String, ByteString>| {
        data.insert("a.xml".to_owned(), ByteString(b"<oops".to_vec()));
    };
    assert_eq!(after(&|ring| ring.in_ring(stray)), ["Secret shop-keys without [\"a.xml\"]"]);
}

#[test]
fn a_key_whose_secret_is_gone_gets_it_again_before_anything_else_is_published() {
    let mut ring = Keys::begun();
    let files = ring.files.clone();
    ring.files.clear();
    ring.in_ring(|data| {
        let (_, key) = data.pop_first().unwrap();
        data.insert("elsewhere.xml".to_owned(), key);
    });
    assert_eq!(ring.pass(), ["create", "Secret shop-keys without [\"elsewhere.xml\"]"]);
    assert_eq!(ring.files.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    assert!(ring.plan().is_empty());
}

/// What a key that cannot be seen encrypted would count as unreadable.
#[test]
fn a_ring_that_may_lack_keys_says_so() {
    let gap = |ring: &Keys| ring.gap().unwrap_or_default();
    assert!(gap(&Keys::of("{}")).contains("there is no key yet"));
    let mut ring = Keys::begun();
    assert_eq!(ring.gap(), None);
    let published = ring.ring.clone();
    for foreign in [Found::Foreign("Deployment web".to_owned()), Found::Absent, Found::Leftover] {
        ring.ring = foreign;
        assert!(gap(&ring).contains("Secret shop-keys"), "applications may read another ring");
    }
    ring.ring = published;
    let mut garbled = Secret::clone(ring.files.values().next().unwrap());
    garbled.metadata.name = Some("shop-key-of-a-backup".to_owned());
    garbled.data = Some(BTreeMap::from([("key.xml".to_owned(), ByteString(b"<oops".to_vec()))]));
    ring.store(garbled);
    assert!(gap(&ring).contains("Secret shop-key-of-a-backup cannot be read"));
}

#[test]
fn what_stands_under_the_name_of_a_key_is_not_written_over() {
    let mut ring = Keys::begun();
    let (name, secret) = ring.files.pop_first().unwrap();
    ring.taken.insert(name.clone(), "somebody else".to_owned());
    assert!(ring.plan().is_empty());
    ring.taken.clear();
    let garbled = secret.data.clone().unwrap().into_keys().map(|name| (name, ByteString(b"<oops".to_vec())));
    ring.files.insert(name, Arc::new(Secret { data: Some(garbled.collect()), ..Secret::clone(&secret) }));
    assert!(ring.plan().is_empty());
}

/// A pod that has run since then.
fn web(started: Timestamp) -> Processes {
    let workload = Workload { kind: "Deployment".to_owned(), name: "web".to_owned() };
    Processes::Known(vec![Process { workload, pod: "web-1".to_owned(), started: Some(started), deleted: None }])
}

#[test]
fn another_key_is_complete_when_no_server_is_left_that_lacks_it() {
    let minute = SignedDuration::from_mins(1);
    let rotated = || {
        let mut ring = Keys::begun();
        ring.now += DAY;
        let old = web(ring.now - minute);
        ring.beside.processes = old;
        ring.ask();
        ring.pass();
        ring.pass();
        ring
    };
    let said = |ring: &mut Keys| {
        let state = ring.standing();
        ring.pass();
        (state.operation.clone().unwrap(), state.wake_at)
    };
    let mut ring = rotated();
    let published = ring.now;
    let (told, wake_at) = said(&mut ring);
    assert_eq!((told.stage, told.published.unwrap().0), (Stage::Published, published));
    let until = published + minute * 2 + DAY;
    assert_eq!(told.ends_at.unwrap().0, until, "by then every server has read the ring by itself");
    assert!(wake_at.is_some_and(|wake_at| wake_at <= ring.now + minute), "nobody tells when a pod is restarted");
    for part in [
        "Deployment web (1 pod: web-1)",
        &until.to_string(),
        "Costs nothing: restart Deployment web after 2026-01-02T00:02:00Z",
    ] {
        assert!(told.message.contains(part), "{}", told.message);
    }
    assert_eq!(told.remedies[0].command.as_deref(), Some("kubectl -n web rollout restart deployment/web"));
    // One that starts before kubelet has brought the Secret reads the ring of before.
    ring.now += minute;
    ring.beside.processes = web(ring.now);
    assert_eq!(said(&mut ring).0.stage, Stage::Published);
    ring.now += minute * 2;
    assert_eq!(said(&mut ring).0.stage, Stage::Published);
    // It goes on without its annotation, and with another operator.
    ring.cache.metadata.annotations = None;
    assert_eq!(said(&mut ring).0.stage, Stage::Published);
    ring.beside.processes = web(ring.now);
    let (told, wake_at) = said(&mut ring);
    assert_eq!((told.stage, told.finished.unwrap().0, wake_at), (Stage::Completed, ring.now, None));
    ring.beside.processes = web(published);
    assert_eq!(said(&mut ring).0.stage, Stage::Completed, "what is over stays so");

    for unseen in [web(START), Processes::Unknown] {
        let mut ring = rotated();
        ring.beside.processes = unseen;
        ring.now = until - minute;
        assert_eq!(said(&mut ring).0.stage, Stage::Published);
        ring.now = until;
        assert_eq!(said(&mut ring).0.stage, Stage::Completed, "each server has read the ring by itself");
    }
}

#[test]
fn another_key_is_made_once_for_each_request_whatever_the_status_says() {
    let mut ring = Keys::begun();
    ring.beside.processes = Processes::Known(Vec::new());
    ring.now += DAY;
    ring.ask();
    assert_eq!(ring.stage(), Some(Stage::Waiting));
    assert_eq!(ring.pass(), ["mint", "Secret shop-keys"]);
    assert_eq!(ring.stage(), Some(Stage::Completed));
    assert!(ring.plan().is_empty());
    // Whoever lost the status reads it from the Secret of the key.
    ring.before.operation = None;
    assert_eq!(ring.stage(), Some(Stage::Completed));
    assert!(ring.plan().is_empty());
    ring.now += SignedDuration::from_mins(1);
    ring.ask();
    assert_eq!(ring.pass(), ["mint", "Secret shop-keys"]);
    assert_eq!(ring.status().keys.len(), 3);
}

#[test]
fn a_request_that_was_seen_in_time_is_followed_when_the_cache_is_paused_no_more() {
    let mut ring = Keys::begun();
    ring.ask();
    ring.annotate("tokencache.dev/reconcile", "paused");
    assert_eq!((ring.pass(), ring.stage()), (vec![], Some(Stage::Waiting)));
    ring.now += DAY;
    ring.annotate("tokencache.dev/reconcile", "no");
    assert_eq!(ring.pass(), ["mint", "Secret shop-keys"]);
}

#[test]
fn with_mode_none_there_is_nothing_to_do_or_to_say() {
    let mut ring = Keys::begun();
    ring.cache.spec.data_protection = serde_json::from_value(serde_json::json!({"mode": "None"})).unwrap();
    assert!(ring.plan().is_empty());
    assert_eq!(ring.finding(&[]), None);
}

#[test]
fn durations_that_the_api_server_let_through_are_refused_with_their_field() {
    let refused = |rotation: &str| {
        let cache = shop(&format!("dataProtection: {{rotation: {rotation}}}"));
        Settings::parse(World::new(cache.clone()).settings().owner, &cache).unwrap_err().to_string()
    };
    assert!(refused("{every: often}").starts_with("spec.dataProtection.rotation.every is \"often\", and must be"));
    assert!(
        refused("{publishAhead: 2w}").starts_with("spec.dataProtection.rotation.publishAhead is \"2w\", and must be")
    );
    assert!(refused("{every: 6d}").ends_with("must be 7d or more"));
}

#[test]
fn what_is_said_of_a_key_ring() {
    let begun = Keys::begun();
    let after = |what: &str, change: &dyn Fn(&mut Keys)| {
        let mut ring = begun.clone();
        change(&mut ring);
        ring.told(what)
    };
    let pause = |ring: &mut Keys| ring.annotate("tokencache.dev/reconcile", "paused");
    let stray = |ring: &mut Keys| {
        let garbage = ByteString(b"<oops".to_vec());
        ring.in_ring(|data| data.extend((1..=4).map(|index| (format!("{index}.xml"), garbage.clone()))));
    };
    let told = [
        Keys::of("{}").told("nothing is there yet"),
        after("nothing is there yet, and the cache is paused", &|ring| {
            *ring = Keys::of("{}");
            pause(ring);
        }),
        begun.told("a key"),
        after("a second key is published, and not in use yet", &|ring| {
            ring.until(88);
        }),
        after("the second key is in use", &|ring| {
            ring.until(91);
        }),
        after("the ring is another's", &|ring| ring.ring = Found::Foreign("Deployment web".to_owned())),
        after("the ring is of an earlier cache", &|ring| ring.ring = Found::Leftover),
        after("a key's Secret lost its labels", &|ring| {
            let name = ring.files.pop_first().unwrap().0;
            ring.taken.insert(name, "nobody, since its labels were removed".to_owned());
        }),
        after("a key's Secret holds something else, and the ring is lost", &|ring| {
            let (name, secret) = ring.files.pop_first().unwrap();
            let garbled = secret.data.clone().unwrap().into_keys().map(|name| (name, ByteString(b"<oops".to_vec())));
            ring.files.insert(name, Arc::new(Secret { data: Some(garbled.collect()), ..Secret::clone(&secret) }));
            ring.ring = Found::Absent;
        }),
        after("strange files, before they are removed", &stray),
        after("strange files, while paused", &|ring| {
            stray(ring);
            pause(ring);
        }),
        {
            let mut ring = begun.clone();
            stray(&mut ring);
            let mended = ring.mends();
            ring.pass();
            ring.told_with("strange files, after they were removed", &mended)
        },
        after("paused until the last key is over", &|ring| {
            pause(ring);
            ring.until(300);
        }),
        after("a key of an earlier cache", &|ring| {
            ring.cache.metadata.creation_timestamp = Some(Time(START + DAY));
        }),
        after("a key of an earlier cache, and one of this", &|ring| {
            ring.cache.metadata.creation_timestamp = Some(Time(START + DAY));
            ring.until(91);
        }),
        after("another key was asked for", &Keys::ask),
        after("another key was made", &|ring| {
            ring.ask();
            ring.pass();
        }),
        after("another key was made, and pods have read the ring before", &|ring| {
            ring.beside.processes = web(START);
            ring.ask();
            ring.pass();
        }),
        after("another key was made, and those pods are gone", &|ring| {
            ring.beside.processes = web(START);
            ring.ask();
            ring.pass();
            ring.pass();
            ring.now += SignedDuration::from_mins(3);
            ring.beside.processes = web(ring.now);
        }),
        after("another key was made, and nobody uses the ring", &|ring| {
            ring.beside.processes = Processes::Known(Vec::new());
            ring.ask();
            ring.pass();
        }),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_ring_that_is_nearly_full_warns_and_a_full_one_makes_no_key() {
    let mut ring = Keys::begun();
    let day = |day: u32| START + DAY * i32::try_from(day).unwrap();
    let with = |ring: &mut Keys, keys: std::ops::Range<u32>| {
        let file = |index: u32| {
            let order = KeyDates { created: START, activates: START, expires: day(index) };
            let random: Vec<u8> = index.to_be_bytes().into_iter().cycle().take(128).collect();
            order.make(None, &random).unwrap().file().unwrap()
        };
        let files: Vec<_> = keys.map(file).collect();
        for file in &files {
            ring.store(file_secret(&ring.settings().owner, file).unwrap());
        }
        ring.in_ring(|live| {
            live.extend(files.into_iter().map(|file| (file.name, ByteString(file.content.to_vec()))));
        });
        ring.now += SignedDuration::from_hours(2);
        ring.finding(&[]).unwrap()
    };
    let size = ring.published().pop_first().unwrap().1.0.len();
    let fits = |share: usize| u32::try_from((1 << 20) * share / 100 / size).unwrap();
    let high = with(&mut ring, 1..fits(81));
    assert_eq!((high.status.as_str(), high.reason.as_str()), ("True", "RingNearlyFull"), "{}", high.message.text);
    assert!(high.message.text.contains("80 % full"), "{}", high.message.text);
    let full = with(&mut ring, fits(81)..fits(100));
    assert_eq!((full.status.as_str(), full.reason.as_str()), ("False", "RingFull"), "{}", full.message.text);
    let step = &full.message.remedies[0].step;
    assert!(step.contains("a second TokenCache"), "{step}");
    ring.now += DAY;
    ring.ask();
    assert!(ring.plan().is_empty());
    assert_eq!(ring.stage(), Some(Stage::Waiting));
}
