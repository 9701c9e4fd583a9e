//! A pod's volumes as folders: `ConfigMap`s, Secrets and projections of them are written as files, the rest are empty.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, KeyToPath, Pod, Secret, Volume, VolumeProjection};
use kube::{Api, Client, ResourceExt};

use super::rewrite::Rewrite;

type Files = BTreeMap<String, Vec<u8>>;

/// Reads what pods of one namespace refer to.
pub struct References {
    config_maps: Api<ConfigMap>,
    secrets: Api<Secret>,
}

impl References {
    /// For the pods of `namespace`.
    pub fn new(client: &Client, namespace: &str) -> Self {
        Self {
            config_maps: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client.clone(), namespace),
        }
    }

    /// Makes every volume's folder under `folder` hold what the volume holds now. `claims` is where persistent volumes
    /// live, which outlast the pod. What is missing is the `Err`, in kubelet's words.
    pub async fn render(&self, pod: &Pod, folder: &Path, claims: &Path, rewrite: &Rewrite) -> Result<(), String> {
        for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
            let target = folder.join(&volume.name);
            if let Some(claim) = &volume.persistent_volume_claim {
                let kept = claims.join(&claim.claim_name);
                std::fs::create_dir_all(&kept).expect("a folder");
                if !target.exists() {
                    std::os::unix::fs::symlink(kept, &target).expect("a link");
                }
                continue;
            }
            std::fs::create_dir_all(&target).expect("a folder");
            if let Some(files) = self.files(volume).await? {
                synchronize(&target, &files, rewrite);
            }
        }
        Ok(())
    }

    /// `None` for a volume that the pod itself fills.
    async fn files(&self, volume: &Volume) -> Result<Option<Files>, String> {
        if let Some(source) = &volume.config_map {
            let data = self.config_map(&source.name, source.optional).await?;
            return select(data, source.items.as_deref()).map(Some);
        }
        if let Some(source) = &volume.secret {
            let data = self.secret(source.secret_name.as_deref().unwrap_or_default(), source.optional).await?;
            return select(data, source.items.as_deref()).map(Some);
        }
        let Some(projected) = &volume.projected else { return Ok(None) };
        let mut files = Files::new();
        for source in projected.sources.iter().flatten() {
            files.extend(self.projection(source).await?);
        }
        Ok(Some(files))
    }

    async fn projection(&self, source: &VolumeProjection) -> Result<Files, String> {
        if let Some(source) = &source.config_map {
            return select(self.config_map(&source.name, source.optional).await?, source.items.as_deref());
        }
        if let Some(source) = &source.secret {
            return select(self.secret(&source.name, source.optional).await?, source.items.as_deref());
        }
        Ok(Files::new())
    }

    async fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Files, String> {
        let found = self.config_maps.get_opt(name).await.map_err(|error| error.to_string())?;
        let data = found.map(|map| {
            let text = map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
            text.chain(bytes(map.binary_data)).collect()
        });
        present(data, optional, || format!("configmap \"{name}\" not found"))
    }

    async fn secret(&self, name: &str, optional: Option<bool>) -> Result<Files, String> {
        let found = self.secrets.get_opt(name).await.map_err(|error| error.to_string())?;
        let data = found.map(|secret| bytes(secret.data).collect());
        present(data, optional, || format!("secret \"{name}\" not found"))
    }

    /// The variables of a container, with `$(NAME)` still in them. What is missing is the `Err`, in kubelet's words.
    pub async fn environment(
        &self,
        pod: &Pod,
        container: &Container,
        address: &str,
    ) -> Result<Vec<(String, String)>, String> {
        let mut variables = Vec::new();
        for source in container.env_from.iter().flatten() {
            let prefix = source.prefix.clone().unwrap_or_default();
            let data = match (&source.config_map_ref, &source.secret_ref) {
                (Some(reference), _) => self.config_map(&reference.name, reference.optional).await?,
                (_, Some(reference)) => self.secret(&reference.name, reference.optional).await?,
                _ => Files::new(),
            };
            variables.extend(data.into_iter().map(|(key, value)| (format!("{prefix}{key}"), text(&value))));
        }
        for variable in container.env.iter().flatten() {
            if let Some(value) = self.variable(pod, variable, address).await? {
                variables.push((variable.name.clone(), value));
            }
        }
        Ok(variables)
    }

    async fn variable(&self, pod: &Pod, variable: &EnvVar, address: &str) -> Result<Option<String>, String> {
        let Some(source) = &variable.value_from else {
            return Ok(Some(variable.value.clone().unwrap_or_default()));
        };
        let (kind, name, key, optional, data) = if let Some(from) = &source.secret_key_ref {
            ("Secret", &from.name, &from.key, from.optional, self.secret(&from.name, from.optional).await?)
        } else if let Some(from) = &source.config_map_key_ref {
            ("ConfigMap", &from.name, &from.key, from.optional, self.config_map(&from.name, from.optional).await?)
        } else {
            let field = source.field_ref.as_ref().map(|field| field.field_path.as_str());
            return Ok(match field {
                Some("metadata.name") => Some(pod.name_any()),
                Some("metadata.namespace") => pod.namespace(),
                Some("metadata.uid") => pod.uid(),
                Some("status.podIP") => Some(address.to_owned()),
                other => panic!("the stand-in for kubelet does not know the source {other:?} of {}", variable.name),
            });
        };
        match data.get(key) {
            Some(value) => Ok(Some(text(value))),
            None if optional == Some(true) => Ok(None),
            None => Err(format!("couldn't find key {key} in {kind} {}/{name}", pod.namespace().unwrap_or_default())),
        }
    }
}

fn bytes(data: Option<BTreeMap<String, ByteString>>) -> impl Iterator<Item = (String, Vec<u8>)> {
    data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0))
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn present(data: Option<Files>, optional: Option<bool>, missing: impl FnOnce() -> String) -> Result<Files, String> {
    match data {
        Some(data) => Ok(data),
        None if optional == Some(true) => Ok(Files::new()),
        None => Err(missing()),
    }
}

fn select(mut data: Files, items: Option<&[KeyToPath]>) -> Result<Files, String> {
    let Some(items) = items else { return Ok(data) };
    let pick = |item: &KeyToPath| {
        let value =
            data.remove(&item.key).ok_or_else(|| format!("references non-existent config key: {}", item.key))?;
        Ok((item.path.clone(), value))
    };
    items.iter().map(pick).collect()
}

/// Each file is replaced whole, so that no reader sees half of one.
fn synchronize(folder: &Path, files: &Files, rewrite: &Rewrite) {
    let mut wanted = BTreeSet::new();
    for (path, content) in files {
        let target = folder.join(path);
        wanted.insert(target.clone());
        let content = match std::str::from_utf8(content) {
            Ok(text) => rewrite.apply(text).into_bytes(),
            Err(_) => content.clone(),
        };
        if std::fs::read(&target).is_ok_and(|present| present == content) {
            continue;
        }
        let parent = target.parent().expect("it lies in the folder");
        std::fs::create_dir_all(parent).expect("a folder");
        let mut file = tempfile::NamedTempFile::new_in(parent.parent().unwrap_or(parent)).expect("a file");
        std::io::Write::write_all(&mut file, &content).expect("the file takes its content");
        file.persist(&target).expect("the file takes its name");
    }
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_file() && !wanted.contains(&entry.path()) {
            std::fs::remove_file(entry.path()).expect("the file can go");
        }
    }
}
