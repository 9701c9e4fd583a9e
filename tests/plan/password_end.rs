//! When the applications' earlier password ends: by the clock, and by the pods that have it still.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use tokencache_operator::{
    api::v1alpha1::{OperationStage as Stage, PasswordWait, Remedy},
    condition::{ConditionStatus, Finding, Reason},
    kubernetes::{
        identity::Found,
        read::{
            process::{Process, Processes},
            workload::Workload,
        },
    },
    redis::{
        credentials::rotation::{Marks, refused_since},
        look::answer::{Answer, Refusal},
    },
};

use super::rotation::Shop;
use super::seen::{Seen, well};
use super::world::{START, World};
use crate::support::told::assert_short;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// When the new password is published in these tests.
const PUBLISHED: Timestamp = Timestamp::constant(1_767_225_600 + 180, 0);

fn process(kind: &str, name: &str, pod: &str, started: Timestamp) -> Process {
    let workload = Workload { kind: kind.to_owned(), name: name.to_owned() };
    Process { workload, pod: pod.to_owned(), started: Some(started), deleted: None }
}

/// The two pods of Deployment web, which run since these times.
fn web(first: Timestamp, second: Timestamp) -> Processes {
    Processes::Known(vec![process("Deployment", "web", "web-1", first), process("Deployment", "web", "web-2", second)])
}

/// A cache of which another password has just been published, with this under `passwordRotation`, and these pods.
fn published(rotation: &str, processes: Processes) -> Shop {
    let mut shop = Shop::with_spec(&format!("{{redis: {{passwordRotation: {rotation}}}}}"));
    shop.world.observed.processes = processes;
    shop.ask(&START.to_string());
    shop.passes();
    shop.later(MINUTE * 3);
    assert_eq!((shop.stage(), shop.world.now), (Some(Stage::Published), PUBLISHED));
    shop
}

/// How the pods of Deployment web get the new password.
fn restart() -> Remedy {
    Remedy::free("restart them").command("kubectl -n web rollout restart deployment/web")
}

fn old() -> Processes {
    web(START - HOUR, START - HOUR)
}

impl Shop {
    fn ends_at(&self) -> Timestamp {
        self.entry().unwrap().ends_at.as_ref().unwrap().0
    }

    fn rolled_out(&self) -> Option<Finding> {
        let finding = self.world.credentials().rotation.finding;
        if let Some(Finding { message, .. }) = &finding {
            assert_short(&message.told(), &message.remedies);
            assert!(!message.told().contains('…'), "{}", message.told());
        }
        finding
    }

    fn has_earlier(&self) -> bool {
        let earlier = Shop::settled().binding();
        let there = self.is_valid(&earlier);
        assert!(self.is_valid(&self.binding()), "the published one is valid at every time");
        there
    }
}

#[test]
fn pods_that_have_the_earlier_password_are_named_warn_a_day_before_it_ends_and_it_ends_when_they_are_gone() {
    let mut shop = published("{overlap: 3d}", old());
    assert_eq!(shop.rolled_out(), None, "nobody is warned yet");
    assert!(shop.message().contains("Deployment web (2 pods: web-1, web-2)"), "{}", shop.message());
    assert_eq!(shop.entry().unwrap().remedies, [restart()]);
    assert_eq!(shop.world.credentials().rotation.wake_at, Some(PUBLISHED + MINUTE), "nobody tells of a restart");
    shop.later(HOUR);
    assert_eq!(shop.world.credentials().rotation.wake_at, Some(shop.world.now + MINUTE * 10));
    // Each that is restarted is named no more.
    let before = shop.world.observed.processes.clone();
    shop.world.observed.processes = web(PUBLISHED + HOUR, START - HOUR);
    shop.later(MINUTE);
    assert!(shop.message().contains("Deployment web (1 pod: web-2)"), "{}", shop.message());
    shop.world.observed.processes = web(PUBLISHED + HOUR, PUBLISHED + HOUR);
    shop.later(MINUTE);
    assert!(shop.message().ends_with("No pod uses it any more"), "{}", shop.message());
    assert_eq!(shop.world.credentials().rotation.wake_at, Some(PUBLISHED + HOUR * 48), "and nobody is looked at");
    shop.world.observed.processes = before;
    shop.later(HOUR * 47);
    let told = shop.rolled_out().unwrap();
    assert_eq!((told.status, told.reason), (ConditionStatus::False, Reason::EarlierPasswordInUse));
    for said in [told.message.text.as_str(), shop.message()] {
        for part in [
            "ends at 2026-01-04T00:03:00Z, or by 2026-01-07T00:03:00Z if these pods still run",
            "Deployment web (2 pods: web-1, web-2)",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
    assert_eq!((told.message.remedies, &shop.entry().unwrap().remedies), (vec![restart()], &vec![restart()]));
    assert_eq!(shop.ends_at(), PUBLISHED + HOUR * 72);
    // One of them is restarted, and the overlap is over.
    shop.world.observed.processes = web(START - HOUR, PUBLISHED + HOUR);
    shop.later(HOUR * 24);
    assert!(shop.has_earlier());
    assert_eq!((shop.stage(), shop.ends_at()), (Some(Stage::Published), PUBLISHED + HOUR * 144));
    let told = shop.rolled_out().unwrap();
    assert_eq!((told.status, told.reason), (ConditionStatus::False, Reason::PasswordOverlapExtended));
    assert!(told.message.text.contains("Deployment web (1 pod: web-1)"), "{}", told.message.text);
    assert!(
        shop.message()
            .contains("the earlier one ends when these pods have ended, at 2026-01-07T00:03:00Z at the latest")
    );
    assert_eq!(shop.world.credentials().rotation.wake_at, Some(shop.world.now + MINUTE), "nobody tells of a restart");
    // The other one is.
    shop.world.observed.processes = web(PUBLISHED + HOUR * 73, PUBLISHED + HOUR);
    shop.later(HOUR * 2);
    assert!(!shop.has_earlier() && shop.stage() == Some(Stage::Completed) && shop.rolled_out().is_none());
}

#[test]
fn a_short_overlap_names_them_at_once() {
    let shop = published("{overlap: 24h}", old());
    let told = shop.rolled_out().unwrap();
    assert_eq!((told.status, told.reason), (ConditionStatus::False, Reason::EarlierPasswordInUse));
    assert_eq!(shop.world.credentials().rotation.looks_since, Some(PUBLISHED));
    let shop = published("{overlap: 24h}", Processes::Known(Vec::new()));
    let told = shop.rolled_out().unwrap();
    assert_eq!((told.status, told.reason), (ConditionStatus::True, Reason::RolledOut));
}

#[test]
fn a_pod_that_started_before_kubelet_had_the_new_password_may_have_the_earlier_one() {
    for (started, holds) in [(-MINUTE, true), (MINUTE, true), (MINUTE * 2, false)] {
        let mut shop = published("{}", web(PUBLISHED + started, PUBLISHED + HOUR));
        shop.later(HOUR * 24);
        assert_eq!(shop.has_earlier(), holds, "{started}");
    }
    // By a look that has every pod of before.
    let mut shop = published("{}", old());
    shop.later(MINUTE * 2);
    assert_eq!(shop.world.credentials().rotation.looks_since, Some(PUBLISHED + MINUTE * 2));
}

#[test]
fn it_ends_after_a_further_overlap_whatever_runs_and_whoever_is_refused_is_named() {
    let mut shop = published("{}", old());
    shop.later(HOUR * 48 - MINUTE);
    assert!(shop.has_earlier() && shop.stage() == Some(Stage::Published));
    shop.answers = false;
    shop.later(MINUTE);
    let said = shop.message().to_owned();
    assert_eq!((shop.stage(), shop.ends_at()), (Some(Stage::Removing), PUBLISHED + HOUR * 48));
    assert!(
        said.contains("Refused (WRONGPASS) when they connect next: Deployment web (2 pods: web-1, web-2)"),
        "{said}"
    );
    assert_eq!(shop.entry().unwrap().remedies, [restart()]);
    shop.answers = true;
    shop.later(MINUTE);
    assert!(!shop.has_earlier() && shop.stage() == Some(Stage::Completed));
}

#[test]
fn while_pods_cannot_be_listed_it_stays_valid_for_a_further_overlap_and_that_is_told() {
    let mut shop = published("{}", Processes::Unknown);
    for ends in [24, 48] {
        let told = shop.rolled_out().unwrap();
        assert_eq!((told.status, told.reason), (ConditionStatus::Unknown, Reason::ConsumersUnknown));
        for said in [told.message.text.as_str(), shop.message()] {
            assert!(
                said.contains("cannot list the pods of namespace web") && said.contains("2026-01-03T00:03"),
                "{said}"
            );
        }
        assert_eq!(shop.ends_at(), PUBLISHED + HOUR * ends);
        shop.later(HOUR * 24);
        assert_eq!(shop.has_earlier(), ends == 24);
    }
    assert_eq!(shop.stage(), Some(Stage::Completed));
}

#[test]
fn by_the_clock_it_ends_whatever_runs_and_those_who_will_be_refused_are_named() {
    let mut shop = published("{wait: Clock}", old());
    let told = shop.rolled_out().unwrap();
    assert_eq!((told.status, told.reason), (ConditionStatus::False, Reason::EarlierPasswordInUse));
    assert!(
        told.message.text.contains("ends at 2026-01-02T00:03:00Z (passwordRotation.wait: Clock)"),
        "{}",
        told.message.text
    );
    assert_eq!(shop.ends_at(), PUBLISHED + HOUR * 24);
    shop.later(HOUR * 24);
    assert!(!shop.has_earlier() && shop.stage() == Some(Stage::Completed));
    let mut blind = published("{wait: Clock}", Processes::Unknown);
    blind.later(HOUR * 24);
    assert!(!blind.has_earlier());
}

#[test]
fn whom_the_end_waits_for_and_the_overlap_may_change_meanwhile() {
    let waiting = || {
        let mut shop = published("{}", old());
        shop.later(HOUR * 30);
        assert!(shop.has_earlier());
        shop
    };
    let mut shop = waiting();
    shop.world.cache.spec.redis.password_rotation.wait = PasswordWait::Clock;
    shop.passes();
    assert!(!shop.has_earlier() && shop.stage() == Some(Stage::Completed));
    let mut shop = waiting();
    shop.world.cache.spec.redis.password_rotation.overlap = "20h".to_owned();
    shop.passes();
    assert!(shop.has_earlier() && shop.ends_at() == PUBLISHED + HOUR * 40);
    shop.world.cache.spec.redis.password_rotation.overlap = "15h".to_owned();
    shop.passes();
    assert!(!shop.has_earlier());
    let mut shop = waiting();
    shop.world.cache.spec.redis.password_rotation.overlap = "7d".to_owned();
    shop.passes();
    assert!(shop.has_earlier() && shop.ends_at() == PUBLISHED + HOUR * 168);
}

#[test]
fn a_restart_a_lost_status_and_a_lost_secret_change_nothing_while_the_end_waits() {
    let mut shop = published("{}", old());
    shop.later(HOUR * 30);
    let entry = shop.entry().cloned();
    shop.world.observed.operations.clear();
    assert_eq!(shop.passes(), [""; 0]);
    assert_eq!(shop.entry(), entry.as_ref());
    shop.world.observed.rotation = Found::Absent;
    shop.passes();
    assert!(shop.has_earlier() && shop.stage() == Some(Stage::Published));
    assert!(World::text(&shop.world.observed.rotation, "previous").len() == 64, "it is made again");
    shop.world.observed.processes = web(PUBLISHED + HOUR, PUBLISHED + HOUR);
    shop.passes();
    assert!(!shop.has_earlier() && shop.stage() == Some(Stage::Completed));
}

#[test]
fn what_was_removed_is_not_made_valid_again_by_pods_that_are_seen_later() {
    for later in [Processes::Unknown, old()] {
        let mut shop = published("{}", Processes::Known(Vec::new()));
        shop.answers = false;
        shop.later(HOUR * 24);
        assert_eq!(shop.stage(), Some(Stage::Removing));
        shop.world.observed.processes = later;
        assert_eq!(shop.later(MINUTE), [""; 0]);
        assert_eq!((shop.stage(), shop.ends_at()), (Some(Stage::Removing), PUBLISHED + HOUR * 24));
        shop.answers = true;
        shop.later(MINUTE);
        assert!(!shop.has_earlier() && shop.stage() == Some(Stage::Completed));
    }
}

#[test]
fn a_request_made_while_the_end_waits_is_begun_when_it_is_over_and_a_pause_holds_both() {
    let mut shop = published("{}", old());
    let first = shop.binding();
    shop.later(HOUR * 24);
    shop.ask(&shop.world.now.to_string());
    shop.passes();
    let (entry, said) = (shop.entry().cloned().unwrap(), shop.message().to_owned());
    assert!(entry.queued.is_some() && entry.stage == Stage::Published && said.contains("Another request"), "{said}");
    let pause = |shop: &mut Shop, value: &str| {
        let annotations = shop.world.cache.metadata.annotations.as_mut().unwrap();
        annotations.insert("tokencache.dev/reconcile".to_owned(), value.to_owned());
    };
    pause(&mut shop, "paused");
    shop.later(HOUR * 40);
    assert!(shop.has_earlier() && shop.message().contains("Held"), "{}", shop.message());
    pause(&mut shop, "no");
    shop.passes();
    shop.later(MINUTE * 3);
    assert!(shop.stage() == Some(Stage::Published) && shop.binding() != first && shop.is_valid(&first));
}

#[test]
fn who_is_refused_after_the_end_is_named_where_the_refusals_are_told() {
    let refused = |processes: Processes| {
        let seen = Seen::answer(Vec::new()).with(|world| {
            let mut binding = Secret::clone(world.observed.connection.owned().unwrap());
            let marks = Marks { published: PUBLISHED, requested: START };
            binding.metadata.annotations = Some(marks.annotations());
            world.observed.connection = Found::Owned(binding.into());
            assert_eq!(refused_since(&world.settings(), &world.observed), None, "nobody is refused");
            world.observed.samples[0].outcome = Ok(Answer { refusals: vec![Refusal::Password], ..well() });
            assert_eq!(refused_since(&world.settings(), &world.observed), Some(PUBLISHED + MINUTE * 2));
            world.observed.processes = processes;
        });
        seen.said_of("AccessAllowed", "a login is refused")
    };
    let told = refused(old());
    assert!(told.contains("Pods that may have the earlier password: Deployment web (2 pods: web-1, web-2)"), "{told}");
    assert!(told.contains("- Costs nothing: restart them `kubectl -n web rollout restart deployment/web`"), "{told}");
    assert!(!refused(Processes::Unknown).contains("Deployment web"));
    assert!(!refused(web(PUBLISHED + HOUR, PUBLISHED + HOUR)).contains("Deployment web"));
}
