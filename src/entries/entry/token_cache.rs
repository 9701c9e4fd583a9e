//! What MSAL writes: the keys of its entries, and their content.
//!
//! In: a key without the cache's prefix, or the bytes of an entry that is not encrypted. Out: whether MSAL gives such keys, or
//! writes such content. Others keep their things in the same `IDistributedCache`: sessions, responses, claims of tokens. What
//! cannot be told to be MSAL's is none of ours.
//!
//! The keys are those of `CacheKeyFactory`, and the content is what `TokenCacheJsonSerializer` writes
//! (<https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/tree/main/src/client/Microsoft.Identity.Client/Cache>).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use uuid::Uuid;

/// Characters of a GUID.
const GUID: usize = 36;
/// Characters of a SHA-256 hash in base64url.
const HASH: usize = 43;
/// What the keys of tokens of the application itself end with.
const OF_APPLICATION: &[u8] = b"_AppTokenCache";

/// Whose a key is, by its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One that MSAL gives: `<oid>.<tid>` of an account, with the policy after the `oid` in Azure AD B2C;
    /// `<client id>_<tenant>_AppTokenCache` of the application itself; or the hash of the assertion that was exchanged on
    /// behalf of a user.
    Msal,
    /// That of an account, behind something else: the longer `InstanceName` of one of several applications, or the word that
    /// an application puts before what it stores about an account itself.
    Prefixed,
    /// Any other: of whatever else is stored, or the one that an application gave to a long-running process.
    Other,
}

impl Form {
    /// The form of a key, without the prefix of the cache.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        let is_of_application = key.strip_suffix(OF_APPLICATION).is_some_and(|client| !client.is_empty());
        if is_of_application || is_hash(key) {
            return Self::Msal;
        }
        match account(key) {
            Some([]) => Self::Msal,
            Some(_) => Self::Prefixed,
            None => Self::Other,
        }
    }
}

/// Whether this is a SHA-256 hash in base64url, without padding.
fn is_hash(key: &[u8]) -> bool {
    key.len() == HASH && URL_SAFE_NO_PAD.decode(key).is_ok()
}

/// What stands before the id of an account; `None` where the key does not end with one.
fn account(key: &[u8]) -> Option<&[u8]> {
    let user = before_guid(key)?.strip_suffix(b".")?;
    if let Some(before) = before_guid(user) {
        return Some(before);
    }
    let is_of_policy = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let policy = user.iter().rev().take_while(|byte| is_of_policy(byte)).count();
    // A policy may have hyphens of its own, and stands behind one.
    let hyphens = (user.len() - policy..user.len()).rev().filter(|&at| user[at] == b'-' && at + 1 < user.len());
    hyphens.into_iter().find_map(|at| before_guid(&user[..at]))
}

/// What stands before the GUID that this ends with.
fn before_guid(text: &[u8]) -> Option<&[u8]> {
    let (before, guid) = text.split_at_checked(text.len().checked_sub(GUID)?)?;
    Uuid::try_parse_ascii(guid).ok().map(|_| before)
}

/// Whether MSAL writes this: a JSON object with its sections, that of access tokens among them, in each of which are such
/// objects as MSAL has there. It keeps what it does not know.
#[must_use]
pub fn is_written(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Sections<Item>>(bytes).is_ok_and(|sections| sections.access_token.is_some())
}

/// Whether MSAL can read this. Sections may be absent.
#[must_use]
pub fn is_readable(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Sections<Object>>(bytes).is_ok()
}

/// The sections, with everything in them passed over.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: Deserialize<'de>")]
#[expect(dead_code, reason = "only whether it parses is of interest")]
struct Sections<T> {
    access_token: Option<Section<T>>,
    refresh_token: Option<Section<T>>,
    id_token: Option<Section<T>>,
    account: Option<Section<T>>,
    app_metadata: Option<Section<T>>,
}

/// An object, each value of which is a `T`.
struct Section<T>(std::marker::PhantomData<T>);
/// An object.
struct Object;
/// An object that has one at least of the fields that MSAL writes in every section.
struct Item;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each::<IgnoredAny, T>::default()).map(|_| Self(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each::<IgnoredAny, IgnoredAny>::default()).map(|_| Self)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = deserializer.deserialize_map(Each::<Field, IgnoredAny>::default())?;
        let is_one = fields.iter().any(|field| matches!(field, Field::Known));
        is_one.then_some(Self).ok_or_else(|| serde::de::Error::custom("it has no field of MSAL's"))
    }
}

/// The name of a field.
#[derive(Deserialize)]
enum Field {
    #[serde(
        rename = "environment",
        alias = "client_id",
        alias = "secret",
        alias = "credential_type",
        alias = "home_account_id"
    )]
    Known,
    #[serde(other)]
    Other,
}

/// Passes over an object, each name in which is a `K`, and each value a `T`, and keeps the names.
struct Each<K, T>(std::marker::PhantomData<(K, T)>);

impl<K, T> Default for Each<K, T> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, K: Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for Each<K, T> {
    type Value = Vec<K>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<K>, A::Error> {
        let mut names = Vec::new();
        while let Some((name, _)) = map.next_entry::<K, T>()? {
            names.push(name);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "22222222-0000-0000-0000-000000000001";
    const TID: &str = "AAAAAAAA-0000-0000-0000-00000000000a";
    const HASH: &str = "47VQLI0W26dqf2BGJttbqQ-x7bw9zt_2eegopnVYLtQ";

    #[test]
    fn the_keys_that_msal_gives_are_told_from_all_others() {
        let msal = [
            format!("{OID}.{TID}"),
            format!("{OID}-b2c_1_sign-up_or_in.{TID}"),
            format!("{OID}-B2C_1A_signup.{TID}"),
            format!("{OID}_{TID}_AppTokenCache"),
            format!("{OID}_contoso.onmicrosoft.com_AppTokenCache"),
            format!("{OID}_{TID}_{HASH}_AppTokenCache"),
            format!("{HASH}{OID}_{TID}_AppTokenCache"),
            "an-adfs-client__AppTokenCache".to_owned(),
            format!("{OID}_AppTokenCache"),
            format!("web:{OID}_{TID}_AppTokenCache"),
            HASH.to_owned(),
        ];
        for key in msal {
            assert_eq!(Form::of(key.as_bytes()), Form::Msal, "{key}");
        }
        for key in [format!("web:{OID}.{TID}"), format!("web{OID}.{TID}"), format!("web:{OID}-b2c_1_in.{TID}")] {
            assert_eq!(Form::of(key.as_bytes()), Form::Prefixed, "{key}");
        }
        let other = [
            String::new(),
            "products".to_owned(),
            "session-key-1".to_owned(),
            // A session of ASP.NET Core, and of a store of authentication tickets.
            OID.to_owned(),
            format!("AuthSessionStore-{OID}"),
            format!("{OID}.products"),
            format!("{OID}.{TID}:roles"),
            format!("{OID}.{TID}\n"),
            format!("{OID}-.{TID}"),
            format!(".{TID}"),
            "_AppTokenCache".to_owned(),
            format!("{OID}_{TID}_apptokencache"),
            format!("web:{HASH}"),
            // What OAuth2 introspection stores its claims under has padding.
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".to_owned(),
            // No hash ends so: its last character stands for four bits.
            HASH.replace("LtQ", "LtR"),
            HASH[1..].to_owned(),
        ];
        for key in other {
            assert_eq!(Form::of(key.as_bytes()), Form::Other, "{key:?}");
        }
        assert_eq!(Form::of(&[0xff; 73]), Form::Other);
    }

    #[test]
    fn what_msal_writes_is_told_from_other_json() {
        for good in [
            r#"{"AccessToken":{"a":{"secret":"s"}},"RefreshToken":{},"IdToken":{},"Account":{},"AppMetadata":{}}"#,
            r#"{"AccessToken":{},"RefreshToken":{"r":{"home_account_id":"h","other":[1]}},"Unknown":[1]}"#,
            r#" {"AccessToken":{}} "#,
        ] {
            assert!(is_written(good.as_bytes()) && is_readable(good.as_bytes()), "{good}");
        }
        for readable in [
            "{}",
            // Of FusionCache.
            r#"{"v":{"sku":"a1"},"m":{"e":1},"t":1}"#,
            r#"{"AccessToken":null,"Unknown":[1]}"#,
            // What an application stores of an account.
            r#"{"Account":{"billing":{"street":"s"}}}"#,
            r#"{"AccessToken":{"value":{"text":"t"}}}"#,
            r#"{"accessToken":{"a":{"secret":"s"}}}"#,
        ] {
            assert!(!is_written(readable.as_bytes()) && is_readable(readable.as_bytes()), "{readable}");
        }
        for bad in [
            "",
            "[]",
            r#"[{"sku":"a1","price":9}]"#,
            "null",
            "\"text\"",
            "9",
            r#"{"AccessToken":[]}"#,
            r#"{"AccessToken":"eyJ0"}"#,
            r#"{"AccessToken":{"a":"text"}}"#,
            r#"{"AccessToken":{}"#,
            "{} trailing",
        ] {
            assert!(!is_written(bad.as_bytes()) && !is_readable(bad.as_bytes()), "{bad}");
        }
    }
}
