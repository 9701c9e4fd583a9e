//! What ASP.NET Core 10.0.12 was seen to encrypt with, row by row, and the rules of the releases before.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokencache_operator::data_protection::{
    key::id::KeyId,
    ring::default_key::{DatedKey, DatedKeys, DefaultKey, KeyState},
};

use crate::application::{Chosen, HOUR, RUNTIMES, Runtime};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn id(name: &str) -> KeyId {
    let mut bytes = [0; 16];
    bytes[..name.len().min(16)].copy_from_slice(&name.as_bytes()[..name.len().min(16)]);
    KeyId::from_random(bytes)
}

/// A key, by when it was created, activates and expires: hours from now.
fn key(name: &str, created: i64, activates: i64, expires: i64) -> DatedKey {
    let at = |hours: i64| NOW + SignedDuration::from_hours(hours);
    DatedKey {
        id: id(name),
        created: at(created),
        activates: at(activates),
        expires: at(expires),
        is_revoked: false,
        is_readable: true,
    }
}

fn days(name: &str, created: i64, activates: i64, expires: i64) -> DatedKey {
    key(name, created * 24, activates * 24, expires * 24)
}

fn chosen(runtime: Runtime, ring: &[DatedKey]) -> Option<KeyId> {
    runtime.choose(&ring.iter().collect::<Vec<_>>(), NOW).key()
}

fn rows() -> Vec<(&'static str, Vec<DatedKey>, Option<KeyId>)> {
    let old = || days("old", -80, -80, 10);
    let revoked = |key: DatedKey| DatedKey { is_revoked: true, ..key };
    let soon = DatedKey { activates: NOW + SignedDuration::from_mins(4), ..days("next", 0, 0, 90) };
    vec![
        ("a successor that is pending waits", vec![old(), days("next", -1, 2, 92)], Some(id("old"))),
        ("created three days ago", vec![old(), days("next", -3, -3, 87)], Some(id("next"))),
        ("created a day ago", vec![old(), days("next", -1, -1, 89)], Some(id("next"))),
        ("created an hour ago", vec![old(), key("next", -1, -1, 24 * 90)], Some(id("next"))),
        ("nothing but one that activates in four minutes", vec![soon], Some(id("next"))),
        ("old expired, next active", vec![days("old", -80, -80, -1), days("next", -5, -2, 88)], Some(id("next"))),
        ("nothing but one that activates in two days", vec![days("next", 0, 2, 92)], Some(id("next"))),
        ("old expired, next pending", vec![days("old", -80, -80, -1), days("next", -1, 2, 92)], Some(id("next"))),
        (
            "older expired, old expired, next pending",
            vec![days("older", -170, -170, -80), days("old", -80, -80, -1), days("next", -1, 2, 92)],
            Some(id("older")),
        ),
        ("two, both expired", vec![days("older", -170, -170, -80), days("old", -80, -80, -1)], Some(id("older"))),
        (
            "three, all expired",
            vec![days("oldest", -260, -260, -170), days("older", -170, -170, -80), days("old", -80, -80, -1)],
            Some(id("older")),
        ),
        ("a single one, expired", vec![days("old", -80, -80, -1)], None),
        ("the newest revoked", vec![old(), revoked(days("next", -5, -2, 88))], Some(id("old"))),
        ("the newest expired, an older one valid", vec![old(), days("next", -5, -2, -1)], Some(id("old"))),
        ("old valid for long, new active", vec![days("old", -80, -80, 90), days("new", -5, -2, 92)], Some(id("new"))),
    ]
}

#[test]
fn the_simulated_application_of_net_10_passes_every_row_that_was_observed() {
    for (row, ring, expected) in rows() {
        assert_eq!(chosen(Runtime::Net10, &ring), expected, "{row}");
    }
}

#[test]
fn the_operator_chooses_as_it_was_observed() {
    for (row, members, expected) in rows() {
        let ring: DatedKeys = members.into_iter().collect();
        let choice = match ring.choice(NOW) {
            DefaultKey::Default(member) | DefaultKey::Fallback(member) => Some(member.id),
            DefaultKey::Nothing => None,
        };
        assert_eq!(choice, expected, "{row}");
    }
}

#[test]
fn net_9_passes_over_a_key_that_is_younger_than_two_days_and_net_8_does_not() {
    let ring = [days("old", -80, -80, 10), key("next", -47, -1, 24 * 90)];
    assert_eq!(chosen(Runtime::Net9, &ring), Some(id("old")));
    assert_eq!(chosen(Runtime::Net8, &ring), Some(id("next")));
    let ring = [days("old", -80, -80, 10), key("next", -48, -1, 24 * 90)];
    assert_eq!(chosen(Runtime::Net9, &ring), Some(id("next")));
    // The trap: the old one is over, and the new one is still too young.
    let ring = [days("old", -80, -80, -1), key("next", -47, -1, 24 * 90)];
    assert_eq!(Runtime::Net9.choose(&ring.iter().collect::<Vec<_>>(), NOW), Chosen::Fallback(id("old")));
}

#[test]
fn net_8_and_9_go_on_with_the_newest_key_when_all_are_expired() {
    let ring = [days("older", -170, -170, -80), days("old", -80, -80, -1)];
    for runtime in [Runtime::Net8, Runtime::Net9] {
        assert_eq!(chosen(runtime, &ring), Some(id("old")));
    }
}

#[test]
fn a_key_whose_certificate_is_missing_is_never_chosen() {
    let closed = DatedKey { is_readable: false, ..days("next", -5, -2, 88) };
    let ring = [days("old", -80, -80, 10), closed];
    for runtime in RUNTIMES {
        assert_eq!(chosen(runtime, &ring), Some(id("old")));
    }
    let ring: DatedKeys = ring.into_iter().collect();
    assert_eq!(ring.active(NOW), None);
}

#[test]
fn every_key_has_a_state() {
    let members = [
        days("older", -170, -170, -80),
        days("old", -80, -80, 90),
        days("active", -10, -7, 170),
        days("next", -1, 2, 182),
        DatedKey { is_revoked: true, ..days("revoked", -5, -5, 90) },
        DatedKey { is_readable: false, ..days("closed", -90, -90, 90) },
    ];
    // A revoked key that is the newest leaves the ring without an active one.
    let ring: DatedKeys = members.iter().filter(|member| member.id != id("revoked")).cloned().collect();
    let states: Vec<KeyState> = ring.members().iter().map(|member| ring.state(member, NOW)).collect();
    let expected = [KeyState::Expired, KeyState::Superseded, KeyState::Active, KeyState::Pending, KeyState::Unreadable];
    assert_eq!(states, expected);
    assert_eq!(ring.active(NOW).map(|key| key.id), Some(id("active")));
    assert_eq!(ring.next(NOW).map(|key| key.id), Some(id("next")));
    let ring: DatedKeys = members.into_iter().collect();
    assert_eq!(ring.active(NOW), None);
    assert_eq!(ring.state(ring.find(id("revoked")).unwrap(), NOW), KeyState::Revoked);
}

fn any_member() -> impl Strategy<Value = DatedKey> {
    (any::<[u8; 16]>(), -400_i64..400, -400_i64..400, -400_i64..400, 0_u8..8).prop_map(
        |(bytes, created, activates, expires, flags)| {
            let at = |hours: i64| NOW + HOUR * i32::try_from(hours).unwrap();
            DatedKey {
                id: KeyId::from_random(bytes),
                created: at(created),
                activates: at(activates),
                expires: at(expires),
                is_revoked: flags == 0,
                is_readable: flags != 1,
            }
        },
    )
}

proptest! {
    #![proptest_config(crate::years::config(2000))]

    #[test]
    fn the_operator_and_the_simulated_application_of_net_10_agree_on_any_ring(
        members in prop::collection::vec(any_member(), 0..6),
    ) {
        let ring: DatedKeys = members.iter().cloned().collect();
        let choice = match ring.choice(NOW) {
            DefaultKey::Default(member) => Chosen::Default(member.id),
            DefaultKey::Fallback(member) => Chosen::Fallback(member.id),
            DefaultKey::Nothing => Chosen::Nothing,
        };
        let chosen = Runtime::Net10.choose(&members.iter().collect::<Vec<_>>(), NOW);
        // Two created at the same time: the order is that of the files.
        let created = |chosen: Chosen| chosen.key().and_then(|id| ring.find(id)).map(|key| key.created);
        prop_assert_eq!(created(choice), created(chosen));
        prop_assert_eq!(std::mem::discriminant(&choice), std::mem::discriminant(&chosen));
    }
}
