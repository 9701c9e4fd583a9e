//! Users that somebody changes on a server by hand, on every server that there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokencache_operator::{
    api::v1alpha1::Acl,
    redis::{
        access::{
            acl::{self, Passwords},
            password::Password,
        },
        look::{
            Desired,
            answer::{Answer, Refusal, ShutOut},
            drift::{Correction, Drift, Parameter},
        },
    },
};

use crate::fake::Fake;
use crate::scene::{
    ADMIN_PASSWORD, admin, app_password, config, config_with, config_without, first_look, login, look, other_password,
    probe, server_of, users, want,
};
use crate::servers::each;
use crate::support::redis_server::{RedisServer, say};

fn drift(parameter: Parameter, found: &str, correction: Correction) -> Drift {
    Drift { parameter, found: found.to_owned(), correction, corrected_at: None }
}

async fn look_for(redis: &RedisServer, want: &Desired) -> Answer {
    look(&probe(), &server_of(redis), &login(), want).await.unwrap()
}

/// A server that has been looked at once, so that it has what only later servers know.
async fn settled(program: &str) -> RedisServer {
    let redis = RedisServer::start_program(program, &config()).await;
    assert_eq!(first_look(&redis).await.unwrap().drift, [], "a server that starts is as wanted");
    redis
}

#[tokio::test]
async fn whatever_is_changed_of_a_user_is_set_back_as_it_was() {
    use Parameter::{AppPassword, Login, Rights, Strangers};
    let other_rule = format!("#{}", other_password().sha256().as_hex());
    let changes: [(&[&str], Parameter, &str); 17] = [
        (&["SETUSER", "app", "resetpass", &other_rule], AppPassword, "another password"),
        (&["SETUSER", "app", &other_rule], AppPassword, "2 passwords"),
        (&["SETUSER", "app", "resetpass"], AppPassword, "no password"),
        (&["SETUSER", "app", "nopass"], AppPassword, "no password needed"),
        (&["SETUSER", "app", "off"], AppPassword, "a user that is switched off"),
        (&["DELUSER", "app"], AppPassword, "no such user"),
        (&["SETUSER", "app", "+flushall"], Rights("app"), "also has +flushall"),
        (&["SETUSER", "app", "resetkeys"], Rights("app"), "lacks %R~__Booksleeve_TieBreak, ~shop:*"),
        (&["SETUSER", "app", "~*"], Rights("app"), "also has ~* and lacks %R~__Booksleeve_TieBreak, ~shop:*"),
        (&["SETUSER", "app", "&news"], Rights("app"), "also has &news"),
        (&["SETUSER", "app", "(~* +get)"], Rights("app"), "also has (~* resetchannels -@all ..."),
        (
            &["SETUSER", "operator", "+@all"],
            Rights("operator"),
            "also has +@all and lacks +@transaction, +acl|deluser, +acl|list and {others} more",
        ),
        (&["SETUSER", "operator", &other_rule], Login("operator"), "2 passwords"),
        (&["SETUSER", "probe", "~*"], Rights("probe"), "also has ~*"),
        (&["SETUSER", "probe", "resetpass"], Login("probe"), "no password"),
        (&["SETUSER", "default", "on"], Login("default"), "switched on"),
        (&["SETUSER", "mallory", "on", "nopass", "~*", "+@all"], Strangers, "mallory"),
    ];
    for program in each() {
        let redis = settled(&program).await;
        let before = admin(&redis, &["ACL", "LIST"]);
        for (change, parameter, found) in changes {
            admin(&redis, &[&["ACL"], change].concat());
            let answer = first_look(&redis).await.unwrap();
            // Redis 7.0 does not know NO-TOUCH.
            let found = found.replace("{others}", if acl::knows_7_2(&answer.version) { "18" } else { "17" });
            assert_eq!(answer.drift, [drift(parameter, &found, Correction::Corrected)], "{program}: {change:?}");
            let mut after: Vec<_> = admin(&redis, &["ACL", "LIST"]).lines().map(str::to_owned).collect();
            let mut expected: Vec<_> = before.lines().collect();
            after.sort();
            expected.sort_unstable();
            assert_eq!(after, expected, "{program}: {change:?}");
            assert_eq!(first_look(&redis).await.unwrap().drift, [], "told once");
            assert_eq!(redis.cli_as("app", app_password().reveal(), &["PING"]), "PONG");
        }
    }
}

#[tokio::test]
async fn a_stranger_is_thrown_out_at_once_and_the_applications_connections_stay() {
    let redis = settled("redis-server").await;
    admin(&redis, &["ACL", "SETUSER", "mallory", "on", ">sesame", "~*", "+@all"]);
    let ids = |user: &str| {
        let clients = admin(&redis, &["CLIENT", "LIST"]);
        let theirs = clients.lines().filter(|line| line.contains(&format!(" user={user} ")));
        theirs.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let _app = redis.client("app", app_password().reveal()).await;
    let _mallory = redis.client("mallory", "sesame").await;
    admin(&redis, &["ACL", "SETUSER", "app", "+flushall"]);
    let (app, mallory) = (ids("app"), ids("mallory"));
    assert_eq!((app.len(), mallory.len()), (1, 1));
    assert_eq!(first_look(&redis).await.unwrap().drift.len(), 2);
    assert_eq!((ids("app"), ids("mallory")), (app, vec![]));
}

#[tokio::test]
async fn rights_that_the_operator_lost_are_taken_back_where_it_may() {
    for program in each() {
        for command in ["ping", "info", "config|get", "config|set", "acl|list", "acl|deluser", "acl|log"] {
            let redis = RedisServer::start_program(&program, &config_without(&[command])).await;
            let drift = first_look(&redis).await.unwrap().drift;
            let told: Vec<_> = drift.iter().map(|drift| (drift.parameter, &drift.correction)).collect();
            assert_eq!(told, [(Parameter::Rights("operator"), &Correction::Corrected)], "{program}: {command}");
            assert_eq!(first_look(&redis).await.unwrap().drift, []);
        }
    }
}

#[tokio::test]
async fn another_list_reaches_a_server_that_runs_and_its_prefix_stays() {
    for (program, acl) in each().iter().flat_map(|program| [(program, Acl::Standard), (program, Acl::Strict)]) {
        let redis = settled(program).await;
        let mut other = want();
        other.users = users(acl, "shop:");
        let answer = look_for(&redis, &other).await;
        let [Drift { parameter: Parameter::Rights("app"), correction: Correction::Corrected, .. }] = &answer.drift[..]
        else {
            panic!("{:?}", answer.drift)
        };
        assert!(want().was_met_by(&answer.drift[0], &other), "which nobody changed by hand");
        let refused = redis.cli_as("app", app_password().reveal(), &["EVAL", "return 1", "0"]);
        assert!(refused.starts_with("NOPERM"), "{refused}");
        let written = redis.cli_as("app", app_password().reveal(), &["HMSET", "shop:a", "data", "x"]);
        assert_eq!(written, "OK");
    }
}

#[tokio::test]
async fn a_command_that_later_servers_know_is_given_to_them_only_and_is_no_drift() {
    for program in each() {
        let redis = settled(&program).await;
        let version = first_look(&redis).await.unwrap().version;
        let knows = !version.starts_with("7.0");
        assert_eq!(admin(&redis, &["ACL", "GETUSER", "app"]).contains("client|setinfo"), knows, "{version}");
        if knows {
            admin(&redis, &["ACL", "SETUSER", "app", "-client|setinfo"]);
            let found = "also has -client|setinfo and lacks +client|setinfo";
            let told = drift(Parameter::Rights("app"), found, Correction::Corrected);
            assert_eq!(first_look(&redis).await.unwrap().drift, [told], "taken away by hand it is");
        }
    }
}

/// A Valkey of which every user is said to have these words, from the first command on that makes a user, or until then.
async fn saying(words: &'static str, is_its_own: bool, sets: &Arc<AtomicUsize>) -> Fake {
    let sets = Arc::clone(sets);
    Fake::redis_but(move |asked| {
        if asked.starts_with("ACL SETUSER") {
            sets.fetch_add(1, Ordering::Relaxed);
        }
        let says_so = is_its_own || sets.load(Ordering::Relaxed) == 0;
        let list = || {
            let users = want().users;
            let lines = users.iter().map(|user| {
                let more = if says_so && user.name != "admin" { words } else { "" };
                let line = format!("user {} {} {more}", user.name, user.words(false).join(" "));
                format!("${}\r\n{line}\r\n", line.len())
            });
            format!("*{}\r\n{}", users.len(), lines.collect::<String>()).into_bytes()
        };
        asked.starts_with("ACL LIST").then(list)
    })
    .await
}

#[tokio::test]
async fn what_a_server_says_of_every_user_and_nobody_knows_is_no_drift_and_found_out_once() {
    let sets = Arc::default();
    let fake = saying("alldbs", true, &sets).await;
    let probe = probe();
    for _ in 0..3 {
        let answer = look(&probe, &fake.server, &login(), &want()).await.unwrap();
        assert!(answer.drift.iter().all(|drift| drift.parameter == Parameter::EvictionPolicy), "{:?}", answer.drift);
        let told: Vec<_> = answer.unknown_words.iter().map(|(user, words)| (*user, words.len())).collect();
        assert_eq!(told, [("app", 1), ("default", 1), ("operator", 1), ("probe", 1)]);
        assert_eq!(sets.load(Ordering::Relaxed), 4, "each user was set once to find out");
    }
}

#[tokio::test]
async fn what_nobody_knows_and_goes_when_a_user_is_set_as_a_whole_was_somebodys_doing() {
    let sets = Arc::default();
    let fake = saying("everything-goes", false, &sets).await;
    let probe = probe();
    let answer = look(&probe, &fake.server, &login(), &want()).await.unwrap();
    let told = drift(Parameter::Rights("app"), "also has everything-goes", Correction::Corrected);
    assert!(answer.drift.contains(&told), "{:?}", answer.drift);
    assert!(answer.unknown_words.is_empty());
    let answer = look(&probe, &fake.server, &login(), &want()).await.unwrap();
    assert!(!answer.drift.contains(&told) && answer.unknown_words.is_empty());
}

#[tokio::test]
async fn while_paused_what_nobody_knows_is_left_alone_and_told() {
    let sets = Arc::default();
    let fake = saying("alldbs", true, &sets).await;
    let mut paused = want();
    paused.correct = false;
    let answer = look(&probe(), &fake.server, &login(), &paused).await.unwrap();
    assert_eq!((answer.unknown_words.len(), sets.load(Ordering::Relaxed)), (4, 0));
    assert!(answer.drift.iter().all(|drift| drift.parameter == Parameter::EvictionPolicy), "{:?}", answer.drift);
}

#[tokio::test]
async fn databases_that_somebody_keeps_a_user_from_are_given_back() {
    for program in each() {
        let redis = settled(&program).await;
        // Valkey 9.1 and later.
        if admin(&redis, &["ACL", "SETUSER", "app", "db=3"]) != "OK" {
            continue;
        }
        let probe = probe();
        let answer = look(&probe, &server_of(&redis), &login(), &want()).await.unwrap();
        let told = drift(Parameter::Rights("app"), "also has db=3", Correction::Corrected);
        assert_eq!(answer.drift, [told], "{program}");
        let written = redis.cli_as("app", app_password().reveal(), &["HMSET", "shop:a", "data", "x"]);
        assert_eq!(written, "OK", "{program}");
        let answer = look(&probe, &server_of(&redis), &login(), &want()).await.unwrap();
        assert_eq!((&answer.drift[..], answer.unknown_words.len()), (&[][..], 0), "{program}");
    }
}

#[tokio::test]
async fn a_password_that_is_not_known_is_left_as_it_is() {
    let redis = settled("redis-server").await;
    let mut unknown = want();
    let app = unknown.users.iter_mut().find(|user| user.name == "app").unwrap();
    app.passwords = Passwords::AsFound;
    admin(&redis, &["ACL", "SETUSER", "app", "+flushall"]);
    let answer = look_for(&redis, &unknown).await;
    assert_eq!(answer.drift, [drift(Parameter::Rights("app"), "also has +flushall", Correction::Corrected)]);
    assert_eq!(redis.cli_as("app", app_password().reveal(), &["PING"]), "PONG");
    assert!(redis.cli_as("app", app_password().reveal(), &["FLUSHALL"]).starts_with("NOPERM"));
}

#[tokio::test]
async fn a_second_password_is_added_and_the_first_removed_under_connections_that_stay() {
    for program in each() {
        let redis = settled(&program).await;
        let ping = |password: &Password| redis.cli_as("app", password.reveal(), &["PING"]);
        let with = |passwords: Vec<Password>| {
            let mut want = want();
            let app = want.users.iter_mut().find(|user| user.name == "app").unwrap();
            app.passwords = Passwords::These(passwords.iter().map(Password::sha256).collect());
            want
        };
        let _early = redis.client("app", app_password().reveal()).await;
        let ids = || {
            let clients = admin(&redis, &["CLIENT", "LIST"]);
            let theirs = clients.lines().filter(|line| line.contains(" user=app "));
            theirs.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let connected = ids();
        let both = with(vec![app_password(), other_password()]);
        let found = |found| [drift(Parameter::AppPassword, found, Correction::Corrected)];
        assert_eq!(look_for(&redis, &both).await.drift, found("only some of its passwords"), "{program}");
        assert_eq!(look_for(&redis, &both).await.drift, [], "{program}");
        assert_eq!([ping(&app_password()), ping(&other_password())], ["PONG", "PONG"], "{program}");
        let new = with(vec![other_password()]);
        assert_eq!(look_for(&redis, &new).await.drift, found("2 passwords"), "{program}");
        assert_eq!(ping(&other_password()), "PONG", "{program}");
        assert!(ping(&app_password()).starts_with("NOAUTH"), "{program}");
        assert_eq!((connected.len(), ids()), (1, connected), "{program}: who is connected stays so");
    }
}

#[tokio::test]
async fn while_paused_users_are_only_compared() {
    let redis = settled("redis-server").await;
    admin(&redis, &["ACL", "SETUSER", "default", "on", "nopass", "~*", "+@all"]);
    admin(&redis, &["ACL", "SETUSER", "mallory", "on"]);
    let before = admin(&redis, &["ACL", "LIST"]);
    let mut paused = want();
    paused.correct = false;
    let told: Vec<_> = look_for(&redis, &paused).await.drift;
    let withheld = |parameter, found| drift(parameter, found, Correction::Withheld);
    let expected = [
        withheld(Parameter::Login("default"), "switched on"),
        withheld(Parameter::Rights("default"), "also has +@all, ~*"),
        withheld(Parameter::Strangers, "mallory"),
    ];
    assert_eq!(told, expected);
    assert_eq!(admin(&redis, &["ACL", "LIST"]), before);
}

#[tokio::test]
async fn applications_are_shut_out_while_one_is_refused_and_none_is_logged_in() {
    for program in each() {
        let redis = settled(&program).await;
        assert_eq!(first_look(&redis).await.unwrap().shut_out, ShutOut::Nobody, "{program}: nobody was refused");
        redis.cli_as("app", ADMIN_PASSWORD, &["PING"]);
        assert_eq!(first_look(&redis).await.unwrap().shut_out, ShutOut::Everybody, "{program}");
        let client = redis.client("app", app_password().reveal()).await;
        assert_eq!(first_look(&redis).await.unwrap().shut_out, ShutOut::Nobody, "{program}: another one is in");
        drop(client);
        let (probe, server, login, want) = (probe(), server_of(&redis), login(), want());
        let shut_out = async || look(&probe, &server, &login, &want).await.unwrap().shut_out;
        shut_out().await;
        redis.cli_as("app", app_password().reveal(), &["HMSET", "shop:a", "data", "x"]);
        assert_eq!(shut_out().await, ShutOut::Perhaps, "{program}: somebody wrote, and is gone again");
    }
}

#[tokio::test]
async fn what_the_application_was_refused_is_told_until_the_log_has_it_no_more() {
    for program in each() {
        let redis = settled(&program).await;
        let app = |words: &[&str]| redis.cli_as("app", app_password().reveal(), words);
        assert_eq!(first_look(&redis).await.unwrap().refusals, []);
        redis.cli_as("app", ADMIN_PASSWORD, &["PING"]);
        app(&["FLUSHALL"]);
        app(&["CONFIG", "SET", "maxmemory", "1"]);
        app(&["HMGET", "other:22222222-2222.aaaa", "data"]);
        app(&["EVAL", "return redis.call('HMGET', KEYS[1], 'data')", "1", "other:a"]);
        let mut client = redis.client("app", app_password().reveal()).await;
        assert!(say(&mut client, "SUBSCRIBE news").await.starts_with("-NOPERM"));
        let expected = [
            Refusal::Password,
            Refusal::Command("config|set".to_owned()),
            Refusal::Command("flushall".to_owned()),
            Refusal::Key("eval".to_owned()),
            Refusal::Key("hmget".to_owned()),
            Refusal::Channel,
        ];
        for _ in 0..2 {
            let answer = first_look(&redis).await.unwrap();
            assert_eq!(answer.refusals, expected, "{program}");
            assert!(!format!("{answer:?}").contains("2222"), "no key is told");
        }
        admin(&redis, &["ACL", "LOG", "RESET"]);
        assert_eq!(first_look(&redis).await.unwrap().refusals, []);
    }
}

#[tokio::test]
async fn a_prefix_of_glob_characters_stands_for_itself() {
    for program in each() {
        let prefix = r"a*b?c[d]e\f:";
        let redis = RedisServer::start_program(&program, &config_with(&users(Acl::Strict, prefix))).await;
        let mut odd = want();
        odd.users = users(Acl::Strict, prefix);
        assert_eq!(look_for(&redis, &odd).await.drift, []);
        let write = |key: &str| redis.cli_as("app", app_password().reveal(), &["HMSET", key, "data", "x"]);
        assert_eq!(write(&format!("{prefix}1")), "OK");
        for other in [r"axb?c[d]e\f:1", r"a*bxc[d]e\f:1", r"a*b?cde\f:1", r"a*b?c[d]ef:1"] {
            assert!(write(other).starts_with("NOPERM"), "{program}: {other}");
        }
    }
}
