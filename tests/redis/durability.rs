//! Whether a server keeps what is written to it: switched on and off by hand, read back, and told where it fails.

use tokencache_operator::{
    probe::Probe,
    redis::look::{
        Desired,
        answer::{Answer, Impediment, Saving},
        drift::{Correction, Drift, Parameter},
    },
};

use crate::scene::{admin, config, login, look, probe, server_of, want};
use crate::support::eventually::eventually;
use crate::support::redis_server::RedisServer;

fn kept() -> Desired {
    Desired { append_only: true, ..want() }
}

fn kept_config() -> String {
    config() + "appendonly yes\nappendfsync everysec\n"
}

/// A server that keeps what is written, and has made its file: it accepts connections before it has.
async fn keeping() -> RedisServer {
    let redis = RedisServer::start(&kept_config()).await;
    assert_eq!(admin(&redis, &["PING"]), "PONG");
    redis
}

fn drift(parameter: Parameter, found: &str) -> Vec<Drift> {
    vec![Drift { parameter, found: found.to_owned(), correction: Correction::Corrected, corrected_at: None }]
}

async fn see(probe: &Probe, redis: &RedisServer, want: &Desired) -> Answer {
    look(probe, &server_of(redis), &login(), want).await.unwrap()
}

#[tokio::test]
async fn a_server_that_keeps_what_is_written_is_as_wanted() {
    let redis = keeping().await;
    let answer = see(&probe(), &redis, &kept()).await;
    assert_eq!((answer.drift, answer.saving, answer.impediment), (vec![], Saving::default(), None));
}

#[tokio::test]
async fn a_file_that_was_switched_off_is_switched_on_again_with_what_was_written_meanwhile() {
    let mut redis = keeping().await;
    assert_eq!(admin(&redis, &["CONFIG", "SET", "appendonly", "no"]), "OK");
    assert_eq!(admin(&redis, &["SET", "meanwhile", "written"]), "OK");
    let probe = probe();
    assert_eq!(see(&probe, &redis, &kept()).await.drift, drift(Parameter::AppendOnly, "no"));
    assert_eq!(see(&probe, &redis, &kept()).await.drift, vec![], "told once");
    eventually("the file has been written", async || {
        let info = admin(&redis, &["INFO", "persistence"]);
        let done = ["aof_enabled:1", "aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"];
        if done.iter().all(|line| info.contains(line)) { Ok(()) } else { Err(info) }
    })
    .await;
    redis.restart().await;
    eventually("what was written meanwhile is there after a restart", async || {
        let read = admin(&redis, &["GET", "meanwhile"]);
        if read == "written" { Ok(()) } else { Err(read) }
    })
    .await;
}

#[tokio::test]
async fn a_file_that_nobody_asked_for_is_switched_off() {
    let redis = RedisServer::start(&config()).await;
    assert_eq!(admin(&redis, &["CONFIG", "SET", "appendonly", "yes"]), "OK");
    assert_eq!(see(&probe(), &redis, &want()).await.drift, drift(Parameter::AppendOnly, "yes"));
    assert_eq!(admin(&redis, &["CONFIG", "GET", "appendonly"]), "appendonly\nno");
}

#[tokio::test]
async fn writes_that_wait_in_the_kernel_are_brought_to_the_disk_every_second_again() {
    let redis = keeping().await;
    assert_eq!(admin(&redis, &["CONFIG", "SET", "appendfsync", "no"]), "OK");
    assert_eq!(see(&probe(), &redis, &kept()).await.drift, drift(Parameter::AppendFsync, "no"));
    assert_eq!(admin(&redis, &["CONFIG", "GET", "appendfsync"]), "appendfsync\neverysec");
    assert_eq!(admin(&redis, &["CONFIG", "SET", "appendonly", "no", "appendfsync", "no"]), "OK");
    assert_eq!(see(&probe(), &redis, &want()).await.drift, vec![], "without a file nothing is brought anywhere");
}

#[tokio::test]
async fn a_disk_that_is_full_is_told_in_the_servers_words_and_as_a_write_that_failed() {
    let redis = keeping().await;
    // Where the next file would be is a device that is always full.
    let next = redis.folder().join("appendonlydir/appendonly.aof.2.incr.aof");
    std::os::unix::fs::symlink("/dev/full", next).unwrap();
    let rewritten = admin(&redis, &["BGREWRITEAOF"]);
    assert!(rewritten.starts_with("Background append only file rewriting started"), "{rewritten}");
    let probe = probe();
    let words = eventually("it refuses writes", async || {
        admin(&redis, &["SET", "x", "y"]);
        let answer = see(&probe, &redis, &kept()).await;
        match answer.impediment {
            Some(Impediment::CannotSave(words)) if answer.saving.write_failed => Ok(words),
            other => Err(format!("{other:?} {:?}", answer.saving)),
        }
    })
    .await;
    assert!(words.starts_with("MISCONF Errors writing to the AOF file: No space left on device"), "{words}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_anew_is_told() {
    let redis = keeping().await;
    // A folder stands where the file should.
    std::fs::create_dir(redis.folder().join("appendonlydir/appendonly.aof.2.base.rdb")).unwrap();
    std::fs::write(redis.folder().join("appendonlydir/appendonly.aof.2.base.rdb/x"), "").unwrap();
    let probe = probe();
    let saving = eventually("the rewrite has failed", async || {
        admin(&redis, &["BGREWRITEAOF"]);
        let saving = see(&probe, &redis, &kept()).await.saving;
        if saving.rewrite_failed { Ok(saving) } else { Err(format!("{saving:?}")) }
    })
    .await;
    assert!(!saving.write_failed, "what is written is still appended");
}
