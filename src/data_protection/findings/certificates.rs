//! What is said of the certificates that keys are encrypted to, in `KeyRingReady`. Their dates are told, and never judged.
//!
//! In: what a sentence is made from. Out: a finding, or a part of one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{Evidence, NAMED, fails, labels_or_another_name, some_of};
use crate::{
    api::v1alpha1::{PAUSED, RECONCILE_ANNOTATION, REVOKE_KEY_ANNOTATION, ROTATE_KEY_ANNOTATION, Remedy},
    capability::operation::Again,
    condition::{Finding, Message, Reason},
    data_protection::{
        certificate::{Certificate, CertificateError, Pair, Thumbprint},
        import::provided::Unusable,
        key::id::KeyId,
        operations::readers::restart,
        ring::{Ring, certificates},
        secrets::{RingSecrets, annotation},
    },
    kubernetes::{
        identity::{Found, Owner},
        name,
        read::workload,
    },
};

impl Evidence<'_> {
    /// Somebody else has the Secret that they are to be published in.
    pub(crate) fn certificates_taken(&self) -> Option<Finding> {
        let Found::Foreign(holder) = &self.observed.inputs().certificates else { return None };
        if self.settings.certificate.is_none() && self.ring.certificates.pairs.is_empty() {
            return None;
        }
        let (secret, owner) = (self.certificates_secret(), &self.settings.owner);
        let told = format!(
            "Secret {secret} lacks this TokenCache's labels and belongs to {holder}. No key is encrypted to a certificate, and keys \
             that need one from it cannot be read"
        );
        Some(fails(Reason::NameTaken, Message::from(told).remedies(labels_or_another_name(owner, &secret))))
    }

    /// Something is to be changed in the Secret that they are published in, and nothing can be.
    pub(crate) fn certificates_immutable(&self) -> Option<Finding> {
        if !self.observed.certificates_are_immutable() {
            return None;
        }
        let what = self.certificates_amiss()?;
        let secret = self.certificates_secret();
        let Owner { namespace, name, .. } = &self.settings.owner;
        let steps = [
            format!("kubectl -n {namespace} get secret {secret} -o yaml | grep -v ^immutable: > {secret}.yaml"),
            format!("kubectl -n {namespace} annotate --overwrite tokencache {name} {RECONCILE_ANNOTATION}={PAUSED}"),
            format!("kubectl -n {namespace} replace --force -f {secret}.yaml"),
            format!("kubectl -n {namespace} annotate tokencache {name} {RECONCILE_ANNOTATION}-"),
            format!("rm {secret}.yaml"),
        ];
        let told =
            format!("{what}. It is immutable, and is left alone, since it may hold the only copy of a certificate");
        let replace = Remedy::free("replace it by a mutable copy, while the TokenCache is paused");
        Some(fails(Reason::WriteForbidden, Message::from(told).remedy(replace.command(steps.join(" && ")))))
    }

    /// The one that new keys are to be encrypted to cannot be used.
    pub(crate) fn certificate_unusable(&self) -> Option<Finding> {
        let Some(Err(unusable)) = &self.provided.certificate else { return None };
        let leads_to = match self.ring.due {
            _ if self.ring.ring.members().is_empty() => "No first key is made: applications cannot encrypt".to_owned(),
            Some(due) => format!("No key is made until it can be used; the next is due at {due}"),
            None => "No key is made until it can be used".to_owned(),
        };
        let is_needed = self.ring.ring.active(self.now).is_none();
        let reason = if is_needed { unusable.reason } else { Reason::NextCertificateUnusable };
        Some(fails(reason, why_unusable(unusable, "certificate").and(&leads_to)))
    }

    /// Keys whose certificate nobody has.
    pub(crate) fn sealed(&self) -> Option<Finding> {
        let mut sealed: BTreeMap<Thumbprint, Vec<KeyId>> = BTreeMap::new();
        for (id, thumbprint) in self.ring.sealed() {
            sealed.entry(thumbprint).or_default().push(id);
        }
        let (first, _) = sealed.first_key_value()?;
        let keys: Vec<KeyId> = sealed.values().flatten().copied().collect();
        let is_unused = |id: &KeyId| self.unused.contains(&id.to_string().as_str());
        let is_needed = self.ring.ring.active(self.now).is_none() || !keys.iter().all(is_unused);
        let named: Vec<String> = keys.iter().map(|id| id.short()).collect();
        let (named, is_one) = (workload::listed(&named, " and "), keys.len() == 1);
        let certificates: Vec<String> = sealed.keys().take(2).map(Thumbprint::short).collect();
        let certificates = match sealed.len() {
            1 => format!("certificate {}, which is missing", first.short()),
            2 => format!("certificates {}, which are missing", certificates.join(" and ")),
            count => format!("certificate {} and {} others, which are missing", first.short(), count - 1),
        };
        let awaited = self.provided.unusable.first().map(|unusable| why_unusable(unusable, "previous"));
        let evidence = awaited.as_ref().map_or_else(|| self.found(*first), |awaited| awaited.text.clone());
        let told = Message::from(format!(
            "{} {named} {} {certificates}: what {} encrypted cannot be read. {evidence}",
            if is_one { "key" } else { "keys" },
            if is_one { "needs" } else { "need" },
            if is_one { "it" } else { "they" },
        ));
        let told = if self.ring.is_sealed(self.now) { told.and("No other key encrypts") } else { told };
        let told = told
            .remedies(awaited.into_iter().flat_map(|awaited| awaited.remedies))
            .remedy(Remedy::free("name the certificate's Secret in spec.dataProtection.previous"))
            .remedies(self.instead_of_sealed())
            .remedies(keys.iter().take(NAMED).map(|key| {
                let costs = format!("what key {} encrypted", key.short());
                let command = Again::saying(&key.short()).command(&self.settings.owner, REVOKE_KEY_ANNOTATION);
                Remedy::costing(costs, "revoke the key").command(command)
            }));
        Some(fails(if is_needed { Reason::CertificateMissing } else { Reason::UnusedCertificateMissing }, told))
    }

    /// How there is a key that encrypts, where none takes the place of one that cannot be read.
    fn instead_of_sealed(&self) -> Vec<Remedy> {
        if !self.ring.is_sealed(self.now) {
            return Vec::new();
        }
        let command = Again::default().command(&self.settings.owner, ROTATE_KEY_ANNOTATION);
        let (first, which) = match (&self.provided.certificate, self.provided.unusable.first()) {
            (None, _) => {
                (Some("set spec.dataProtection.certificate, for another, encrypted key".to_owned()), ", not encrypted")
            }
            (Some(_), Some(Unusable { secret, .. })) => {
                (Some(format!("remove Secret {secret} from spec.dataProtection.previous, for another key")), "")
            }
            (Some(_), None) => (None, ""),
        };
        let request = Remedy::free(format!("request another key{which}")).command(command);
        first.map(Remedy::free).into_iter().chain([request]).collect()
    }

    /// Keys whose certificate is there and does not help.
    pub(crate) fn damaged(&self) -> Option<Finding> {
        let sealed: Vec<KeyId> = self.ring.sealed().map(|(id, _)| id).collect();
        let mut damaged = self.ring.key_ring.closed().filter(|(id, _)| !sealed.contains(id));
        let (id, why) = damaged.next()?;
        let told = match damaged.count() {
            0 => format!("key {} cannot be used: {why}. What it encrypted cannot be read", id.short()),
            others => format!(
                "{} keys cannot be used, among them {}: {why}. What they encrypted cannot be read",
                others + 1,
                id.short()
            ),
        };
        Some(fails(
            Reason::KeyMalformed,
            Message::from(told).remedy(Remedy::free("restore the Secret of each such key from a backup")),
        ))
    }

    /// They are not published as they should be.
    pub(crate) fn certificates_unpublished(&self) -> Option<Finding> {
        let what = self.certificates_amiss()?;
        Some(self.drifts(&what, "it is being corrected"))
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
            Some(format!("Secret {} was changed in {}", self.certificates_secret(), drift(self.observed, self.ring)?))
        };
        lacking.or_else(drift)
    }

    /// What new keys are encrypted to, of a ring that is well.
    pub(crate) fn encrypts_to(&self) -> Option<Message> {
        let keys = self.ring.published.keys();
        let plain = keys.iter().filter(|key| key.encrypted().is_none()).count();
        if self.provided.certificate.is_none() && plain < keys.len() {
            return Some("New keys are not encrypted: spec.dataProtection.certificate is not set".into());
        }
        let Some(Ok(current)) = &self.provided.certificate else { return None };
        let (current, used) = (current.certificate(), self.ring.encrypts_to()?);
        let from = self.settings.certificate.as_deref().unwrap_or_default();
        if used.thumbprint() != current.thumbprint() {
            return Some(self.awaits_processes(current, from));
        }
        if let Some(unusable) = self.provided.unusable.first() {
            return Some(why_unusable(unusable, "previous").and("No key needs it"));
        }
        let to = Message::from(format!(
            "New keys are encrypted to certificate {} of Secret {from} (notAfter {})",
            current.thumbprint().short(),
            current.not_after()
        ));
        Some(match plain {
            0 => to,
            1 => to.and(&format!("1 of {} keys is not encrypted", keys.len())),
            _ => to.and(&format!("{plain} of {} keys are not encrypted", keys.len())),
        })
    }

    /// Whom a renewed certificate waits for: applications read certificates when they start.
    fn awaits_processes(&self, renewed: &Certificate, from: &str) -> Message {
        let since = self.ring.certificates_since.get(&renewed.thumbprint()).copied().unwrap_or(self.now);
        let readable = certificates::readable_from(since);
        let waits = format!(
            "Renewed certificate {} of Secret {from} waits for pods that started before {readable}",
            renewed.thumbprint().short()
        );
        let namespace = &self.settings.owner.namespace;
        let behind = self.observed.inputs().processes.as_ref().map(|all| all.started_before(readable, self.now));
        match behind.flatten() {
            None => Message::from(format!("{waits}, but the operator cannot list the pods of namespace {namespace}"))
                .remedy(Remedy::look("see the operator's log for why it cannot list pods")),
            Some(behind) => {
                Message::from(format!("{waits}: {behind}")).remedies(restart(&behind, namespace, readable, self.now))
            }
        }
    }

    /// What there is of a certificate that lacks its private key.
    fn found(&self, of: Thumbprint) -> String {
        let secret = self.certificates_secret();
        let Some(live) = self.observed.inputs().certificates.owned() else {
            return format!("Secret {secret} does not exist");
        };
        let (stem, live) = (of.to_string(), there(live));
        let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, bytes) in live {
            if let Some((_, suffix)) = name.split_once('.').filter(|(name, _)| name.eq_ignore_ascii_case(&stem)) {
                found.entry(certificates::described(bytes, of)).or_default().push(format!(".{suffix}"));
            }
        }
        if found.is_empty() {
            return format!("Secret {secret} has no file of it");
        }
        format!(
            "In Secret {secret}, {}",
            some_of(found.into_iter().map(|(what, of)| format!("{} is {what}", workload::listed(&of, " and "))))
        )
    }

    fn certificates_secret(&self) -> String {
        name::key_certificates(&self.settings.owner.name)
    }
}

/// Why what a field names cannot be used.
fn why_unusable(unusable: &Unusable, field: &str) -> Message {
    let Unusable { secret, why, .. } = unusable;
    let named = format!("Secret {secret}, which spec.dataProtection.{field} names,");
    let Some(why) = why else {
        let create = format!("create Secret {secret} with an RSA certificate (tls.crt, tls.key)");
        return Message::from(format!("{named} does not exist")).remedy(Remedy::free(create));
    };
    let remedy = match why {
        CertificateError::NotRsa(_) | CertificateError::KeySize => {
            "issue an RSA certificate instead (cert-manager: privateKey.algorithm: RSA)".to_owned()
        }
        _ => format!("correct tls.crt and tls.key in Secret {secret}"),
    };
    Message::from(format!("{named} cannot be used: {why}")).remedy(Remedy::free(remedy))
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
    format!("certificate {} (notAfter {})", certificate.thumbprint().short(), certificate.not_after())
}
