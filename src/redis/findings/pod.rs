//! The one thing that keeps a pod from running, in the words of kubelet and the scheduler.
//!
//! In: a pod. Out: a reason and a sentence, or nothing where the pod is well or on its way. Words that change from minute
//! to minute (how long kubelet will wait) are left out.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod, PodSpec, PodStatus,
};

use super::availability::{FIRST_PROBES, ONE_MULTIPLEXER};
use crate::{
    api::v1alpha1::Remedy,
    capability::cost::NOTHING_MORE,
    condition::{Message, Reason},
    kubernetes::words,
    redis::{
        restart::Restart,
        server::{
            objects::COMPONENT,
            pods::{is_ready, running},
        },
    },
};

/// How much of a crashing server's last words is told, in characters.
const LAST_WORDS: usize = 160;

/// The exit code of a process that was ended by SIGKILL.
const KILLED: i32 = 137;

/// What keeps a pod from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why, as one word.
    pub reason: Reason,
    /// What was seen, and what to do.
    pub message: Message,
}

/// What keeps this pod from running, if anything does. How its server ended before is told until a moment after it was
/// started again: then the server itself is asked.
#[must_use]
pub fn trouble(pod: &Pod, restart: Restart, now: Timestamp) -> Option<Trouble> {
    let place = Place {
        namespace: pod.metadata.namespace.as_deref().unwrap_or_default(),
        pod: pod.metadata.name.as_deref().unwrap_or_default(),
        restart,
    };
    let status = pod.status.as_ref()?;
    if is_ready(pod) {
        return None;
    }
    let runs_for_long =
        running(pod).and_then(|running| running.started_at.as_ref()).is_some_and(|at| at.0 <= now - FIRST_PROBES);
    unschedulable(place, pod.spec.as_ref(), status).or_else(|| {
        let containers = status.container_statuses.iter().flatten();
        let mut ours = containers.filter(|container| container.name == COMPONENT && !runs_for_long);
        ours.find_map(|container| of_container(place, container))
    })
}

/// Where to look for what is told.
#[derive(Clone, Copy)]
struct Place<'pod> {
    namespace: &'pod str,
    pod: &'pod str,
    restart: Restart,
}

fn unschedulable(place: Place<'_>, spec: Option<&PodSpec>, status: &PodStatus) -> Option<Trouble> {
    let scheduled = status.conditions.iter().flatten().find(|condition| condition.type_ == "PodScheduled")?;
    if scheduled.status != "False" || scheduled.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    let words = scheduled.message.as_deref().unwrap_or("the scheduler gives no reason");
    // What it tells of preemption says only that no other pod can be removed for this one.
    let ends = [". no new claims to deallocate", ". preemption: "].into_iter().filter_map(|end| words.find(end)).min();
    let words = sentence(&words[..ends.unwrap_or(words.len())]);
    let remedies = claim(spec).filter(|_| is_of_volumes(&words)).map_or_else(
        || {
            let step = "add room to the cluster, or change spec.redis.maxMemory or spec.redis.pod";
            vec![Remedy::costing(NOTHING_MORE, step)]
        },
        |claim| unbound(place, claim).into(),
    );
    Some(Trouble {
        reason: Reason::Unschedulable,
        message: Message::from(format!("no node takes pod {}: {words}", place.pod)).remedies(remedies),
    })
}

/// The claim that the pod's data are on.
fn claim(spec: Option<&PodSpec>) -> Option<&str> {
    let mut claims = spec?.volumes.iter().flatten().filter_map(|volume| volume.persistent_volume_claim.as_ref());
    claims.next().map(|claim| claim.claim_name.as_str())
}

/// Whether the scheduler speaks of volumes: `pod has unbound immediate PersistentVolumeClaims`, `node(s) didn't find
/// available persistent volumes to bind`, `persistentvolumeclaim "…" not found`, `node(s) had volume node affinity conflict`.
fn is_of_volumes(words: &str) -> bool {
    let words = words.to_lowercase();
    ["persistentvolume", "persistent volume", "volume node affinity"].iter().any(|part| words.contains(part))
}

/// What to do where no volume can be had, or not on a node that takes the pod.
fn unbound(Place { namespace, .. }: Place<'_>, claim: &str) -> [Remedy; 2] {
    [
        Remedy::look(format!("see what claim {claim} waits for"))
            .command(format!("kubectl -n {namespace} describe pvc {claim}")),
        Remedy::costing(
            "what is on the volume",
            "delete this TokenCache and its claim, and make it again with another StorageClass",
        ),
    ]
}

fn of_container(place: Place<'_>, container: &ContainerStatus) -> Option<Trouble> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting
        && let Some(trouble) = of_waiting(place, container, waiting)
    {
        return Some(trouble);
    }
    let ended = state.terminated.as_ref().or_else(|| container.last_state.as_ref()?.terminated.as_ref())?;
    Some(of_ended(place, ended))
}

fn of_waiting(place: Place<'_>, container: &ContainerStatus, waiting: &ContainerStateWaiting) -> Option<Trouble> {
    let pod = place.pod;
    let words = waiting.message.as_deref().unwrap_or_default();
    let image = &container.image;
    let correct = |what: &str| Remedy::costing(NOTHING_MORE, format!("correct spec.redis.image{what}"));
    let (reason, message) = match waiting.reason.as_deref()? {
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "RegistryUnavailable" => (
            Reason::ImagePullFailed,
            Message::from(format!("image {image} of pod {pod} cannot be pulled{}", cause(image, words)))
                .remedy(correct(", the registry, or spec.redis.pod.imagePullSecrets")),
        ),
        "InvalidImageName" => (
            Reason::InvalidImageName,
            Message::from(format!("{image:?} is not a valid image name: {}", sentence(words))).remedy(correct("")),
        ),
        reason @ ("CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "PostStartHookError") => (Reason::ContainerNotCreated, not_created(place, reason, words)),
        _ => return None,
    };
    Some(Trouble { reason, message })
}

/// Why an image cannot be pulled. While kubelet waits to try again it puts `Back-off pulling image "…": ErrImagePull:`
/// before the cause; the same cause reads the same here, whichever of the two states it was seen in. Of a chain of errors, each of
/// which names the image, the last is told: `failed to pull and unpack image "…": failed to resolve reference "…": …: not found`.
fn cause(image: &str, words: &str) -> String {
    let cause = words.rsplit_once("ErrImagePull: ").map_or(words, |(_, cause)| cause);
    if cause.is_empty() || cause.starts_with("Back-off") {
        return String::new();
    }
    let last = cause.rsplit_once("\": ").map_or(cause, |(_, last)| last);
    let last = last.strip_prefix(image).and_then(|last| last.strip_prefix(": ")).unwrap_or(last);
    format!(": {}", sentence(last))
}

fn of_ended(place: Place<'_>, ended: &ContainerStateTerminated) -> Trouble {
    let Place { namespace, pod, restart } = place;
    if ended.reason.as_deref() == Some("OOMKilled") {
        let fact =
            format!("the server in pod {pod} ran out of memory and was killed (OOMKilled); {}", restart.leads_to());
        return Trouble {
            reason: Reason::OutOfMemory,
            message: Message::from(fact)
                .remedy(Remedy::costing(restart.costs(), "set a higher spec.redis.maxMemory"))
                .remedy(Remedy::look(ONE_MULTIPLEXER)),
        };
    }
    let lines = ended.message.iter().flat_map(|message| message.lines());
    let words: Vec<&str> = lines.flat_map(|line| undated(line).split_whitespace()).collect();
    let words = words.join(" ");
    if let Some(reason @ ("StartError" | "ContainerCannotRun")) = ended.reason.as_deref() {
        return Trouble { reason: Reason::ContainerNotCreated, message: not_created(place, reason, &words) };
    }
    let left_out = words.chars().count().saturating_sub(LAST_WORDS);
    let last_words: String = words.chars().skip(left_out).collect();
    // One that was killed had no time to say why.
    let silent = last_words.is_empty() || ended.exit_code == KILLED;
    let begin = if left_out == 0 { "" } else { "…" };
    let said = if silent { String::new() } else { format!(": {begin}{last_words}") };
    let (meaning, remedy) = match ended.exit_code {
        126 | 127 => (
            " (the image has no redis-server and no valkey-server)",
            Remedy::costing(NOTHING_MORE, "correct spec.redis.image"),
        ),
        KILLED => {
            (" (killed by kubelet after a failed liveness probe, or by the node)", events("see the events", place))
        }
        _ => (
            "",
            Remedy::look("see the log of its last run")
                .command(format!("kubectl -n {namespace} logs {pod} --previous")),
        ),
    };
    let fact = format!("the server in pod {pod} ended with exit code {}{meaning}{said}", ended.exit_code);
    Trouble { reason: Reason::CrashLoop, message: Message::from(fact).remedy(remedy) }
}

/// What happened to the pod.
fn events(step: &str, Place { namespace, pod, .. }: Place<'_>) -> Remedy {
    Remedy::look(step).command(format!("kubectl -n {namespace} describe pod {pod}"))
}

/// A line of a server's log without the process, the time and the level, with which it begins: `1:M 28 Nov 2026 08:47:19.452 #`.
fn undated(line: &str) -> &str {
    let is_dated = line.split_once(' ').and_then(|(process, _)| process.split_once(':')).is_some_and(|(id, role)| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) && matches!(role, "M" | "S" | "C" | "X")
    });
    if is_dated { line.splitn(7, ' ').nth(6).unwrap_or_default() } else { line }
}

/// A container that could not be started. Of what containerd and runc tell, the last is why:
/// `failed to create containerd task: …: unable to start container process: exec: "sh": executable file not found in $PATH`.
fn not_created(place: Place<'_>, reason: &str, words: &str) -> Message {
    let words = sentence(words.rsplit_once("unable to start container process: ").map_or(words, |(_, why)| why));
    let why = if words.is_empty() { String::new() } else { format!(": {words}") };
    Message::from(format!("the container of pod {} cannot be started ({reason}){why}", place.pod))
        .remedy(events("if this lasts, see the events", place))
        .remedy(Remedy::costing(
            NOTHING_MORE,
            "set spec.redis.image to one with a shell, the server and redis-cli or valkey-cli",
        ))
}

fn sentence(words: &str) -> String {
    words::steady(words).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LOST: Restart = Restart::Lost(None);
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn pod(state: &serde_json::Value, last_state: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "shop-redis-0"},
            "status": {"containerStatuses": [{
                "name": "redis", "image": "nowhere/redis:1", "imageID": "", "ready": false, "restartCount": 1,
                "state": state, "lastState": last_state,
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn an_image_that_cannot_be_pulled_reads_the_same_while_kubelet_waits_to_try_again() {
        let failed = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"nowhere/redis:1\": ErrImagePull: not found"}});
        let trouble_of = |state| trouble(&pod(state, &json!({})), LOST, NOW).unwrap();
        assert_eq!(trouble_of(&failed), trouble_of(&waiting));
        assert_eq!(trouble_of(&failed).reason, Reason::ImagePullFailed);
        assert!(
            trouble_of(&failed).message.text.contains("nowhere/redis:1")
                && trouble_of(&failed).message.text.contains("not found")
        );
    }

    #[test]
    fn a_server_that_crashes_again_is_told_in_the_same_words() {
        let told = |message: &str| {
            let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": message}});
            trouble(&pod(&json!({"running": {}}), &ended), LOST, NOW).unwrap().message.text
        };
        let once = "1:C 28 Nov 2026 08:47:19.452 # oO0OoO0OoO0Oo\n7:M 28 Nov 2026 08:47:19.462 # Fatal: it is full\n";
        let again = "1:C 28 Nov 2026 08:48:01.001 # oO0OoO0OoO0Oo\n9:M 28 Nov 2026 08:48:01.010 # Fatal: it is full\n";
        assert_eq!(told(once), told(again));
        assert!(told(once).contains("exit code 1: oO0OoO0OoO0Oo Fatal: it is full"), "{}", told(once));
        assert!(told("1:2 is no line of a log").contains("1:2 is no line of a log"));
    }

    #[test]
    fn a_crash_loop_tells_the_servers_last_words_and_not_how_long_kubelet_waits() {
        let waiting =
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}});
        let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "Bad directive"}});
        let trouble = trouble(&pod(&waiting, &ended), LOST, NOW).unwrap();
        assert_eq!(trouble.reason, Reason::CrashLoop);
        assert!(trouble.message.text.contains("Bad directive") && trouble.message.text.contains("exit code 1"));
        assert!(!trouble.message.text.contains("40s"));
    }

    #[test]
    fn a_server_killed_for_its_memory_is_told_from_one_that_crashed() {
        let ended = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let running = json!({"running": {}});
        assert_eq!(trouble(&pod(&running, &ended), LOST, NOW).unwrap().reason, Reason::OutOfMemory);
    }

    #[test]
    fn what_ended_a_server_long_ago_does_not_hide_what_is_wrong_with_it_now() {
        let ended = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let since = |time: &str| trouble(&pod(&json!({"running": {"startedAt": time}}), &ended), LOST, NOW);
        assert_eq!(since("1969-12-31T23:59:50Z").unwrap().reason, Reason::OutOfMemory);
        assert_eq!(since("1969-12-31T23:59:40Z"), None);
    }

    #[test]
    fn a_pod_that_is_ready_again_has_no_trouble() {
        let mut pod = pod(&json!({"running": {}}), &json!({"terminated": {"exitCode": 1}}));
        pod.status.as_mut().unwrap().conditions =
            serde_json::from_value(json!([{"type": "Ready", "status": "True"}])).unwrap();
        assert_eq!(trouble(&pod, LOST, NOW), None);
    }

    #[test]
    fn a_container_that_is_being_made_has_no_trouble() {
        assert_eq!(trouble(&pod(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({})), LOST, NOW), None);
    }
}
