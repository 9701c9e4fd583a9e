//! What is said of the certificates that keys are encrypted to, in `KeyRingReady`. Their dates are told, and never judged.
//!
//! In: what a sentence is made from. Out: a finding, or a part of one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{Evidence, fails, some_of};
use crate::{
    api::v1alpha1::{PAUSED, RECONCILE_ANNOTATION, REVOKE_KEY_ANNOTATION, ROTATE_KEY_ANNOTATION},
    capability::cost::NOTHING,
    condition::{Finding, Reason},
    data_protection::{
        certificate::{Certificate, CertificateError, Pair, Thumbprint},
        import::provided::Unusable,
        key::{Closed, id::KeyId},
        objects::COMPONENT,
        ring::{Ring, certificates},
        secrets::{RingSecrets, annotation},
    },
    kubernetes::{identity::Found, name},
};

impl Evidence<'_> {
    /// Somebody else has the Secret that they are to be published in.
    pub(crate) fn certificates_taken(&self) -> Option<Finding> {
        let Found::Foreign(holder) = &self.observed.inputs().certificates else { return None };
        if self.settings.certificate.is_none() && self.ring.certificates.pairs.is_empty() {
            return None;
        }
        Some(fails(
            Reason::NameTaken,
            format!(
                "Secret {} exists without the labels that the Secret with the certificates has, and belongs to {holder}; it is left \
                 as it is, no key is made that is encrypted to a certificate, and what only it has cannot be read. Put the labels \
                 on it ({}), or delete or rename it, or give this TokenCache another name",
                self.certificates_secret(),
                self.settings.owner.told_labels(COMPONENT)
            ),
        ))
    }

    /// Something is to be changed in the Secret that they are published in, and nothing can be.
    pub(crate) fn certificates_immutable(&self) -> Option<Finding> {
        if !self.observed.certificates_are_immutable() {
            return None;
        }
        let what = self.certificates_amiss()?;
        let (namespace, secret) = (&self.settings.owner.namespace, self.certificates_secret());
        let owner = &self.settings.owner.name;
        Some(fails(
            Reason::WriteForbidden,
            format!(
                "{what}, and it was made immutable, so that nothing in it can be put right. What it holds may be nowhere else, so it \
                 is left as it is. Keep it in a file first: `kubectl -n {namespace} get secret {secret} -o yaml | grep -v \
                 ^immutable: > {secret}.yaml`. {NOTHING}: so that nobody makes another one meanwhile, `kubectl -n {namespace} \
                 annotate --overwrite tokencache {owner} {RECONCILE_ANNOTATION}={PAUSED}`, `kubectl -n {namespace} replace \
                 --force -f {secret}.yaml`, and `kubectl -n {namespace} annotate tokencache {owner} {RECONCILE_ANNOTATION}-`; at last delete \
                 the file, which holds private keys"
            ),
        ))
    }

    /// The one that new keys are to be encrypted to cannot be used.
    pub(crate) fn certificate_unusable(&self) -> Option<Finding> {
        let Some(Err(unusable)) = &self.provided.certificate else { return None };
        let leads_to = if self.ring.ring.members().is_empty() {
            "Until then no first key is made, and none in plain: applications cannot encrypt".to_owned()
        } else {
            let due = self.ring.due.map(|due| format!(", the next of which is due at {due}")).unwrap_or_default();
            format!("What is published stays and is used, and until then no other key is made{due}")
        };
        let is_needed = self.ring.ring.active(self.now).is_none();
        let reason = if is_needed { unusable.reason } else { Reason::NextCertificateUnusable };
        Some(fails(reason, format!("{}. {leads_to}", self.unusable(unusable, "certificate"))))
    }

    /// Keys whose certificate nobody has.
    pub(crate) fn sealed(&self) -> Option<Finding> {
        let mut sealed: BTreeMap<Thumbprint, Vec<KeyId>> = BTreeMap::new();
        for (id, thumbprint) in self.ring.sealed() {
            sealed.entry(thumbprint).or_default().push(id);
        }
        let count: usize = sealed.values().map(Vec::len).sum();
        let found = some_of(sealed.keys().map(|thumbprint| self.found(*thumbprint)));
        let groups = sealed.iter().map(|(thumbprint, ids)| {
            let ids: Vec<String> = ids.iter().map(|id| id.short()).collect();
            format!("{thumbprint} (of {})", ids.join(", "))
        });
        let groups = some_of(groups);
        let first = self.provided.unusable.first();
        let awaited = first.map(|unusable| format!(". Perhaps it is this: {}", self.unusable(unusable, "previous")));
        let held_back = match &self.provided.certificate {
            _ if !self.ring.is_sealed(self.now) => None,
            None => Some(
                "since it would be plain. Costs nothing: spec.dataProtection.certificate, for one that is encrypted",
            ),
            Some(_) => Some("since the certificate may come yet: make the Secret that is named, or do not name it"),
        };
        let held_back = held_back.map(|why| {
            format!(". No other key encrypts in its place, {why}. {NOTHING}: the annotation {ROTATE_KEY_ANNOTATION} asks for one")
        });
        let is_unused = |id: &KeyId| self.unused.contains(&id.to_string().as_str());
        let is_needed = self.ring.ring.active(self.now).is_none() || !sealed.values().flatten().all(is_unused);
        (count > 0).then(|| {
            fails(
                if is_needed { Reason::CertificateMissing } else { Reason::UnusedCertificateMissing },
                format!(
                    "{} nobody has the certificate for, so what {} encrypted cannot be read: {groups}. {found}. {NOTHING}: put the \
                     certificate and its private key into a Secret of type kubernetes.io/tls, and name that in \
                     spec.dataProtection.previous. Costs what they encrypted: revoke the keys (annotation \
                     {REVOKE_KEY_ANNOTATION}){}{}",
                    if count == 1 { "there is a key that".to_owned() } else { format!("there are {count} keys that") },
                    if count == 1 { "it" } else { "they" },
                    awaited.unwrap_or_default(),
                    held_back.unwrap_or_default(),
                ),
            )
        })
    }

    /// Keys whose certificate is there and does not help.
    pub(crate) fn damaged(&self) -> Option<Finding> {
        let sealed: Vec<KeyId> = self.ring.sealed().map(|(id, _)| id).collect();
        let damaged = |(id, why): (KeyId, &Closed)| (!sealed.contains(&id)).then(|| format!("{}: {why}", id.short()));
        let damaged: Vec<String> = self.ring.key_ring.closed().filter_map(damaged).collect();
        (!damaged.is_empty()).then(|| {
            fails(
                Reason::KeyMalformed,
                format!(
                    "keys cannot be used, and what they encrypted cannot be read: {}. Put the Secrets of these keys back from a backup",
                    some_of(damaged)
                ),
            )
        })
    }

    /// They are not published as they should be.
    pub(crate) fn certificates_unpublished(&self) -> Option<Finding> {
        let what = self.certificates_amiss()?;
        Some(self.drifts(&what, "it is being written"))
    }

    fn certificates_amiss(&self) -> Option<String> {
        // The current one is wanted also where it cannot be published.
        let current = self.provided.certificate.iter().flatten();
        let mut pairs = self.ring.certificates.pairs.iter().chain(current);
        let live = self.observed.inputs().certificates.owned().map(|live| there(live)).unwrap_or_default();
        let lacks = |pair: &&Pair| !live.contains_key(format!("{}.crt", pair.thumbprint()).as_str());
        let lacking = pairs.find(lacks);
        let lacking = lacking
            .map(|pair| format!("Secret {} lacks {}", self.certificates_secret(), described(pair.certificate())));
        let drift = || {
            Some(format!(
                "Secret {} is not as it should be ({})",
                self.certificates_secret(),
                drift(self.observed, self.ring)?
            ))
        };
        lacking.or_else(drift)
    }

    /// What new keys are encrypted to, as a sentence for a ring that is well.
    pub(crate) fn encrypts_to(&self) -> Option<String> {
        let keys = self.ring.published.keys();
        let plain = keys.iter().filter(|key| key.encrypted().is_none()).count();
        if self.provided.certificate.is_none() && plain < keys.len() {
            return Some("New keys are plain, since spec.dataProtection.certificate names no certificate".to_owned());
        }
        let Some(Ok(current)) = &self.provided.certificate else { return None };
        let (current, used) = (current.certificate(), self.ring.encrypts_to()?);
        let from = self.settings.certificate.as_deref().unwrap_or_default();
        let to = if used.thumbprint() == current.thumbprint() {
            format!("New keys are encrypted to {} of Secret {from}", described(current))
        } else {
            format!("New keys are encrypted to {}. {}", described(used), self.awaits_processes(current, from))
        };
        let plain = match plain {
            0 => String::new(),
            1 => format!(". 1 of {} keys is plain, and stays so", keys.len()),
            _ => format!(". {plain} of {} keys are plain, and stay so", keys.len()),
        };
        let unusable = self.provided.unusable.first();
        let unusable =
            unusable.map(|unusable| format!(". No key needs it, but {}", self.unusable(unusable, "previous")));
        Some(format!("{to}{plain}{}", unusable.unwrap_or_default()))
    }

    /// Whom a renewed certificate waits for: applications read certificates when they start.
    fn awaits_processes(&self, renewed: &Certificate, from: &str) -> String {
        let since = self.ring.certificates_since.get(&renewed.thumbprint()).copied().unwrap_or(self.now);
        let readable = certificates::readable_from(since);
        let renewed = format!("The renewed one of Secret {from}, {}, published since {since}", described(renewed));
        let due = self.ring.due.map(|due| format!("; no clock ends that, and the next key is due at {due}"));
        let due = due.unwrap_or_default();
        let namespace = &self.settings.owner.namespace;
        let behind = self.observed.inputs().processes.as_ref().map(|all| all.started_before(readable, self.now));
        match behind.flatten() {
            None => format!(
                "{renewed}, waits until every pod that uses the ring has started after {readable}, which cannot be found out: the \
                 operator cannot list the pods of namespace {namespace}{due}"
            ),
            Some(behind) => {
                let restart = behind.restart(namespace).map(|command| format!(". {NOTHING}: {command}"));
                format!(
                    "{renewed}, waits for pods that started before {readable}: {behind}{due}{}",
                    restart.unwrap_or_default()
                )
            }
        }
    }

    /// What there is of a certificate that lacks its private key.
    fn found(&self, of: Thumbprint) -> String {
        let secret = self.certificates_secret();
        let Some(live) = self.observed.inputs().certificates.owned() else {
            return format!("There is no Secret {secret}");
        };
        let (stem, live) = (of.to_string(), there(live));
        let is_of = |name: &str| name.split_once('.').is_some_and(|(name, _)| name.eq_ignore_ascii_case(&stem));
        let files = live.iter().filter(|(name, _)| is_of(name));
        let files: Vec<String> =
            files.map(|(name, bytes)| format!("{name}: {}", certificates::described(bytes, of))).collect();
        if files.is_empty() {
            return format!("Secret {secret} has no file of {of}");
        }
        format!("Secret {secret} has {}, and keeps them", some_of(files))
    }

    fn certificates_secret(&self) -> String {
        name::key_certificates(&self.settings.owner.name)
    }

    fn unusable(&self, unusable: &Unusable, field: &str) -> String {
        let Unusable { secret, why, .. } = unusable;
        match why {
            None => format!(
                "there is no Secret {secret} in namespace {}, which spec.dataProtection.{field} names: make it, or have cert-manager \
                 make it, with tls.crt and tls.key of an RSA certificate",
                self.settings.owner.namespace
            ),
            Some(CertificateError::NotRsa(_) | CertificateError::KeySize) => format!(
                "the certificate in Secret {secret}, which spec.dataProtection.{field} names, cannot be used: {}",
                why.as_ref().map(ToString::to_string).unwrap_or_default()
            ),
            Some(why) => {
                format!(
                    "Secret {secret}, which spec.dataProtection.{field} names, cannot be used: {why}. Correct tls.crt and tls.key in it"
                )
            }
        }
    }
}

/// What is not as it should be in the Secret that they are published in, but for certificates that are to come and to go;
/// `None` where nothing is.
pub(crate) fn drift(observed: &RingSecrets, ring: &Ring) -> Option<String> {
    let secret = observed.inputs().certificates.owned()?;
    let (live, wanted) = (there(secret), certificates::files(&ring.certificates.pairs));
    if wanted.is_empty() {
        return None;
    }
    let pairs = certificates::read(live.iter().map(|(name, bytes)| (*name, *bytes)));
    let known: Vec<String> = pairs.iter().map(|pair| pair.thumbprint().to_string()).collect();
    let is_known = |name: &str| name.split_once('.').is_some_and(|(stem, _)| known.iter().any(|known| known == stem));
    let is_strange = |name: &str, bytes: &[u8]| match wanted.get(name) {
        Some(file) => file.as_slice() != bytes,
        None => ring.has_every_certificate() && !is_known(name),
    };
    let strange = live.iter().filter(|(name, bytes)| is_strange(name, bytes)).map(|(name, _)| (*name).to_owned());
    // Of a certificate that is there, all is there.
    let lost = wanted.keys().filter(|name| !live.contains_key(name.as_str()) && is_known(name)).cloned();
    let kept =
        ring.certificates.pairs.iter().filter(|kept| pairs.iter().any(|pair| pair.thumbprint() == kept.thumbprint()));
    let since = kept.map(|pair| certificates::published_annotation(pair.thumbprint()));
    let undated = since.filter(|name| annotation(secret, name).is_none_or(|since| since.parse::<Timestamp>().is_err()));
    let strange: Vec<String> = strange.chain(lost).chain(undated).collect();
    (!strange.is_empty()).then(|| some_of(strange))
}

fn there(secret: &Secret) -> BTreeMap<&str, &[u8]> {
    secret.data.iter().flatten().map(|(name, bytes)| (name.as_str(), bytes.0.as_slice())).collect()
}

fn described(certificate: &Certificate) -> String {
    format!("the certificate {} (notAfter {})", certificate.thumbprint(), certificate.not_after())
}
