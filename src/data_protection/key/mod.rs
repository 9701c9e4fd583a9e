//! A key of the ring, as its file tells it, and the making of a new one.
//!
//! In: an order with its dates and random bytes, or what [`crate::data_protection::key::read`] read. Out: the key, its file, and its master
//! key where that can be read. Nothing is drawn here, and no clock is read.

pub mod algorithm;
pub(crate) mod cipher;
pub mod date;
pub(crate) mod descriptor;
pub(crate) mod earlier_file;
pub mod encrypted_xml;
pub mod id;
pub mod master_key;
pub mod read;
pub mod revocation;
pub(crate) mod write;
pub(crate) mod xml;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::certificate::{Certificate, Pair};
use algorithm::Algorithm;
use date::Date;
use encrypted_xml::{EncryptedSecret, OpenError, SealError};
use id::{KEY_ID_BYTES, KeyId};
use master_key::{MASTER_KEY_BYTES, MasterKey};
use write::File;

/// Random bytes that making a key takes: its id, its master key, and what encrypts that to a certificate.
pub const RANDOM_BYTES: usize = KEY_ID_BYTES + MASTER_KEY_BYTES + encrypted_xml::RANDOM_BYTES;

/// A key of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub id: KeyId,
    /// When it was made.
    pub created: Date,
    /// From when on it encrypts.
    pub activates: Date,
    /// Until when it encrypts. It decrypts for ever.
    pub expires: Date,
    /// What is in it.
    pub descriptor: Descriptor,
}

/// What is in a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Descriptor {
    /// Ciphers and a master key, as this operator understands them.
    Known {
        /// Which ciphers it is for.
        algorithm: Algorithm,
        /// Its secret.
        master: Master,
    },
    /// Something that only the application itself understands.
    Foreign(Foreign),
}

/// The secret of a key, as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Master {
    /// For everybody who can read the file.
    Plain(MasterKey),
    /// For the holder of a certificate's private key.
    Encrypted(EncryptedSecret),
}

/// Why a key means nothing to this operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// Its master key is protected by something that is not in the ring: Key Vault, DPAPI.
    #[error("its master key is protected by {}", bare(.0))]
    Decryptor(String),
    /// It has a descriptor of another kind.
    #[error("its descriptor is read by {}", bare(.0))]
    Deserializer(String),
    /// It is for other ciphers.
    #[error("it is for {0}")]
    Algorithm(String),
    /// It lacks what every key has.
    #[error("it has no {0}")]
    Incomplete(&'static str),
    /// It has no secret.
    #[error("its master key is empty, which .NET 10 refuses, while .NET 8 and 9 encrypt with it")]
    EmptyMasterKey,
    /// Something else than ASP.NET Core has encrypted it.
    #[error("its master key is encrypted in another form than the one that ASP.NET Core writes")]
    Encryption,
}

/// The name of a type of .NET without its namespace.
fn bare(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, bare)| bare)
}

/// Why a master key cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// For want of a private key.
    #[error(transparent)]
    Encrypted(#[from] OpenError),
    /// What is inside is no master key.
    #[error("what is encrypted in it is no master key")]
    NoMasterKey,
    /// It is of another kind.
    #[error(transparent)]
    Foreign(#[from] Foreign),
}

/// A key that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDates {
    /// When it is said to be made. Only the rule of .NET 9 for young keys, and revocations of all keys before a date, look
    /// at it.
    pub created: Timestamp,
    /// From when on it encrypts.
    pub activates: Timestamp,
    /// Until when it encrypts.
    pub expires: Timestamp,
}

/// Why a key could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MakeError {
    /// Too few random bytes.
    #[error("a key takes {RANDOM_BYTES} random bytes, and there are {0}")]
    Random(usize),
    /// It could not be encrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl KeyDates {
    /// Makes the key from random bytes, encrypted to a certificate where one is given.
    ///
    /// # Errors
    /// Where the bytes do not suffice, or the certificate cannot be used.
    pub fn make(&self, certificate: Option<&Certificate>, random: &[u8]) -> Result<Key, MakeError> {
        let too_few = || MakeError::Random(random.len());
        let (id, rest) = random.split_first_chunk::<KEY_ID_BYTES>().ok_or_else(too_few)?;
        let (master, rest) = rest.split_first_chunk::<MASTER_KEY_BYTES>().ok_or_else(too_few)?;
        let session = rest.first_chunk().ok_or_else(too_few)?;
        let master = MasterKey::from_random(master);
        let master = match certificate {
            None => Master::Plain(master),
            Some(certificate) => {
                let element = write::master_key_element(&master);
                Master::Encrypted(EncryptedSecret::seal(certificate, element.as_bytes(), session)?)
            }
        };
        Ok(Key {
            id: KeyId::from_random(*id),
            created: self.created.into(),
            activates: self.activates.into(),
            expires: self.expires.into(),
            descriptor: Descriptor::Known { algorithm: Algorithm::NEW, master },
        })
    }
}

impl Foreign {
    /// Whether an application may be able to use the key all the same.
    #[must_use]
    pub fn is_of_application(&self) -> bool {
        match self {
            Self::Decryptor(_) | Self::Deserializer(_) | Self::Encryption | Self::EmptyMasterKey => true,
            Self::Algorithm(_) | Self::Incomplete(_) => false,
        }
    }
}

impl Key {
    /// Its file; `None` for a key of another kind, whose file is kept as it is.
    #[must_use]
    pub fn file(&self) -> Option<File> {
        write::key(self)
    }

    /// What its file is called.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.id.file_name()
    }

    /// What it is encrypted to; `None` where it is not.
    #[must_use]
    pub fn encrypted(&self) -> Option<&EncryptedSecret> {
        match &self.descriptor {
            Descriptor::Known { master: Master::Encrypted(secret), .. } => Some(secret),
            Descriptor::Known { .. } | Descriptor::Foreign(_) => None,
        }
    }

    /// Its ciphers and its secret.
    ///
    /// # Errors
    /// Where the secret cannot be read, or is of another kind.
    pub fn open(&self, pairs: &[Pair]) -> Result<(Algorithm, MasterKey), Closed> {
        match &self.descriptor {
            Descriptor::Foreign(foreign) => Err(foreign.clone().into()),
            Descriptor::Known { algorithm, master: Master::Plain(master) } => Ok((*algorithm, master.clone())),
            Descriptor::Known { algorithm, master: Master::Encrypted(secret) } => {
                let element: Zeroizing<Vec<u8>> = secret.open(pairs)?;
                let master = read::master_key_element(&element).ok_or(Closed::NoMasterKey)?;
                Ok((*algorithm, master))
            }
        }
    }
}
