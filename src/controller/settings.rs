//! What a cache wants, of every capability: the one list of their settings.
//!
//! In: a `TokenCache` as users wrote it. Out: [`Settings`], or the sentence that goes into `SpecValid`.

use crate::{
    api::v1alpha1::TokenCache,
    data_protection, entries,
    kubernetes::identity::Owner,
    redis::{self, settings::TlsSource},
};

/// What a cache wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Of its Redis.
    pub redis: redis::settings::Settings,
    /// Of its key ring.
    pub data_protection: data_protection::settings::Settings,
    /// Of its entries.
    pub entries: entries::settings::Settings,
}

impl Settings {
    /// Reads a spec.
    ///
    /// # Errors
    /// The sentence that says why it cannot be carried out.
    pub fn parse(cache: &TokenCache) -> Result<Self, String> {
        let redis = redis::settings::Settings::parse(cache).map_err(|error| error.to_string())?;
        let data_protection = data_protection::settings::Settings::parse(redis.owner.clone(), cache);
        let entries = entries::settings::Settings::parse(cache);
        Ok(Self { data_protection: data_protection.map_err(|error| error.to_string())?, redis, entries })
    }

    /// The `TokenCache`, which owns all objects.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.redis.owner
    }

    /// The user's Secrets that it names.
    #[must_use]
    pub fn named(&self) -> Vec<&str> {
        let of_tls = match &self.redis.tls {
            TlsSource::Secret(name) => Some(name.as_str()),
            TlsSource::Managed | TlsSource::Disabled => None,
        };
        of_tls.into_iter().chain(self.data_protection.named()).collect()
    }
}
