//! A brake on fights: somebody (another controller, a policy, a person in a loop) changes an object back as soon as the operator
//! has put it right, which would go on without end.
//!
//! In: what is to be written, what was written, and the time. Out: whether it may be written now, or when; and who fights over
//! what. A write counts where the same was written before: a wish that is new is none of a fight. It writes nothing, reads no
//! clock, and shows no content.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use jiff::{SignedDuration, Timestamp};

use crate::kubernetes::{
    identity::APPLIED_ANNOTATION,
    object::{Kind, Object},
    write::Write,
};

/// So many times within [`WINDOW`] an object is put right at once.
const FREE: usize = 5;
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// How long the next time has to wait; then twice as long, and so on, up to [`LONGEST`].
const FIRST: SignedDuration = SignedDuration::from_secs(5);
const LONGEST: SignedDuration = SignedDuration::from_mins(5);
/// An object that has been left alone for so long is put right at once again.
const QUIET: SignedDuration = SignedDuration::from_mins(15);
/// How many wishes of an object are remembered: those of a fight do not alternate between more.
const WISHES: usize = 4;

/// What is fought over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An object of a kind, by its name.
    Object(Kind, String),
    /// The status of the `TokenCache`.
    Status,
}

/// A write has to wait until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldUntil(pub Timestamp);

/// What was done to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was deleted.
    Deleted,
    /// It was made, though nothing needs it.
    Made,
    /// These fields were changed.
    Fields(BTreeSet<String>),
}

impl Change {
    /// Whether nothing but labels and the like was changed.
    #[must_use]
    pub fn is_of_metadata(&self) -> bool {
        match self {
            Self::Deleted | Self::Made => false,
            Self::Fields(fields) => fields.iter().all(|field| field.starts_with("metadata")),
        }
    }
}

/// A fight that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// Over which object.
    pub target: Subject,
    /// What others do to it.
    pub change: Change,
    /// Who, by the field manager that wrote it last; `None` where that is not recorded.
    pub manager: Option<String>,
}

/// The brake of one cache's objects.
#[derive(Debug, Clone, Default)]
pub struct Brake {
    /// Of which object, by its UID, and of which generation of it.
    generation: Option<(String, i64)>,
    /// Each once. They are few, and are there for every cache.
    objects: Vec<(Subject, Writes)>,
}

/// What was written of an object.
#[derive(Debug, Clone)]
struct Writes {
    /// What was wanted, oldest first.
    wishes: Vec<u64>,
    last: Timestamp,
    /// That it was put right, if it ever was.
    fight: Option<Box<Fight>>,
}

/// What was put right of an object.
#[derive(Debug, Clone, Default)]
struct Fight {
    /// When, within the last [`WINDOW`].
    recent: Vec<Timestamp>,
    /// How often since the brake is on.
    braked: Option<u32>,
    blame: Option<(Change, Option<String>)>,
    is_told: bool,
}

impl Subject {
    /// What a write is about.
    #[must_use]
    pub fn of(write: &Write) -> Self {
        Self::Object(write.kind(), write.name())
    }
}

impl Brake {
    /// Begins a round of a pass: what a user has edited is never held back, and what has been left alone is forgotten.
    pub fn begin(&mut self, uid: &str, generation: i64, now: Timestamp) -> &mut Self {
        let of = Some((uid.to_owned(), generation));
        if self.generation != of {
            self.generation = of;
            self.objects.clear();
        }
        self.objects.retain(|(_, writes)| writes.is_remembered(now));
        self
    }

    /// What of it may hold anything.
    #[must_use]
    pub fn pulled(&self) -> Self {
        let pulled = self.objects.iter().filter(|(_, writes)| writes.braked().is_some());
        Self { generation: None, objects: pulled.cloned().collect() }
    }

    /// Whether nothing is remembered.
    pub fn is_at_rest(&mut self, now: Timestamp) -> bool {
        self.objects.retain(|(_, writes)| writes.is_remembered(now));
        self.objects.is_empty()
    }

    /// Whether something may be written now.
    ///
    /// # Errors
    /// When it may.
    pub fn allow(&self, write: &Write, now: Timestamp) -> Result<(), HeldUntil> {
        // It changes nothing, and comes before what is fought over.
        if matches!(write, Write::TakeOver(..)) {
            return Ok(());
        }
        let writes = self.of(&Subject::of(write)).filter(|writes| writes.wishes.contains(&wish(write)));
        writes.map_or(Ok(()), |writes| writes.allow(now))
    }

    /// Whether a status may be written now, which others have changed since it was written last.
    ///
    /// # Errors
    /// When it may.
    pub fn allow_status(&self, now: Timestamp) -> Result<(), HeldUntil> {
        self.of(&Subject::Status).map_or(Ok(()), |writes| writes.allow(now))
    }

    fn of(&self, target: &Subject) -> Option<&Writes> {
        self.objects.iter().find(|(of, _)| of == target).map(|(_, writes)| writes)
    }

    fn begun_at(&mut self, target: Subject, now: Timestamp) -> &mut Writes {
        let known = self.objects.iter().position(|(of, _)| *of == target);
        let index = known.unwrap_or_else(|| {
            self.objects.push((target, Writes { wishes: Vec::new(), last: now, fight: None }));
            self.objects.len() - 1
        });
        &mut self.objects[index].1
    }

    /// Takes note of something that was written.
    pub fn wrote(&mut self, write: &Write, now: Timestamp) {
        if matches!(write, Write::TakeOver(..)) {
            return;
        }
        let wish = wish(write);
        let writes = self.begun_at(Subject::of(write), now);
        let is_again = writes.wishes.contains(&wish);
        writes.wishes.retain(|earlier| *earlier != wish);
        if writes.wishes.len() == WISHES {
            writes.wishes.remove(0);
        }
        writes.wishes.reserve_exact(1);
        writes.wishes.push(wish);
        writes.last = now;
        if is_again {
            writes.put_right(now);
        }
    }

    /// Takes note that a status was written which others had changed.
    pub fn wrote_status(&mut self, now: Timestamp) {
        let writes = self.begun_at(Subject::Status, now);
        writes.last = now;
        writes.put_right(now);
    }

    /// Takes note of what others have done to something whose write is held.
    pub fn blame(&mut self, target: &Subject, change: Change, manager: Option<String>) {
        let Some((_, writes)) = self.objects.iter_mut().find(|(of, _)| of == target) else { return };
        let fight = writes.fight.get_or_insert_default();
        let (known, known_manager) = fight.blame.take().unwrap_or((Change::Fields(BTreeSet::new()), None));
        let change = match (known, change) {
            (Change::Fields(known), Change::Fields(fields)) => {
                Change::Fields(known.into_iter().chain(fields).collect())
            }
            (_, change) => change,
        };
        fight.blame = Some((change, manager.or(known_manager)));
    }

    /// The fights that are on.
    #[must_use]
    pub fn contests(&self, now: Timestamp) -> Vec<Contest> {
        let contest = |(target, writes): &(Subject, Writes)| {
            let (change, manager) = writes.fight.as_ref()?.blame.clone().filter(|_| writes.is_contested(now))?;
            Some(Contest { target: target.clone(), change, manager })
        };
        let mut contests: Vec<Contest> = self.objects.iter().filter_map(contest).collect();
        contests.sort_by(|one, other| one.target.cmp(&other.target));
        contests
    }

    /// The fights that have begun; each is returned once.
    pub fn begun(&mut self, now: Timestamp) -> Vec<Contest> {
        let mut contests = self.contests(now);
        contests.retain(|contest| {
            let mut fights = self.objects.iter_mut().filter(|(of, _)| *of == contest.target);
            let fight = fights.find_map(|(_, writes)| writes.fight.as_mut());
            fight.is_some_and(|fight| !std::mem::replace(&mut fight.is_told, true))
        });
        contests
    }

    /// When something changes by itself: a write need not wait any more, or a fight is over.
    #[must_use]
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let is_blamed = |writes: &&Writes| writes.fight.as_ref().is_some_and(|fight| fight.blame.is_some());
        let times = self.objects.iter().map(|(_, writes)| writes).filter(is_blamed);
        times.flat_map(|writes| [writes.after(1), writes.after(2)]).flatten().filter(|time| *time > now).min()
    }
}

impl Writes {
    fn braked(&self) -> Option<u32> {
        self.fight.as_ref()?.braked
    }

    /// By a clock that was set back nothing is held.
    fn allow(&self, now: Timestamp) -> Result<(), HeldUntil> {
        let until = self.after(1).filter(|until| self.last <= now && now < *until);
        until.map_or(Ok(()), |until| Err(HeldUntil(until)))
    }

    fn put_right(&mut self, now: Timestamp) {
        let fight = self.fight.get_or_insert_default();
        if let Some(times) = &mut fight.braked {
            *times = times.saturating_add(1);
            return;
        }
        fight.recent.retain(|time| now.duration_since(*time).abs() < WINDOW);
        fight.recent.push(now);
        if fight.recent.len() >= FREE {
            fight.recent.clear();
            fight.braked = Some(0);
        }
    }

    /// How long the next write of the same has to wait.
    fn pause(&self) -> SignedDuration {
        let Some(times) = self.braked() else { return SignedDuration::ZERO };
        let doubled = 1_i32.checked_shl(times).filter(|factor| *factor > 0);
        doubled.and_then(|factor| FIRST.checked_mul(factor)).map_or(LONGEST, |pause| pause.min(LONGEST))
    }

    /// So many pauses after the last write.
    fn after(&self, pauses: i32) -> Option<Timestamp> {
        self.last.checked_add(self.pause().checked_mul(pauses)?).ok()
    }

    /// Whether others may still change it back: it has not stood for twice as long as they were kept waiting.
    fn is_contested(&self, now: Timestamp) -> bool {
        self.braked().is_some() && self.after(2).is_some_and(|end| now < end)
    }

    fn is_remembered(&self, now: Timestamp) -> bool {
        let kept = if self.braked().is_some() { QUIET } else { WINDOW };
        now.duration_since(self.last).abs() < kept
    }
}

/// Tells what is wanted of an object from what was wanted before, and nothing else of it.
fn wish(write: &Write) -> u64 {
    let mut hasher = DefaultHasher::new();
    match write {
        Write::Create(object) | Write::Apply(object) => content(object, &mut hasher),
        Write::Amend { secret, .. } => content(&Object::from(secret.clone()), &mut hasher),
        // Whatever bytes are drawn, the wish is that there are some.
        Write::Mint(_) => "mint".hash(&mut hasher),
        Write::TakeOver(..) => "take over".hash(&mut hasher),
        Write::Label(..) => "label".hash(&mut hasher),
        Write::Disown(_) => "disown".hash(&mut hasher),
        Write::Adopt(..) => "adopt".hash(&mut hasher),
        Write::Delete(_) => "delete".hash(&mut hasher),
    }
    hasher.finish()
}

fn content(object: &Object, hasher: &mut DefaultHasher) {
    let metadata = object.metadata();
    if let Object::Secret(secret) = object {
        for (key, value) in secret.data.iter().flatten() {
            (key, &value.0).hash(hasher);
        }
        (&metadata.labels, &metadata.annotations, secret.immutable).hash(hasher);
    } else {
        // It says itself what was asked for.
        metadata.annotations.as_ref().and_then(|annotations| annotations.get(APPLIED_ANNOTATION)).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::{
        ByteString,
        api::core::v1::{ConfigMap, Secret},
        apimachinery::pkg::apis::meta::v1::ObjectMeta,
    };

    use super::*;
    use crate::kubernetes::write::Draft;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    /// What is wanted of a `ConfigMap`.
    fn config_map(wish: &str) -> Write {
        let annotations = Some([(APPLIED_ANNOTATION.to_owned(), wish.to_owned())].into());
        let metadata = ObjectMeta { name: Some("shop-settings".to_owned()), annotations, ..ObjectMeta::default() };
        Write::Apply(ConfigMap { metadata, ..ConfigMap::default() }.into())
    }

    fn secret(password: &str, version: &str) -> Secret {
        let name = Some("shop-redis".to_owned());
        Secret {
            metadata: ObjectMeta { name, resource_version: Some(version.to_owned()), ..ObjectMeta::default() },
            data: Some([("password".to_owned(), ByteString(password.into()))].into()),
            ..Secret::default()
        }
    }

    /// Puts an object right again and again, at once whenever that is allowed, until `end`. Returns when.
    fn fight(brake: &mut Brake, write: &Write, seconds: std::ops::Range<i64>) -> Vec<i64> {
        let allowed = |second: &i64| {
            let is_allowed = brake.allow(write, at(*second)).is_ok();
            if is_allowed {
                brake.wrote(write, at(*second));
            }
            is_allowed
        };
        seconds.filter(allowed).collect()
    }

    #[test]
    fn after_the_fifth_time_within_a_minute_each_waits_twice_as_long_up_to_five_minutes() {
        let mut brake = Brake::default();
        let times = fight(&mut brake, &config_map("a"), 0..2000);
        assert_eq!(times, [0, 1, 2, 3, 4, 5, 10, 20, 40, 80, 160, 320, 620, 920, 1220, 1520, 1820]);
        assert_eq!(brake.allow(&config_map("a"), at(2000)), Err(HeldUntil(at(2120))));
    }

    #[test]
    fn what_is_put_right_now_and_then_is_never_held() {
        let (mut brake, write) = (Brake::default(), config_map("a"));
        for second in (0..10_000).step_by(16) {
            assert_eq!(brake.allow(&write, at(second)), Ok(()), "at {second}");
            brake.wrote(&write, at(second));
        }
    }

    #[test]
    fn what_is_left_alone_for_a_quarter_of_an_hour_is_put_right_at_once_again() {
        let (mut brake, write) = (Brake::default(), config_map("a"));
        brake.begin("1", 1, at(0));
        fight(&mut brake, &write, 0..11);
        brake.begin("1", 1, at(10 + 899));
        assert!(!brake.is_at_rest(at(10 + 899)));
        brake.begin("1", 1, at(10 + 900));
        assert_eq!(fight(&mut brake, &write, 910..920), [910, 911, 912, 913, 914, 915]);
    }

    #[test]
    fn an_edit_of_the_spec_is_never_held_and_ends_the_fight() {
        let (mut brake, write) = (Brake::default(), config_map("a"));
        for (uid, generation) in [("1", 1), ("1", 2), ("2", 1)] {
            brake.begin(uid, generation, at(0));
            assert_eq!(brake.allow(&write, at(10)), Ok(()));
            fight(&mut brake, &write, 0..10);
            brake.begin(uid, generation, at(10));
            assert!(brake.allow(&write, at(9)).is_err());
        }
    }

    #[test]
    fn what_was_not_wanted_before_is_never_held() {
        let mut brake = Brake::default();
        fight(&mut brake, &config_map("a"), 0..7);
        assert!(brake.allow(&config_map("a"), at(7)).is_err());
        assert_eq!(brake.allow(&config_map("b"), at(7)), Ok(()));
        let other = Write::Apply(Secret::default().into());
        assert_eq!(brake.allow(&other, at(7)), Ok(()), "another object");
        brake.wrote(&config_map("b"), at(7));
        assert!(brake.allow(&config_map("a"), at(8)).is_err(), "as others would have it turn back and forth");
        let mut brake = Brake::default();
        for second in 0..600 {
            let write = config_map(&second.to_string());
            assert_eq!(brake.allow(&write, at(second)), Ok(()), "a password that changes is no fight");
            brake.wrote(&write, at(second));
        }
    }

    #[test]
    fn of_a_secret_its_content_counts_and_not_the_version_over_which_it_is_written_nor_how() {
        let (mut brake, version) = (Brake::default(), |second: i64| second.to_string());
        let ways = |second: i64| -> [Write; 3] {
            [
                Write::Create(secret("a", &version(second)).into()),
                Write::Apply(secret("a", &version(second)).into()),
                Write::Amend { secret: secret("a", &version(second)), without: vec![version(second)] },
            ]
        };
        for second in 0..6 {
            let write = &ways(second)[usize::try_from(second % 3).unwrap()];
            assert_eq!(brake.allow(write, at(second)), Ok(()));
            brake.wrote(write, at(second));
        }
        assert!(ways(7).iter().all(|write| brake.allow(write, at(7)).is_err()));
        let other = Write::Apply(secret("b", "7").into());
        assert_eq!(brake.allow(&other, at(7)), Ok(()));
    }

    #[derive(Debug)]
    struct Drawn;

    impl Draft for Drawn {
        fn name(&self) -> String {
            "shop-redis".to_owned()
        }

        fn secret(&self, _: &[u8]) -> Option<Secret> {
            None
        }
    }

    #[test]
    fn a_secret_that_is_deleted_as_often_as_it_is_drawn_is_drawn_ever_less_often() {
        let times = fight(&mut Brake::default(), &Write::Mint(Arc::new(Drawn)), 0..30);
        assert_eq!(times, [0, 1, 2, 3, 4, 5, 10, 20]);
    }

    #[test]
    fn a_status_that_others_undo_is_written_ever_less_often() {
        let mut brake = Brake::default();
        let mut write = |second: &i64| {
            let is_allowed = brake.allow_status(at(*second)).is_ok();
            if is_allowed {
                brake.wrote_status(at(*second));
            }
            is_allowed
        };
        let times: Vec<i64> = (0..60).filter(|second| second % 2 == 0).filter(&mut write).collect();
        assert_eq!(times, [0, 2, 4, 6, 8, 14, 24, 44]);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing() {
        let (mut brake, write) = (Brake::default(), config_map("a"));
        fight(&mut brake, &write, 0..7);
        assert_eq!(brake.allow(&write, at(-100)), Ok(()));
    }

    #[test]
    fn a_fight_is_told_once_it_holds_a_write_and_until_what_was_written_has_stood_for_a_while() {
        let (mut brake, write) = (Brake::default(), config_map("a"));
        fight(&mut brake, &write, 0..7);
        assert_eq!((brake.contests(at(7)), brake.wake_at(at(7))), (vec![], None), "nobody has changed it since");
        let fields = |name: &str| Change::Fields([name.to_owned()].into());
        brake.blame(&Subject::of(&write), fields("data.a"), Some("kubectl-edit".to_owned()));
        brake.blame(&Subject::of(&write), fields("data.b"), None);
        let target = Subject::Object(Kind::ConfigMap, "shop-settings".to_owned());
        let change = Change::Fields(["data.a".to_owned(), "data.b".to_owned()].into());
        let contest = Contest { target, change, manager: Some("kubectl-edit".to_owned()) };
        assert_eq!(brake.begun(at(7)), std::slice::from_ref(&contest));
        assert_eq!(brake.begun(at(8)), []);
        assert_eq!(brake.wake_at(at(7)), Some(at(10)));
        brake.wrote(&write, at(10));
        assert_eq!(brake.wake_at(at(10)), Some(at(20)));
        assert_eq!(brake.contests(at(29)), [contest]);
        assert_eq!(brake.wake_at(at(20)), Some(at(30)));
        assert_eq!((brake.contests(at(30)), brake.wake_at(at(30))), (vec![], None));
    }
}
