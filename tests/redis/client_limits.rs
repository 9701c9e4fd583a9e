//! What clients may take of a server, on every server that there is.

use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tempfile::TempDir;
use tokencache_operator::{
    api::v1alpha1::Amount,
    redis::{
        look::{
            Desired, Trust,
            drift::{Correction, Drift, Parameter},
        },
        settings::{MaxMemory, client_limits::ClientLimits},
        tls::{certificate::Authorities, issue, schedule::AUTHORITY_LIFETIME},
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::scene::{
    admin, admin_over_tls, app_password, config, config_without, config_without_limits, first_look, limits, login,
    look, probe, server_of, want,
};
use crate::servers::each;
use crate::support::eventually::eventually;
use crate::support::redis_server::RedisServer;

/// The limits as the server has them, in the order of [`ClientLimits::settings`].
fn read(redis: &RedisServer) -> Vec<String> {
    let value = |(setting, _)| admin(redis, &["CONFIG", "GET", setting]).lines().last().unwrap().to_owned();
    limits().settings().map(value).to_vec()
}

fn wanted() -> Vec<String> {
    limits().settings().map(|(_, value)| value.to_string()).to_vec()
}

#[tokio::test]
async fn a_server_that_was_started_without_limits_gets_them_and_nobody_is_told() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config_without_limits()).await;
        let mut paused = want();
        paused.correct = false;
        let before = read(&redis);
        assert_eq!(look(&probe(), &server_of(&redis), &login(), &paused).await.unwrap().drift, [], "{program}");
        assert_eq!(read(&redis), before, "{program}: while paused nothing is changed");
        admin(&redis, &["ACL", "LOG", "RESET"]);
        assert_eq!(first_look(&redis).await.unwrap().drift, [], "{program}");
        assert_eq!(read(&redis), wanted(), "{program}");
        assert_eq!(admin(&redis, &["ACL", "LOG"]), "", "{program}");
    }
}

#[tokio::test]
async fn a_limit_that_somebody_changed_is_set_back_and_told() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        assert_eq!(read(&redis), wanted(), "{program}: the server takes them from its configuration");
        let others = [
            ("timeout", "0"),
            ("maxmemory-clients", "0"),
            ("client-query-buffer-limit", "2000000"),
            ("maxclients", "99"),
        ];
        for (setting, found) in others {
            assert_eq!(admin(&redis, &["CONFIG", "SET", setting, found]), "OK", "{program}: {setting}");
            let found = found.to_owned();
            let told = Drift {
                parameter: Parameter::Clients(setting),
                found,
                correction: Correction::Corrected,
                corrected_at: None,
            };
            assert_eq!(first_look(&redis).await.unwrap().drift, [told], "{program}: {setting}");
            assert_eq!(first_look(&redis).await.unwrap().drift, [], "{program}: told once");
        }
        assert_eq!(read(&redis), wanted(), "{program}");
    }
}

#[tokio::test]
async fn the_operators_connection_is_kept_where_others_are_closed_for_their_memory() {
    for program in each() {
        let redis = RedisServer::start_program(&program, &config()).await;
        let probe = probe();
        look(&probe, &server_of(&redis), &login(), &want()).await.unwrap();
        let clients = admin(&redis, &["CLIENT", "LIST"]);
        let own = clients.lines().find(|line| line.contains(" user=operator ")).unwrap();
        let flags = own.split(' ').find_map(|word| word.strip_prefix("flags=")).unwrap();
        assert!(flags.contains('e'), "{program}: {own}");
    }
}

#[tokio::test]
async fn an_operator_without_the_right_to_keep_its_connection_gives_itself_that_right() {
    let redis = RedisServer::start(&config_without(&["client|no-evict"])).await;
    let probe = probe();
    look(&probe, &server_of(&redis), &login(), &want()).await.unwrap();
    let clients = admin(&redis, &["CLIENT", "LIST"]);
    assert!(clients.lines().any(|line| line.contains(" user=operator ") && line.contains("flags=e")), "{clients}");
    assert_eq!(admin(&redis, &["ACL", "LOG"]), "");
}

#[tokio::test]
async fn fewer_clients_than_are_connected_are_not_allowed_before_some_have_gone() {
    let redis = RedisServer::start(&config_without_limits()).await;
    let probe = probe();
    let mut few = want();
    few.clients.clients = 6;
    let password = app_password();
    let connected = join_all((0..8).map(|_| redis.client("app", password.reveal()))).await;
    let answer = look(&probe, &server_of(&redis), &login(), &few).await.unwrap();
    assert!(answer.is_crowded && answer.drift.is_empty(), "{answer:?}");
    assert_eq!(read(&redis)[3], "10000");
    redis.client("app", password.reveal()).await;
    drop(connected);
    eventually("the limit is set", async || {
        let answer = look(&probe, &server_of(&redis), &login(), &few).await.unwrap();
        let most = admin(&redis, &["CONFIG", "GET", "maxclients"]);
        assert!(answer.drift.is_empty(), "nobody has changed anything: {answer:?}");
        if most == "maxclients\n6" && !answer.is_crowded { Ok(()) } else { Err(format!("{most}: {answer:?}")) }
    })
    .await;
}

/// Mebibytes that the entries of the flooded cache may take.
const MEBIBYTES: u64 = 64;
const ENTRIES: u64 = 12_000;
/// More connections than the limits allow.
const CONNECTIONS: usize = 900;

/// A cache's server with TLS, and how to reach it.
struct Flooded {
    redis: RedisServer,
    want: Desired,
    roots: RootCertStore,
    _folder: TempDir,
}

const HOST: &str = "shop-redis.web.svc";

impl Flooded {
    async fn start(program: &str, is_limited: bool) -> Self {
        let limits = ClientLimits::of(MaxMemory::parse(&Amount::Text(format!("{MEBIBYTES}Mi"))).unwrap());
        let (folder, now) = (tempfile::tempdir().unwrap(), Timestamp::now());
        let authority = issue::authority("shop-redis", &[1; 128], now).unwrap();
        let ends = now + AUTHORITY_LIFETIME;
        let issued = issue::certificate(&[HOST.to_owned()], &authority, ends, &[2; 128], now).unwrap();
        assert!(PrivateKeyDer::from_pem_slice(issued.key.reveal().as_bytes()).is_ok());
        let pairs = [
            ("tls-cert-file", "tls.crt", issued.certificate.as_str()),
            ("tls-key-file", "tls.key", issued.key.reveal()),
            ("tls-ca-cert-file", "ca.crt", &authority.certificate),
        ];
        let mut lines = String::new();
        for (setting, name, text) in pairs {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            lines.extend([setting, " ", &path.display().to_string(), "\n"]);
        }
        let limited = if is_limited { limits.lines() } else { String::new() };
        let config = format!(
            "{}maxmemory {MEBIBYTES}mb\nport 0\ntls-port 6379\ntls-auth-clients no\n{lines}{limited}",
            config_without_limits()
        );
        let redis = RedisServer::start_program(program, &config).await;
        let authorities = Authorities::parse(authority.certificate.as_bytes()).unwrap();
        let trust = Trust { name: HOST.to_owned(), authorities, certificate: None };
        let want = Desired { max_memory: MEBIBYTES << 20, clients: limits, trust: Some(trust), ..want() };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap()).unwrap();
        Self { redis, want, roots, _folder: folder }
    }

    fn connector(&self) -> TlsConnector {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        TlsConnector::from(Arc::new(builder.with_root_certificates(self.roots.clone()).with_no_client_auth()))
    }

    async fn connect(&self, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((self.redis.address(), self.redis.port())).await?;
        connector.connect(ServerName::try_from(HOST).unwrap(), stream).await
    }

    /// Fills the cache to nearly nine tenths.
    fn fill(&self) {
        let script = "for i = 1, tonumber(ARGV[1]) do local key = KEYS[1] .. i \
                      redis.call('HMSET', key, 'absexp', '-1', 'sldexp', '-1', 'data', ARGV[2]) \
                      redis.call('EXPIRE', key, 3600) end";
        let (count, payload) = (ENTRIES.to_string(), "x".repeat(3900));
        admin_over_tls(&self.redis, &["EVAL", script, "1", "shop:", &count, &payload]);
    }

    fn info(&self, field: &str) -> u64 {
        let info = admin_over_tls(&self.redis, &["INFO", "everything"]);
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{field}: {info}")).trim().parse().unwrap()
    }

    /// The most memory that the process has had, in bytes.
    fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.redis.process().pid())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        most.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// As many connections as there can be, each with as much of a command as Redis takes without a login.
    async fn flood(&self) -> Vec<TlsStream<TcpStream>> {
        let connector = self.connector();
        let argument = format!("$16000\r\n{}\r\n", "x".repeat(16_000));
        let half = format!("*10\r\n{}$16000\r\n{}", argument.repeat(9), "x".repeat(15_000));
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS {
            let Ok(mut stream) = self.connect(&connector).await else { continue };
            // One that is closed meanwhile says so here, or never.
            let _ = stream.write_all(half.as_bytes()).await;
            open.push(stream);
        }
        open
    }
}

/// Says a line, and returns the beginning of the answer.
async fn say(stream: &mut TlsStream<TcpStream>, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 200];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn whoever_has_no_password_pushes_no_entry_out_and_grows_no_server_out_of_its_container() {
    for program in each() {
        let flooded = Flooded::start(&program, true).await;
        let (probe, server) = (probe(), server_of(&flooded.redis));
        assert_eq!(look(&probe, &server, &login(), &flooded.want).await.unwrap().drift, [], "{program}");
        flooded.fill();
        let mut application = flooded.connect(&flooded.connector()).await.unwrap();
        let login_line = format!("AUTH app {}", app_password().reveal());
        assert_eq!(say(&mut application, &login_line).await, "+OK\r\n", "{program}");

        let open = flooded.flood().await;
        // Both were connected before.
        assert_eq!(say(&mut application, "HMGET shop:1 sldexp").await, "*1\r\n$2\r\n-1\r\n", "{program}");
        let answer = look(&probe, &server, &login(), &flooded.want).await;
        assert!(answer.is_ok(), "{program}: {answer:?}");
        drop(open);
        eventually("the server has seen them go", async || {
            let connected = flooded.info("connected_clients");
            if connected < 10 { Ok(()) } else { Err(connected.to_string()) }
        })
        .await;
        assert!(flooded.info("evicted_clients") > 0, "{program}: the flood was none");
        assert_eq!(
            (flooded.info("evicted_keys"), admin_over_tls(&flooded.redis, &["DBSIZE"])),
            (0, ENTRIES.to_string())
        );
        let container = (MEBIBYTES + MEBIBYTES / 4 + 64) << 20;
        assert!(flooded.most_memory() < container, "{program}: {} of {container}", flooded.most_memory());
    }
}

#[tokio::test]
async fn where_nothing_is_limited_the_same_flood_pushes_entries_out() {
    let flooded = Flooded::start("redis-server", false).await;
    flooded.fill();
    let open = flooded.flood().await;
    assert!(flooded.info("evicted_keys") > 0, "{} connections are no flood", open.len());
}
