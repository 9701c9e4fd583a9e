//! Everything that the conditions about Redis can say, in one snapshot for each source: read it as somebody would who was
//! woken by it. A message tells what was seen, where, what it leads to, and what to do.

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rustls::CertificateError;
use serde_json::{Value, json};
use tokencache_operator::{
    api::v1alpha1::{Acl, EvictionPolicy as Policy},
    kubernetes::identity::Found,
    redis::{
        look::{
            answer::{Answer, Detour, Impediment, Refusal, Reload, Role, ShutOut},
            drift::{Correction, Drift, Parameter},
            fault::{Fault, Foreign, Kill, Untrusted},
        },
        server::objects::RESTARTED_ANNOTATION,
        tls::{
            certificate::{Distrust, Fingerprint},
            issue,
        },
    },
};

use super::pods::{on_node, pod, running, unschedulable, waiting, waiting_after};
use super::seen::{Seen, made_now, started_at, well};
use super::world::{World, shop};

fn drift(parameter: Parameter, found: &str, correction: Correction) -> Drift {
    Drift { parameter, found: found.to_owned(), correction, corrected_at: None }
}

#[test]
fn what_is_said_of_a_server_that_gives_no_answer() {
    let noperm = Fault::NoPermission {
        command: "config|get".to_owned(),
        message: "NOPERM User operator has no permissions to run the 'config|get' command".to_owned(),
    };
    let cases = [
        Seen::fault(Fault::Unreachable("connection refused".to_owned())).told("the pod is ready, the port is closed"),
        Seen::fault(Fault::Unreachable("no answer to the connection request within 2 s".to_owned()))
            .told("packets to the pod are dropped"),
        Seen::pod(&running(false))
            .outcome(Err(Fault::Unreachable("connection refused".to_owned())))
            .told("the pod is not ready, the port is closed"),
        Seen::pod(&started_at("2026-01-01T11:59:45Z"))
            .outcome(Err(Fault::Unreachable("connection refused".to_owned())))
            .told("the pod was started 15 s ago, the port is closed"),
        Seen::pod(&on_node(false, &json!({"waiting": {"reason": "ContainerCreating"}}), &json!({})))
            .outcome(Err(Fault::Unreachable("connection refused".to_owned())))
            .told("the container is being made"),
        Seen::fault(Fault::Frozen).told("the server is frozen, and kubelet has not noticed yet"),
        Seen::pod(&running(false)).outcome(Err(Fault::Frozen)).told("the server is frozen"),
        Seen::pod(&on_node(
            false,
            &json!({"running": {"startedAt": "2025-12-01T12:00:00Z"}}),
            &json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
        ))
        .outcome(Err(Fault::Frozen))
        .told("the server is frozen, and was killed for its memory a month ago"),
        Seen::pod(&unready_since("2026-01-01T12:00:01Z"))
            .outcome(Ok(well()))
            .told("kubelet has ceased to call it ready since"),
        Seen::pod(&unready_since("2026-01-01T12:00:00Z"))
            .outcome(Ok(well()))
            .told("and before the look, in the same second"),
        Seen::fault(Fault::Slow).told("the server answers slowly"),
        Seen::fault(Fault::WritesWait).told("the server keeps writes waiting"),
        Seen::fault(Fault::Full).told("the server has too many clients to let the operator in"),
        Seen::fault(Fault::WrongPassword).told("the operator's password is refused"),
        Seen::fault(Fault::WrongPassword)
            .with(|world| world.observed.pods = vec![pod(&running(true))])
            .told("the pod was started with an earlier operator password"),
        Seen::fault(noperm).told("the operator's user lacks a right"),
        Seen::fault(Fault::Loading).told("the server is loading"),
        Seen::fault(Fault::TlsPort).told("the port speaks TLS"),
        Seen::fault(Fault::NotRedis(String::new())).told("the port closes every connection"),
        Seen::fault(Fault::NotRedis("HTTP/1.1 400 Bad Request".to_owned())).told("the port speaks HTTP"),
        Seen::fault(Fault::Unexpected("info: the answer never ended".to_owned())).told("the answer makes no sense"),
        Seen::pod(&running(true)).told("the server has not been looked at yet"),
        Seen::fault(Fault::Frozen)
            .with(|world| world.observed.samples[0].taken = "2026-01-01T11:58:24Z".parse().unwrap())
            .told("the last look is 96 s old"),
        Seen::fault(Fault::Frozen)
            .with(|world| world.observed.samples[0].taken = "2026-01-01T11:58:25Z".parse().unwrap())
            .told("the last look is 95 s old"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn what_is_said_of_a_server_that_answers() {
    use Correction::{Corrected, Followed, Ineffective, NoRoom, Refused, Withheld};
    use Parameter::{AppPassword, EvictionPolicy, MaxMemory};
    let noperm = || Refused("NOPERM User operator has no permissions to run the 'config|set' command".to_owned());
    let policy = |correction| drift(EvictionPolicy, "noeviction", correction);
    let memory = |correction| drift(MaxMemory, "0", correction);
    let app = |correction| drift(AppPassword, "another password", correction);
    let replica = Answer { role: Some(Role::Replica), ..well() };
    let detour = |is_confirmed| {
        let detour = Detour { why: "connection refused".to_owned(), is_confirmed };
        Answer { detour: Some(detour), ..well() }
    };
    let cases = [
        Seen::answer(vec![]).told("all is well"),
        Seen::answer(vec![]).paused().told("all is well, and paused"),
        Seen::answer(vec![policy(Corrected)]).told("the policy was corrected"),
        Seen::answer(vec![memory(Corrected)]).told("the memory was corrected"),
        Seen::answer(vec![policy(Corrected), memory(Corrected)]).told("both were corrected"),
        Seen::answer(vec![policy(noperm())]).told("correcting the policy was refused"),
        Seen::answer(vec![memory(noperm())]).told("correcting the memory was refused"),
        Seen::answer(vec![policy(noperm()), memory(noperm())]).told("correcting both was refused"),
        Seen::answer(vec![policy(Corrected), memory(noperm())]).told("one was corrected, the other refused"),
        Seen::answer(vec![policy(Ineffective("noeviction".to_owned()))]).told("the policy did not change"),
        Seen::answer(vec![drift(MaxMemory, "1073741824", Ineffective("1073741824".to_owned()))])
            .told("the memory did not change"),
        Seen::answer(vec![drift(MaxMemory, "1048576", Ineffective("1048576".to_owned()))]).told("and is too small"),
        Seen::answer(vec![policy(Withheld)]).paused().told("another policy while paused"),
        Seen::answer(vec![drift(EvictionPolicy, "allkeys-lru", Withheld)]).paused().told("allkeys while paused"),
        Seen::answer(vec![drift(EvictionPolicy, "volatile-ttl", Withheld)]).paused().told("volatile-ttl while paused"),
        Seen::pod(&running(true))
            .with(|world| world.cache = shop("redis: {maxMemory: 4Gi}"))
            .paused()
            .outcome(Ok(Answer { drift: vec![drift(MaxMemory, "268435456", NoRoom)], ..well() }))
            .told("more memory is wanted than the container has"),
        Seen::answer(vec![app(Followed)]).told("the applications' password is a new one"),
        Seen::answer(vec![app(Corrected)]).told("the applications' password was corrected"),
        Seen::answer(vec![app(noperm())]).told("correcting the applications' password was refused"),
        Seen::answer(vec![app(Withheld)]).paused().told("another password while paused"),
        Seen::answer(vec![drift(AppPassword, "2 passwords", Corrected)]).told("there was a second password"),
        Seen::answer(vec![drift(AppPassword, "no password needed", Withheld)]).paused().told("no password is needed"),
        Seen::answer(vec![drift(AppPassword, "no such user", noperm())]).told("the user app is gone"),
        Seen::answer(vec![drift(AppPassword, "no such user", Corrected)]).told("the user app was gone"),
        Seen::answer(vec![drift(AppPassword, "a user that is switched off", Withheld)])
            .paused()
            .told("the user app is switched off while paused"),
        Seen::answer(vec![drift(AppPassword, "a user that is switched off", Corrected)])
            .told("the user app was switched off"),
        Seen::answer(vec![])
            .with(|world| world.cache.spec.redis.eviction_policy = Policy::AllkeysLru)
            .told("the spec has changed since the look"),
        Seen::pod(&running(true)).outcome(Ok(replica)).told("the server is a replica"),
        Seen::pod(&running(true)).outcome(Ok(detour(false))).told("the Service's address did not lead there, once"),
        Seen::pod(&running(true)).outcome(Ok(detour(true))).told("the Service's address does not lead there"),
        impeded(Impediment::LacksReplicas).told("the server lacks replicas"),
        impeded(Impediment::CannotSave("MISCONF Redis is configured to save RDB snapshots".to_owned()))
            .told("the server cannot save"),
        impeded(Impediment::Full { clients: 10_000 }).told("the server has too many clients, the operator among them"),
        Seen::pod(&running(false)).outcome(Ok(well())).told("the server answers, its pod is not ready"),
        Seen::pod(&started_at("2026-01-01T11:59:45Z"))
            .outcome(Ok(well()))
            .told("the server answers, its pod was started 15 s ago"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

fn unready_since(time: &str) -> Value {
    let mut status = running(false);
    status["conditions"][1]["lastTransitionTime"] = time.into();
    status
}

#[test]
fn what_is_said_of_a_certificate() {
    use Correction::{Corrected, Refused, Withheld};
    use Distrust::{Expired, NotYetValid, UnknownIssuer, WrongName};
    use Parameter::{CertificateFiles, PlainPort};
    let served = |reload| Seen::pod(&running(true)).outcome(Ok(serving(reload, "2026-03-01T00:00:00Z")));
    let expired = |reload| Seen::pod(&running(true)).outcome(Ok(serving(reload, "2026-01-01T11:59:59Z")));
    let refused = || Reload::Refused("ERR CONFIG SET failed - Unable to update TLS configuration".to_owned());
    let distrusted = |distrust| Seen::fault(Fault::from(distrust));
    let foreign = |since: &str| {
        let shown = Foreign { fingerprint: Fingerprint::of(b"foreign"), issuer: "CN=stranger".to_owned() };
        Fault::Certificate(Untrusted { why: UnknownIssuer, shown: Some(shown), since: Some(since.parse().unwrap()) })
    };
    let kept = |fault| Seen::pod_of("redis: {persistence: {size: 2Gi}}", &running(true)).outcome(Err(fault));
    let written = |world: &mut World| {
        let mut secret = Secret::clone(world.observed.server_certificate.owned().unwrap());
        let entry = &mut secret.metadata.managed_fields.as_mut().unwrap()[0];
        entry.time = Some(Time("2026-01-01T11:56:00Z".parse().unwrap()));
        world.observed.server_certificate = Found::Owned(secret.into());
    };
    let replaced_before = |world: &mut World| {
        let mut set = StatefulSet::clone(world.observed.stateful_set.owned().unwrap());
        let template = set.spec.as_mut().unwrap().template.metadata.as_mut().unwrap();
        template
            .annotations
            .as_mut()
            .unwrap()
            .insert(RESTARTED_ANNOTATION.to_owned(), "2026-01-01T11:50:00Z".to_owned());
        world.observed.stateful_set = Found::Owned(set.into());
    };
    let provided = |change: fn(&mut World)| Seen::of("redis: {tls: {mode: Secret, secretName: mine}}").with(change);
    let replaced = |world: &mut World, names: &[&str], made: &str| {
        world.observed.provided_certificate = Some(super::world::provided(names, made.parse().unwrap()).into());
    };
    let cases = [
        served(Reload::Pending).told("another one has not reached the pod"),
        served(refused()).told("the server refuses to load another one"),
        served(Reload::Withheld).paused().told("another one is served while paused"),
        Seen::answer(vec![drift(CertificateFiles, "/tmp/tls.crt, /tmp/tls.key", Corrected)])
            .told("somebody named other files"),
        Seen::answer(vec![drift(PlainPort, "6379", Corrected)]).told("somebody opened a port for plain text"),
        Seen::answer(vec![drift(PlainPort, "6379", Withheld)]).paused().told("the same while paused"),
        Seen::answer(vec![drift(PlainPort, "6379", Refused("NOPERM".to_owned()))]).told("closing it was refused"),
        expired(Reload::Done).told("it has expired"),
        expired(Reload::Pending).told("it has expired, and the next one has not reached the pod"),
        expired(refused()).told("it has expired, and the server refuses to load the next one"),
        served(refused()).with(written).told("the same, a moment after it was made"),
        distrusted(UnknownIssuer).told("nobody knows who signed it"),
        Seen::fault(foreign("2026-01-01T11:58:00Z")).told("it is somebody else's"),
        kept(foreign("2026-01-01T11:59:00Z")).told("the same where entries are kept"),
        Seen::fault(foreign("2026-01-01T11:58:00Z"))
            .with(replaced_before)
            .told("the same after the pod was replaced for it"),
        Seen::fault(foreign("2026-01-01T11:58:00Z"))
            .with(|world| world.observed.samples[0].want.correct = false)
            .paused()
            .told("the same while paused"),
        distrusted(WrongName).told("it is for other names"),
        distrusted(Expired).told("one between it and the authority has expired"),
        distrusted(NotYetValid).told("its time has not come"),
        distrusted(Distrust::of(&CertificateError::BadEncoding)).told("it cannot be read"),
        Seen::fault(Fault::PlainText).told("the port speaks plain text"),
        Seen::fault(Fault::NotRedis(String::new())).told("the port closes every connection"),
        Seen::of("{}").told("it is being made"),
        provided(|world| world.observed.provided_certificate = None).told("the user's Secret is missing"),
        provided(|_| {})
            .with(|world| replaced(world, &["a.example", "b.example"], START))
            .told("it is for other names"),
        provided(|_| {}).with(|world| replaced(world, &[HOST], "2025-01-01T00:00:00Z")).told("the user's has expired"),
        provided(|_| {})
            .with(|world| replaced(world, &[HOST], "2026-02-01T00:00:00Z"))
            .told("the user's is not valid yet"),
        provided(|_| {}).with(with_the_authoritys_own).told("the user's is the authority's own"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

/// The Secret of the user has the authority's certificate in place of a server's.
fn with_the_authoritys_own(world: &mut World) {
    let authority = issue::authority("somebody", &[3; 128], START.parse().unwrap()).unwrap();
    let mut secret = Secret::clone(world.observed.provided_certificate.as_ref().unwrap());
    let data = secret.data.as_mut().unwrap();
    for (key, text) in [
        ("tls.crt", authority.certificate.as_str()),
        ("tls.key", authority.key.reveal()),
        ("ca.crt", &authority.certificate),
    ] {
        data.insert(key.to_owned(), ByteString(text.as_bytes().to_vec()));
    }
    world.observed.provided_certificate = Some(secret.into());
}

#[test]
fn what_is_said_of_a_script_that_keeps_everybody_waiting() {
    let noperm = "NOPERM User operator has no permissions to run the 'script|kill' command";
    let busy = |kill| Seen::fault(Fault::Busy(kill));
    let compatible = |world: &mut World| world.cache.spec.redis.acl = Acl::Compatible;
    let found = "a script for seconds, and refused everything else meanwhile";
    let ended = || Seen::answer(vec![drift(Parameter::Script, found, Correction::Corrected)]);
    let cases = [
        busy(Kill::NotYet).told("it was found for the first time"),
        busy(Kill::NotYet).with(compatible).told("and the applications may run scripts"),
        busy(Kill::Withheld).paused().told("the cache is paused"),
        busy(Kill::Unkillable).told("it has written"),
        busy(Kill::Unkillable).with(made_now).told("and its pod ends it"),
        busy(Kill::Unkillable).with(compatible).told("and the applications may run scripts"),
        busy(Kill::Refused(noperm.to_owned())).told("the operator may not end it"),
        busy(Kill::Ineffective).told("it goes on"),
        ended().told("it was ended"),
        ended().with(compatible).told("and the applications may run scripts"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn what_is_said_of_users_and_of_what_they_were_refused() {
    use Correction::{Corrected, Refused, Withheld};
    use Parameter::{Login, Rights, Strangers};
    let noperm = || Refused("NOPERM User operator has no permissions to run the 'acl|setuser' command".to_owned());
    let refused = |refusals: Vec<Refusal>| Seen::pod(&running(true)).outcome(Ok(Answer { refusals, ..well() }));
    let command = |name: &str| Refusal::Command(name.to_owned());
    let key = || Refusal::Key("hmget".to_owned());
    let strict = |world: &mut World| world.cache.spec.redis.acl = Acl::Strict;
    let compatible = |world: &mut World| world.cache.spec.redis.acl = Acl::Compatible;
    let unknown = |words: &[(&'static str, &str)]| {
        let unknown_words = words.iter().map(|(user, word)| (*user, [(*word).to_owned()].into())).collect();
        Seen::pod(&running(true)).outcome(Ok(Answer { unknown_words, ..well() }))
    };
    let cases = [
        Seen::answer(vec![drift(Rights("app"), "also has +flushall", Corrected)]).told("rights were taken back"),
        Seen::answer(vec![drift(Rights("app"), "lacks +hmset", noperm())]).told("rights are lacking"),
        Seen::answer(vec![drift(Rights("operator"), "lacks +acl|deluser", noperm())]).told("the operator's are"),
        Seen::answer(vec![
            drift(Login("default"), "switched on", Corrected),
            drift(Rights("default"), "also has +@all, ~*", Corrected),
        ])
        .told("default was switched on"),
        Seen::answer(vec![drift(Login("probe"), "no such user", Withheld)]).paused().told("the probe's user is gone"),
        Seen::answer(vec![drift(Strangers, "mallory", Corrected)]).told("a stranger was removed"),
        Seen::answer(vec![drift(Strangers, "a, b, c and 2 more", Withheld)]).paused().told("strangers while paused"),
        refused(vec![Refusal::Password]).told("a wrong password"),
        Seen::pod(&running(true))
            .outcome(Ok(Answer { refusals: vec![Refusal::Password], shut_out: ShutOut::Everybody, ..well() }))
            .told("a wrong password, and nobody is logged in"),
        refused(vec![command("keys"), command("get")]).told("a command that Standard refuses"),
        refused(vec![command("get")]).with(strict).told("a command that Strict refuses"),
        refused(vec![command("eval"), command("script|load")]).told("the scripts of package 8.0.x under Standard"),
        refused(vec![command("evalsha")]).with(strict).told("and under Strict"),
        refused(vec![command("script|flush")]).with(compatible).told("a command that Compatible refuses"),
        unknown(&[("app", "alldbs"), ("default", "alldbs")]).said_of("UsersVerified", "words that nobody knows"),
        refused(vec![key()]).told("a key of another prefix"),
        refused(vec![Refusal::Channel]).told("a channel"),
        refused(vec![Refusal::Password, command("keys"), key()]).told("all at once"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

const HOST: &str = "shop-redis.web.svc";
const START: &str = "2026-01-01T00:00:00Z";

fn serving(reload: Reload, not_after: &str) -> Answer {
    let mut served = super::seen::served(reload);
    served.not_after = not_after.parse().unwrap();
    Answer { certificate: Some(served), ..well() }
}

fn impeded(impediment: Impediment) -> Seen {
    Seen::pod(&running(true)).outcome(Ok(Answer { impediment: Some(impediment), ..well() }))
}

#[test]
fn what_is_said_of_a_pod_that_does_not_run() {
    let not_found = "rpc error: code = NotFound desc = failed to pull and unpack image \
                     \"docker.io/library/redis:8.2.9\": failed to resolve reference \"docker.io/library/redis:8.2.9\": \
                     docker.io/library/redis:8.2.9: not found";
    let back_off = format!("Back-off pulling image \"docker.io/library/redis:8.2.9\": ErrImagePull: {not_found}");
    let no_room = "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: 0/1 nodes \
                   are available: 1 No preemption victims found for incoming pod.";
    let directive = json!({
        "exitCode": 1, "reason": "Error",
        "message": "*** FATAL CONFIG FILE ERROR (Redis 8.2.9) ***\nReading the configuration file, at line 2\n>>> 'no-such-directive yes'\nBad directive or wrong number of arguments\n",
    });
    let pause = "back-off 20s restarting failed container=redis pod=shop-redis-0_web(uid-of-pod)";
    let of = |status: &Value, what: &str| Seen::pod(status).told(what);
    let exit = |code: i32| json!({"exitCode": code, "reason": "Error"});
    let evicted = json!({
        "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
        "containerStatuses": [{
            "name": "redis", "image": "a", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": exit(137)},
        }],
    });
    let oom = json!({"exitCode": 137, "reason": "OOMKilled"});
    let cases = [
        Seen::nothing().told("there is no pod"),
        of(&json!({}), "the pod is new"),
        of(&unschedulable(no_room), "no node takes the pod"),
        of(&json!({"phase": "Failed", "reason": "Evicted"}), "the pod was evicted before it ran"),
        of(&evicted, "the pod was evicted"),
        Seen::pod(&running(true))
            .with(|world| world.cache = shop("redis: {maxMemory: 512Mi}"))
            .told("the spec wants more memory, and the StatefulSet does not know it yet"),
        Seen::pod(&running(true))
            .with(|world| world.cache = shop("redis: {maxMemory: 512Mi}"))
            .paused()
            .told("the spec wants more memory, and the cache is paused"),
        Seen::pod(&running(true))
            .with(outdated)
            .told("the StatefulSet has another template than the pod was made from"),
        Seen::pod(&running(true))
            .with(|world| {
                let mut set = StatefulSet::clone(world.observed.stateful_set.owned().unwrap());
                set.metadata.generation = Some(2);
                world.observed.stateful_set = Found::Owned(set.into());
            })
            .told("somebody scaled the StatefulSet, and its controller has not seen yet that this was undone"),
        Seen::pod(&running(false)).with(going).told("the pod is going"),
        Seen::pod(&on_node(false, &json!({"terminated": {"exitCode": 0, "reason": "Completed"}}), &json!({})))
            .with(going)
            .told("the pod is going, and its server has ended"),
        Seen::pod(&running(false))
            .with(going)
            .with(|world| world.cache = shop("redis: {maxMemory: 512Mi}"))
            .told("the pod is going, because the spec wants more memory"),
        Seen::pod(&running(false))
            .with(going)
            .with(|world| world.cache.spec.redis.image = "docker.io/library/redis:8.4".to_owned())
            .told("the pod is going, because the spec wants another image"),
        of(&waiting("ContainerCreating", ""), "the container is being made"),
        of(&waiting("ErrImagePull", not_found), "the image was not found"),
        of(&waiting("ImagePullBackOff", &back_off), "kubelet waits before it pulls again"),
        of(
            &waiting("ImagePullBackOff", "Back-off pulling image \"docker.io/library/redis:8.2.9\""),
            "an older kubelet waits",
        ),
        of(
            &waiting(
                "InvalidImageName",
                "Failed to apply default image tag \"Redis:8.2:x\": couldn't parse image name \"Redis:8.2:x\": invalid reference format: repository name (library/Redis) must be lowercase",
            ),
            "the image's name is none",
        ),
        of(&waiting("CreateContainerConfigError", "secret \"shop-redis-users\" not found"), "a Secret is missing"),
        of(
            &waiting_after(
                "RunContainerError",
                "exec: \"sh\": executable file not found in $PATH",
                &json!({"exitCode": 128, "reason": "StartError", "message": "exec: \"sh\": executable file not found in $PATH"}),
            ),
            "the image has no shell",
        ),
        of(&waiting_after("CrashLoopBackOff", pause, &directive), "the server ends with last words"),
        of(&waiting_after("CrashLoopBackOff", pause, &exit(139)), "the server ends without a word"),
        of(&waiting_after("CrashLoopBackOff", pause, &exit(127)), "the image has no server"),
        of(&waiting_after("CrashLoopBackOff", pause, &exit(137)), "kubelet kills the server again and again"),
        of(&on_node(false, &json!({"terminated": exit(1)}), &json!({})), "the server has just ended"),
        of(
            &waiting_after("CrashLoopBackOff", pause, &json!({"exitCode": 0, "reason": "Completed"})),
            "the server ends as if all were well",
        ),
        of(&waiting_after("CrashLoopBackOff", pause, &oom), "the server was killed for its memory"),
        of(&on_node(false, &json!({"running": {}}), &json!({"terminated": oom})), "it is starting again after that"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn what_is_said_of_names_and_secrets() {
    let foreign = |world: &mut World| world.observed.service = Found::Foreign("Deployment web".to_owned());
    let unowned = |world: &mut World| world.observed.connection = Found::Foreign("helm".to_owned());
    let earlier = |world: &mut World| world.observed.stateful_set = Found::Leftover;
    let cases = [
        Seen::nothing().with(foreign).told("a Service of that name is somebody else's"),
        Seen::nothing().with(unowned).told("a Secret of that name has no owner"),
        Seen::nothing().with(earlier).told("an earlier cache's StatefulSet is being collected"),
        Seen::answer(vec![])
            .with(|world| world.observed.strangers = ["copy", "debug"].map(str::to_owned).into())
            .told("two pods have the labels of a server"),
        Seen::answer(vec![]).with(|world| edit(world, "short")).told("the binding's password was truncated"),
        Seen::answer(vec![]).with(|world| edit(world, &"X".repeat(40))).told("the binding's password is another one"),
        Seen::answer(vec![])
            .with(|world| edit(world, "with,comma,that,a,connection,cannot,carry"))
            .told("the binding's password cannot stand in a connection string"),
        Seen::pod(&running(true))
            .with(|world| world.observed.operator_login = edited(&world.observed.operator_login, "mine"))
            .told("the operator's password was changed"),
        Seen::pod(&running(true))
            .with(|world| world.observed.operator_login = Found::Absent)
            .told("the operator's Secret is gone"),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

fn outdated(world: &mut World) {
    let mut pod = Pod::clone(&world.observed.pods[0]);
    pod.metadata.labels.as_mut().unwrap().insert("controller-revision-hash".to_owned(), "shop-redis-0".to_owned());
    world.observed.pods = vec![pod.into()];
}

fn going(world: &mut World) {
    let mut pod = Pod::clone(&world.observed.pods[0]);
    let template = world.observed.stateful_set.owned().unwrap().spec.clone().unwrap().template;
    pod.spec = template.spec;
    pod.spec.as_mut().unwrap().node_name = Some("node-1".to_owned());
    pod.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T12:00:30Z")).unwrap();
    world.observed.pods = vec![pod.into()];
}

fn edit(world: &mut World, password: &str) {
    world.observed.connection = edited(&world.observed.connection, password);
}

type Slot = Found<std::sync::Arc<k8s_openapi::api::core::v1::Secret>>;

fn edited(secret: &Slot, password: &str) -> Slot {
    super::passwords::with(secret, "password", password)
}
