//! Everything that is said of whether applications can read what is stored, in one snapshot.

use tokencache_operator::{
    api::v1alpha1::{KeyRingStatus, KeyState, KeyStatus},
    data_protection::{key::id::KeyId, ring::in_use::InUse, settings::Settings as RingSettings},
    entries::{
        self,
        entry::class::Class,
        look::{
            census::{Expiry, Keyspace, Population, Prefix, Share},
            payloads::{Payloads, Portion},
        },
    },
    kubernetes::read::workload::{Consumer, Consumers, Workload},
};

use super::pods::running;
use super::seen::{Seen, well};
use super::world::{START, World, shop};

const POPULATION: Population =
    Population { prefix: Prefix::Used, expiry: Expiry::All, others: false, other_database: None, unnamed: false };

fn key(of: u8) -> KeyId {
    KeyId::from_payload([of; 16])
}

/// What was seen: each class with its share and its keys.
fn payloads(of: &[(Class, Share, &[u8])], names: &[&str]) -> Payloads {
    let portion = |&(class, share, keys): &(Class, Share, &[u8])| {
        (class, Portion { share, keys: keys.iter().map(|&of| key(of)).collect() })
    };
    Payloads {
        is_complete: true,
        classes: of.iter().map(portion).collect(),
        names: names.iter().map(|&name| name.to_owned()).collect(),
        has_passed_over: false,
    }
}

fn seen_of(spec: &str, payloads: Payloads) -> Seen {
    let web = Workload { kind: "Deployment".to_owned(), name: "web".to_owned() };
    let consumers = Consumers::Known(vec![Consumer { workload: web, started: None }]);
    Seen::pod_of(spec, &running(true))
        .with(|world| world.observed.consumers = consumers)
        .outcome(Ok(well()))
        .holds(Keyspace::Seen(POPULATION))
        .with(|world| world.looks[0].payloads = payloads)
}

fn of(spec: &str, payloads: Payloads, what: &str) -> String {
    seen_of(spec, payloads).said_of("EntriesReadable", what)
}

#[test]
fn what_is_said_of_whether_entries_can_be_read() {
    use Class::{
        Encrypted, KeyClosed, KeyMissing, KeyRevoked, OtherApplication, Plain, Readable, Strange, Undeserializable,
    };
    use Share::{Few, Most, Some as Part};
    let good = (Readable, Most, &[1, 2][..]);
    let app = &["/app"][..];
    let alone = |class, keys: &[u8]| payloads(&[(class, Most, keys)], &[]);
    let named = "dataProtection: {applicationName: shop-web}";
    let off = "entries: {encrypt: false}";
    let cases = [
        of("{}", Payloads::default(), "not all were looked into"),
        of("{}", payloads(&[], &[]), "there is none"),
        of("{}", payloads(&[(Strange, Most, &[])], &[]), "there are sessions only"),
        of("{}", Payloads { has_passed_over: true, ..payloads(&[], &[]) }, "they are too big"),
        of("{}", payloads(&[good], app), "they can be read"),
        of("{}", payloads(&[good, (Strange, Few, &[])], app), "they can be read, and there are sessions too"),
        of("{}", payloads(&[good, (Strange, Few, &[9])], app), "they can be read, and others are encrypted too"),
        of(off, alone(Plain, &[]), "they are plain, as the spec has it"),
        of(
            "{dataProtection: {mode: None}, entries: {inspect: Payloads}}",
            alone(Encrypted, &[7]),
            "they are encrypted, and there is no ring",
        ),
        of(
            "entries: {inspect: Metadata}",
            payloads(&[(KeyMissing, Most, &[9])], &[]),
            "they are not looked into any more",
        ),
        of("dataProtection: {mode: None}", Payloads::default(), "by default they are not, without a ring"),
        of("{}", payloads(&[good, (KeyMissing, Few, &[9])], app), "a key is missing"),
        of("{}", alone(KeyMissing, &[5, 6, 7, 8, 9]), "five keys are missing"),
        of("{}", payloads(&[good, (KeyRevoked, Part, &[3])], app), "a key is revoked"),
        of("{}", payloads(&[good, (KeyClosed, Part, &[3, 4])], app), "keys cannot be opened"),
        of(named, payloads(&[good], app), "the name is not the one of the spec"),
        of(named, payloads(&[good], &["/app", "shop-web"]), "the name of the spec and another are in use"),
        of("{}", payloads(&[good], &["/app", "/app/"]), "two names are in use"),
        of(named, payloads(&[good], &["shop-web"]), "the name is the one of the spec"),
        of("{}", alone(OtherApplication, &[1]), "no name reads them"),
        of("{}", payloads(&[good, (Undeserializable, Part, &[1])], app), "some are no token cache"),
        of(off, payloads(&[good, (Plain, Few, &[])], app), "they are encrypted and should not be"),
        of("{}", payloads(&[good, (Plain, Part, &[])], app), "some are not encrypted and should be"),
        of(
            "{}",
            payloads(
                &[
                    (KeyMissing, Few, &[9]),
                    (KeyRevoked, Few, &[8]),
                    (KeyClosed, Few, &[7]),
                    (OtherApplication, Few, &[1]),
                    (Undeserializable, Few, &[]),
                    (Plain, Few, &[]),
                ],
                &["/app", "shop"],
            ),
            "everything at once",
        ),
        {
            let refused =
                Keyspace::Refused("NOPERM User operator has no permissions to run the 'scan' command".to_owned());
            let seen = Seen::pod(&running(true)).outcome(Ok(well())).holds(refused);
            seen.said_of("EntriesReadable", "the operator may not look")
        },
    ];
    let told = cases.join("\n");
    assert!(!told.contains("OnL2CacheFailure"), "it is not called for these");
    insta::assert_snapshot!(told);
}

#[test]
fn entries_that_are_not_looked_into_warn_of_nothing_and_show_nothing_to_be_in_use() {
    let seen = payloads(&[(Class::KeyMissing, Share::Most, &[9])], &["/app"]);
    let told = |spec: &str| {
        let mut in_use = None;
        let seen = seen_of(spec, seen.clone());
        let status = seen
            .with(|world| {
                in_use = entries::Settings::parse(&world.cache).in_use(&world.looks);
            })
            .status()
            .unwrap();
        let condition = status.conditions.into_iter().find(|condition| condition.type_ == "EntriesReadable").unwrap();
        (condition.status, in_use.is_some())
    };
    assert_eq!(told("{}"), ("False".to_owned(), true));
    assert_eq!(told("entries: {inspect: Metadata}"), ("Unknown".to_owned(), false));
}

#[test]
fn where_it_is_not_known_who_uses_the_cache_they_are_told_by_what_they_use() {
    let seen = seen_of("{}", payloads(&[(Class::KeyMissing, Share::Most, &[9])], &[]));
    let told = seen.with(|world| world.observed.consumers = Consumers::Unknown).said_of("EntriesReadable", "");
    assert!(told.contains("restart the workloads that use Secret shop-redis"), "{told}");
}

fn settings(spec: &str) -> RingSettings {
    World::new(shop(spec)).ring_settings()
}

fn ring(in_use: [Option<bool>; 2], name: Option<&str>) -> KeyRingStatus {
    let key = |(of, in_use): (u8, Option<bool>)| KeyStatus {
        id: key(of).to_string(),
        state: KeyState::Active,
        created: tokencache_operator::capability::operation::time(START),
        creation_date: None,
        activates: tokencache_operator::capability::operation::time(START),
        expires: tokencache_operator::capability::operation::time(START),
        in_use,
    };
    let keys = [1, 2].into_iter().zip(in_use).map(key).collect();
    KeyRingStatus { application_name: name.map(str::to_owned), keys, ..KeyRingStatus::default() }
}

fn in_use(keys: &[u8], names: &[&str], is_whole: bool) -> InUse {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    InUse { keys: keys.iter().map(|&of| key(of)).collect(), names, is_whole }
}

#[test]
fn a_key_is_in_use_or_not_once_every_entry_was_looked_at_and_until_then_what_was_told_before_stands() {
    let told = |seen: Option<InUse>, before: Option<KeyRingStatus>| {
        tokencache_operator::data_protection::findings::status::with_use(
            ring([None, None], None),
            &settings("{}"),
            seen.as_ref(),
            before.as_ref(),
        )
    };
    let before = || Some(ring([Some(true), Some(false)], Some("/app")));
    assert_eq!(told(None, before()), ring([None, None], None), "nobody could be asked");
    assert_eq!(told(Some(in_use(&[], &[], false)), None), ring([None, None], None));
    assert_eq!(told(Some(in_use(&[], &[], false)), before()), before().unwrap());
    let seen = Some(in_use(&[2], &["/app/"], false));
    assert_eq!(told(seen, before()), ring([Some(true), Some(true)], Some("/app/")));
    let seen = Some(in_use(&[2], &["/app"], true));
    assert_eq!(told(seen, before()), ring([Some(false), Some(true)], Some("/app")));
    assert_eq!(told(Some(in_use(&[], &[], true)), before()), ring([Some(false), Some(false)], None));
}

#[test]
fn the_name_is_the_specs_or_the_only_one_that_was_found() {
    let told = |spec: &str, names: &[&str]| {
        tokencache_operator::data_protection::findings::status::with_use(
            ring([None, None], None),
            &settings(spec),
            Some(&in_use(&[], names, true)),
            None,
        )
        .application_name
    };
    assert_eq!(told("{}", &["/app"]).as_deref(), Some("/app"));
    assert_eq!(told("{}", &["/app", "shop"]), None);
    assert_eq!(told("dataProtection: {applicationName: x}", &["/app"]).as_deref(), Some("x"));
    assert_eq!(settings("{}").application_names(), ["/app", "/app/", "shop"]);
    assert_eq!(settings("dataProtection: {applicationName: /app/}").application_names(), ["/app/", "/app", "shop"]);
}
