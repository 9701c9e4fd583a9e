//! The schedule, rule by rule.

use jiff::{SignedDuration, Timestamp};
use tokencache_operator::data_protection::{
    key::{KeyDates, id::KeyId},
    ring::{
        default_key::{DatedKey, DatedKeys},
        rotation::RotationPolicy,
        schedule::{Schedule, Why, at_once, schedule},
    },
};

use crate::{
    application::{DAY, HOUR},
    vectors::dice,
};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn ring(members: &[DatedKey]) -> DatedKeys {
    members.iter().cloned().collect()
}

fn member(order: &KeyDates, seed: u64) -> DatedKey {
    let KeyDates { created, activates, expires } = *order;
    DatedKey { id: KeyId::from_random(dice(seed)), created, activates, expires, is_revoked: false, is_readable: true }
}

fn key(seed: u64, created: i32, activates: i32, expires: i32) -> DatedKey {
    let at = |days: i32| NOW + DAY * days;
    member(&KeyDates { created: at(created), activates: at(activates), expires: at(expires) }, seed)
}

fn revoked(member: &DatedKey) -> DatedKey {
    DatedKey { is_revoked: true, ..member.clone() }
}

fn at(members: &[DatedKey], now: Timestamp) -> Schedule {
    schedule(&ring(members), RotationPolicy::default(), now)
}

fn order(members: &[DatedKey], now: Timestamp) -> (Why, KeyDates) {
    at(members, now).order.unwrap()
}

#[test]
fn the_first_key_is_made_and_active_at_once() {
    let (why, order) = order(&[], NOW + SignedDuration::from_nanos(7));
    assert_eq!(why, Why::First);
    assert_eq!(order, KeyDates { created: NOW, activates: NOW, expires: NOW + DAY * 180 });
}

#[test]
fn the_next_key_is_published_ahead_and_takes_over_after_a_period() {
    let first = key(1, 0, 0, 180);
    let quiet = at(std::slice::from_ref(&first), NOW);
    assert_eq!((quiet.order, quiet.wake_at), (None, Some(NOW + DAY * 87)));
    assert_eq!(at(std::slice::from_ref(&first), NOW + DAY * 87 - HOUR).order, None);
    let (why, order) = order(&[first], NOW + DAY * 87);
    assert_eq!(why, Why::RotationDue);
    let expected = KeyDates { created: NOW + DAY * 87, activates: NOW + DAY * 90, expires: NOW + DAY * 270 };
    assert_eq!(order, expected);
}

#[test]
fn while_the_next_key_waits_no_other_is_made() {
    let members = [key(1, 0, 0, 180), key(2, 87, 90, 270)];
    let waiting = at(&members, NOW + DAY * 88);
    assert_eq!((waiting.order, waiting.wake_at), (None, Some(NOW + DAY * 90 - SignedDuration::from_mins(5))));
    assert_eq!(at(&members, NOW + DAY * 91).wake_at, Some(NOW + DAY * 177));
}

#[test]
fn an_operator_that_was_down_for_weeks_publishes_ahead_all_the_same() {
    let (why, order) = order(&[key(1, 0, 0, 180)], NOW + DAY * 150);
    assert_eq!(why, Why::RotationDue);
    assert_eq!((order.created, order.activates), (NOW + DAY * 150, NOW + DAY * 153));
}

#[test]
fn the_later_the_operator_comes_the_shorter_the_lead_and_there_is_never_a_gap() {
    let ends = NOW + DAY * 180;
    for hours in 0..24 * 10 {
        let now = ends - HOUR * hours;
        let (_, order) = order(&[key(1, 0, 0, 180)], now);
        let lead = order.activates.duration_since(now);
        if hours == 0 {
            // It is over by now.
            assert_eq!(order.activates, now);
            continue;
        }
        assert!(order.activates <= ends.max(now + HOUR), "{hours}: {order:?}");
        assert!(lead >= (HOUR * 25).min(HOUR * hours), "{hours}: {order:?}");
        // At the end of the old key .NET 9 must not take the new one for too young.
        assert!(order.created <= ends - HOUR * 48, "{hours}: {order:?}");
    }
}

#[test]
fn when_all_keys_are_over_a_new_one_is_active_at_once_and_is_said_to_be_old() {
    for members in [vec![key(1, -200, -200, -20)], vec![key(1, -400, -400, -220), key(2, -313, -310, -130)]] {
        let (why, order) = order(&members, NOW);
        assert_eq!(why, Why::NothingUsable);
        assert_eq!((order.created, order.activates), (NOW - HOUR * 72, NOW));
        let with_it: Vec<DatedKey> = members.into_iter().chain([member(&order, 9)]).collect();
        assert_eq!(at(&with_it, NOW).order, None);
    }
}

#[test]
fn a_shorter_and_a_longer_period_midway_keep_every_rule() {
    let week = RotationPolicy::new(DAY * 7, HOUR * 72, false).unwrap();
    let year = RotationPolicy::new(DAY * 365, HOUR * 72, false).unwrap();
    let members = [key(1, 0, 0, 180)];
    let now = NOW + DAY * 20;
    let (why, shorter) = schedule(&ring(&members), week, now).order.unwrap();
    assert_eq!((why, shorter.activates), (Why::RotationDue, now + DAY * 3));
    // It outlives the one before, although two weeks would be less.
    assert_eq!(shorter.expires, NOW + DAY * 183);
    assert_eq!(schedule(&ring(&members), year, now).order, None);
    // A key from before lasts shorter than the new period: it is followed in time.
    let short = [key(1, 0, 0, 14)];
    let longer = schedule(&ring(&short), year, NOW + DAY * 7);
    assert_eq!(longer.order.map(|(why, order)| (why, order.activates)), Some((Why::ExpiresSoon, NOW + DAY * 10)));
}

#[test]
fn a_clock_that_steps_ahead_makes_one_key_and_when_it_is_set_right_the_next_comes_in_time() {
    let mut members = vec![key(1, 0, 0, 180)];
    for ahead in [100, 300, 100, 300, 100] {
        while let Some((_, order)) = at(&members, NOW + DAY * ahead).order {
            members.push(member(&order, members.len() as u64 + 2));
        }
    }
    assert!(members.len() <= 4, "{members:?}");
    assert_eq!(at(&members, NOW + DAY).order, None);
}

#[test]
fn a_clock_that_steps_back_makes_no_key_that_any_application_would_choose() {
    let mut members = vec![key(1, -200, -200, -20), key(2, -113, -110, 70), key(3, -23, -20, 160)];
    let count = members.len();
    for back in [1, 30, 100, 500, 499, 498, 400, 30, 1] {
        while let Some((_, order)) = at(&members, NOW - DAY * back).order {
            members.push(member(&order, members.len() as u64 + 2));
        }
    }
    assert!(members.len() <= count + 2, "{members:?}");
    assert_eq!(ring(&members).active(NOW).map(|key| key.id), Some(members[2].id));
}

#[test]
fn a_first_key_of_a_clock_that_was_ahead_is_followed_by_one_that_is_published_ahead() {
    let members = [key(1, 300, 300, 480)];
    let (why, order) = order(&members, NOW);
    assert_eq!(why, Why::NothingActivated);
    // Until then applications make do with the first, which must stay the oldest of the young ones.
    assert_eq!((order.created, order.activates), (NOW + DAY * 300, NOW + DAY * 3));
    let members = [members[0].clone(), member(&order, 2)];
    assert_eq!(at(&members, NOW).order, None);
    assert_eq!(at(&members, NOW + DAY * 4).order, None);
}

#[test]
fn a_key_that_is_asked_for_at_once_is_the_newest_and_is_said_to_be_old() {
    let members = vec![key(1, -50, -50, 130), key(2, -1, 2, 220)];
    let order = at_once(&ring(&members), RotationPolicy::default(), NOW);
    assert_eq!(order, KeyDates { created: NOW - HOUR * 72, activates: NOW, expires: NOW + DAY * 223 });
    let twice = [members, vec![member(&order, 3)]].concat();
    let again = at_once(&ring(&twice), RotationPolicy::default(), NOW);
    assert!(again.activates > order.activates);
    assert_eq!(at_once(&DatedKeys::default(), RotationPolicy::default(), NOW).activates, NOW);
}

#[test]
fn when_the_active_key_is_revoked_another_is_active_at_once() {
    let (why, order) = order(&[key(1, -50, -50, 130), revoked(&key(2, -10, -7, 173))], NOW);
    assert_eq!((why, order.activates), (Why::NothingUsable, NOW));
    assert!(order.created < NOW - HOUR * 48);
}

#[test]
fn when_the_next_key_is_revoked_a_newer_one_follows_so_that_no_application_falls_back() {
    let members = vec![key(1, -88, -88, 92), revoked(&key(2, -1, 2, 182))];
    let (why, order) = order(&members, NOW);
    assert_eq!(why, Why::UnusableAhead);
    assert!(order.activates > members[1].activates);
    let with_it = [members, vec![member(&order, 3)]].concat();
    assert_eq!(at(&with_it, NOW).order, None);
}

#[test]
fn a_moment_of_skew_makes_no_second_key() {
    let skewed = revoked(&DatedKey { activates: NOW + SignedDuration::from_mins(5), ..key(1, -1, 0, 90) });
    let (_, order) = order(std::slice::from_ref(&skewed), NOW);
    assert_eq!(at(&[skewed, member(&order, 2)], NOW).order, None);
}

#[test]
fn keys_that_never_expire_and_clocks_at_the_end_of_time_stop_nothing() {
    let for_ever = DatedKey { expires: Timestamp::MAX, ..key(1, -100, -100, 0) };
    let (why, order) = order(&[for_ever], NOW);
    assert_eq!((why, order.activates), (Why::RotationDue, NOW + DAY * 3));
    assert_eq!(order.expires.to_string(), "9000-01-01T00:00:00Z");
    for now in [Timestamp::MIN, Timestamp::MAX] {
        let _ = at(&[key(1, 0, 0, 180)], now);
        let _ = at(&[], now);
        let _ = at_once(&ring(&[key(1, 0, 0, 180)]), RotationPolicy::default(), now);
    }
}
