//! The sentences of kubelet, containerd and the scheduler, letter by letter (Kubernetes 1.35, containerd 1.7): what an
//! operator reads of a pod must be tried on what a pod really says.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// The waiting reason after a pull that failed.
pub const ERR_IMAGE_PULL: &str = "ErrImagePull";
/// The waiting reason until the next pull.
pub const IMAGE_PULL_BACK_OFF: &str = "ImagePullBackOff";
/// The scheduler's message on a cluster of one node that is full.
pub const UNSCHEDULABLE: &str = "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: \
                                 0/1 nodes are available: 1 No preemption victims found for incoming pod.";

/// A tag that the registry does not have.
pub fn image_not_found(image: &str) -> String {
    format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": failed to resolve reference \
         \"{image}\": {image}: not found"
    )
}

/// The same, while kubelet waits before it tries again.
pub fn back_off_pulling(image: &str) -> String {
    format!("Back-off pulling image \"{image}\": {ERR_IMAGE_PULL}: {}", image_not_found(image))
}

/// What kubelet says of an image whose name cannot be one; of the rules only the commonest is known here.
pub fn invalid_image_name(image: &str) -> Option<String> {
    let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
    repository.contains(char::is_uppercase).then(|| {
        format!(
            "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": invalid reference \
             format: repository name ({}) must be lowercase",
            repository.split_once('/').map_or(repository, |(_, name)| name)
        )
    })
}

/// Kubelet waits 10 s after the second crash, doubled with each further one, at most 5 min.
pub fn crash_loop_back_off(doublings: u32, container: &str, pod: &Pod) -> String {
    let pause = ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s"][doublings.min(5) as usize];
    let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
    let uid = pod.uid().unwrap_or_default();
    format!("back-off {pause} restarting failed container={container} pod={name}_{namespace}({uid})")
}
