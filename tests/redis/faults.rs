//! Every way in which a Redis can fail to answer has its own fault.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokencache_operator::redis::look::{
    Address, Desired,
    answer::{Answer, Impediment, MemorySettings, Product, Role, Saving, ShutOut},
    fault::Fault,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::fake::Fake;
use crate::scene::{
    admin, app_password, config, config_without, first_look, login, look, other_password, probe, server_at, server_of,
    want,
};
use crate::support::eventually::eventually;
use crate::support::process::own_address;
use crate::support::redis_server::{RedisServer, Setup};

/// More than a look may take, for a test that would otherwise hang.
const LONGER_THAN_A_LOOK: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_server_that_is_as_wanted_answers_without_drift() {
    let redis = RedisServer::start(&config()).await;
    let outcome = first_look(&redis).await;
    let answer = Answer {
        product: Product::Redis,
        version: "7.0.15".to_owned(),
        is_preview: false,
        role: Some(Role::Primary),
        impediment: None,
        memory: Some(MemorySettings { max_memory: 256 << 20, eviction_policy: "volatile-lru".to_owned() }),
        is_crowded: false,
        saving: Saving::default(),
        drift: vec![],
        certificate: None,
        unknown_words: BTreeMap::new(),
        callers: None,
        refusals: vec![],
        shut_out: ShutOut::Nobody,
        detour: None,
        usage: outcome.as_ref().map(|answer| answer.usage.clone()).unwrap_or_default(),
        unread: BTreeMap::new(),
    };
    assert_eq!(outcome, Ok(answer));
    assert_eq!(admin(&redis, &["ACL", "LOG"]), "", "the operator's user has every right that a look needs");
}

#[tokio::test]
async fn an_address_in_plain_text_is_tried_too() {
    let redis = RedisServer::start(&config()).await;
    let (probe, server) = (probe(), server_of(&redis));
    for (port, reaches) in [(redis.port(), true), (1, false)] {
        let at = SocketAddr::new(redis.address(), port);
        let address = Some(Address { host: redis.address().to_string(), at });
        let answer = look(&probe, &server, &login(), &Desired { address, ..want() }).await.unwrap();
        assert_eq!(answer.detour.is_none(), reaches, "{:?}", answer.detour);
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let server = server_at(own_address(6379), 6379);
    let outcome = look(&probe(), &server, &login(), &want()).await;
    assert_eq!(outcome, Err(Fault::Unreachable("connection refused".to_owned())));
}

#[tokio::test]
async fn an_address_that_leaves_the_connection_request_unanswered_is_unreachable() {
    let address = own_address(6379);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 6379).into()).unwrap();
    let _listener = socket.listen(1).unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect((address, 6379))).await {
        queue.push(stream.unwrap());
    }
    let outcome = look(&probe(), &server_at(address, 6379), &login(), &want()).await;
    assert_eq!(outcome, Err(Fault::Unreachable("no answer to the connection request within 2 s".to_owned())));
}

#[tokio::test]
async fn a_frozen_server_is_told_in_time_and_delays_no_other() {
    let (frozen, healthy) = (RedisServer::start(&config()).await, RedisServer::start(&config()).await);
    let probe = probe();
    frozen.process().freeze().await;
    let (frozen, healthy, login, want) = (server_of(&frozen), server_of(&healthy), login(), want());
    let slow = look(&probe, &frozen, &login, &want);
    tokio::pin!(slow);
    tokio::select! {
        biased;
        outcome = &mut slow => panic!("{outcome:?} came before the healthy server's answer"),
        outcome = look(&probe, &healthy, &login, &want) => assert!(outcome.is_ok()),
    }
    assert_eq!(timeout(LONGER_THAN_A_LOOK, slow).await.unwrap(), Err(Fault::Frozen));
}

#[tokio::test]
async fn a_server_that_freezes_between_looks_is_told_in_time_and_answers_again_when_it_goes_on() {
    let redis = RedisServer::start(&config()).await;
    let (probe, server) = (probe(), server_of(&redis));
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
    redis.process().freeze().await;
    let outcome = timeout(LONGER_THAN_A_LOOK, look(&probe, &server, &login(), &want())).await.unwrap();
    assert_eq!(outcome, Err(Fault::Frozen));
    redis.process().thaw();
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
}

#[tokio::test]
async fn another_password_or_no_such_user_is_a_wrong_password() {
    let redis = RedisServer::start(&config()).await;
    let mut wrong = login();
    wrong.password = other_password();
    assert_eq!(look(&probe(), &server_of(&redis), &wrong, &want()).await, Err(Fault::WrongPassword));
    wrong.username = "nobody".to_owned();
    assert_eq!(look(&probe(), &server_of(&redis), &wrong, &want()).await, Err(Fault::WrongPassword));
}

#[tokio::test]
async fn a_missing_right_is_told_with_the_command() {
    for command in ["ping", "info", "config|get", "acl|list"] {
        let redis = RedisServer::start(&config_without(&[command, "acl|setuser"])).await;
        match first_look(&redis).await {
            Err(Fault::NoPermission { command: told, message }) => {
                assert_eq!(told, command);
                assert!(message.starts_with("NOPERM "), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn while_no_users_are_known_none_is_asked_about() {
    let redis = RedisServer::start(&config_without(&["acl|list", "acl|setuser", "config|set"])).await;
    let mut memory_only = want();
    memory_only.users.clear();
    assert!(look(&probe(), &server_of(&redis), &login(), &memory_only).await.is_ok());
    assert_eq!(admin(&redis, &["ACL", "LOG"]), "");
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_loading() {
    let with_debug = config() + "enable-debug-command yes\n";
    let mut redis = RedisServer::start(&with_debug).await;
    assert_eq!(admin(&redis, &["DEBUG", "POPULATE", "50000"]), "OK");
    assert_eq!(admin(&redis, &["SAVE"]), "OK");
    redis.restart_with(&(with_debug + "key-load-delay 1000\nloading-process-events-interval-bytes 1024\n")).await;
    assert_eq!(first_look(&redis).await, Err(Fault::Loading));
}

#[tokio::test]
async fn a_tls_port_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("tls.key"), folder.path().join("tls.crt"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"])
        .args(["-subj", "/CN=shop-redis", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for clients in ["no", "yes"] {
        let (key, certificate) = (key.display(), certificate.display());
        let redis = RedisServer::start(&format!(
            "{}port 0\ntls-port 6379\ntls-cert-file {certificate}\ntls-key-file {key}\n\
             tls-ca-cert-file {certificate}\ntls-auth-clients {clients}\n",
            config()
        ))
        .await;
        assert_eq!(first_look(&redis).await, Err(Fault::TlsPort), "tls-auth-clients {clients}");
    }
}

#[tokio::test]
async fn a_replica_answers_as_one() {
    let primary = RedisServer::start(&config()).await;
    let replica = RedisServer::start(&format!(
        "{}replicaof {} {}\nmasteruser admin\nmasterauth admin\n",
        config(),
        primary.address(),
        primary.port()
    ))
    .await;
    assert_eq!(first_look(&replica).await.unwrap().role, Some(Role::Replica));
    assert_eq!(first_look(&primary).await.unwrap().role, Some(Role::Primary));
}

#[tokio::test]
async fn a_replica_that_refuses_data_without_its_primary_still_answers_a_look() {
    let nowhere = own_address(6379);
    let replica =
        RedisServer::start(&format!("{}replicaof {nowhere} 6379\nreplica-serve-stale-data no\n", config())).await;
    assert!(admin(&replica, &["GET", "x"]).starts_with("MASTERDOWN"));
    assert_eq!(first_look(&replica).await.unwrap().role, Some(Role::Replica));
}

#[tokio::test]
async fn a_server_that_is_full_is_told_to_whom_it_refuses_and_to_whom_it_held() {
    let redis = RedisServer::start(&(config() + "maxclients 3\n")).await;
    let held = probe();
    let mut few = want();
    few.clients.clients = 3;
    eventually("a connection is held", async || {
        look(&held, &server_of(&redis), &login(), &few).await.map_err(|fault| format!("{fault:?}"))
    })
    .await;
    let full = Err(Fault::Full);
    // The first to come may itself be one too many, while the server still serves the connection that awaited its start.
    let mut others = Vec::new();
    eventually("the server is full", async || {
        others.push(TcpStream::connect((redis.address(), redis.port())).await.unwrap());
        let outcome = look(&probe(), &server_of(&redis), &login(), &few).await;
        if outcome == full { Ok(()) } else { Err(format!("{outcome:?}")) }
    })
    .await;
    let answer = look(&held, &server_of(&redis), &login(), &few).await.unwrap();
    assert_eq!(answer.impediment, Some(Impediment::Full { clients: 3 }));
}

#[tokio::test]
async fn a_server_that_refuses_writes_for_want_of_replicas_is_told() {
    let redis = RedisServer::start(&(config() + "min-replicas-to-write 1\n")).await;
    assert!(admin(&redis, &["SET", "x", "y"]).starts_with("NOREPLICAS"));
    assert_eq!(first_look(&redis).await.unwrap().impediment, Some(Impediment::LacksReplicas));
}

#[tokio::test]
async fn a_server_that_could_not_save_and_refuses_writes_is_told_in_its_words() {
    let redis = RedisServer::start(&(config() + "dbfilename taken\n")).await;
    let (probe, server) = (probe(), server_of(&redis));
    assert_eq!(look(&probe, &server, &login(), &want()).await.unwrap().impediment, None);
    // A folder stands where the file should.
    std::fs::create_dir(redis.folder().join("taken")).unwrap();
    assert_eq!(admin(&redis, &["CONFIG", "SET", "save", "3600 1000"]), "OK");
    assert!(admin(&redis, &["BGSAVE"]).starts_with("Background saving started"));
    let words = eventually("it cannot save", async || {
        match look(&probe, &server, &login(), &want()).await.map(|answer| answer.impediment) {
            Ok(Some(Impediment::CannotSave(words))) => Ok(words),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(words.starts_with("MISCONF "), "{words}");
    assert!(admin(&redis, &["SET", "x", "y"]).starts_with("MISCONF"));
}

#[tokio::test]
async fn a_server_that_keeps_writes_waiting_is_told() {
    let redis = RedisServer::start(&config()).await;
    let (probe, server) = (probe(), server_of(&redis));
    assert_eq!(admin(&redis, &["CLIENT", "PAUSE", "60000", "WRITE"]), "OK");
    assert_eq!(look(&probe, &server, &login(), &want()).await, Err(Fault::WritesWait));
    assert_eq!(admin(&redis, &["CLIENT", "UNPAUSE"]), "OK");
    assert!(look(&probe, &server, &login(), &want()).await.is_ok());
}

#[tokio::test]
async fn a_server_that_answers_too_slowly_is_not_called_frozen() {
    let slow = Fake::slow(Duration::from_millis(1500)).await;
    let outcome = timeout(LONGER_THAN_A_LOOK, look(&probe(), &slow.server, &login(), &want())).await.unwrap();
    assert_eq!(outcome, Err(Fault::Slow));
}

#[tokio::test]
async fn a_server_that_echoes_the_login_in_its_refusal_is_quoted_without_it() {
    let redis = RedisServer::start("rename-command AUTH NOT-AUTH\n").await;
    assert!(
        redis.cli(&["AUTH", "operator", app_password().reveal()]).contains(app_password().reveal()),
        "it does echo"
    );
    let words = "ERR unknown command 'AUTH', with args beginning with: 'operator' '<redacted>'";
    assert_eq!(first_look(&redis).await, Err(Fault::Unexpected(words.to_owned())));
}

#[tokio::test]
async fn a_server_whose_config_command_was_renamed_is_quoted() {
    let redis = RedisServer::start(&(config() + "rename-command CONFIG HIDDEN\n")).await;
    match first_look(&redis).await {
        Err(Fault::Unexpected(words)) => assert!(words.contains("unknown command 'CONFIG'"), "{words}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_on_another_port_is_found_there() {
    let address = own_address(7001);
    let redis = Setup::new(&config()).at(address, 7001).start().await;
    assert!(first_look(&redis).await.is_ok());
}
