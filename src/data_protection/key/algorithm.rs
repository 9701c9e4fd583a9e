//! Which ciphers a key is for, by the names that ASP.NET Core gives them.
//!
//! In: the words of a key file. Out: a combination that exists. New keys get [`Algorithm::NEW`].
//!
//! The names are those of `EncryptionAlgorithm` and `ValidationAlgorithm`:
//! <https://learn.microsoft.com/aspnet/core/security/data-protection/configuration/overview>.

/// How long an AES key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AesSize {
    /// 128 bits.
    Aes128,
    /// 192 bits.
    Aes192,
    /// 256 bits.
    Aes256,
}

impl AesSize {
    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

/// What proves that a payload was not changed, where the cipher itself does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
}

impl Validation {
    /// Bytes of a tag, and of the key that makes it.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::HmacSha256 => 32,
            Self::HmacSha512 => 64,
        }
    }

    /// As it stands in a key file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "HMACSHA256",
            Self::HmacSha512 => "HMACSHA512",
        }
    }
}

/// Which ciphers a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// AES in CBC mode, and an HMAC over what comes out.
    Cbc(AesSize, Validation),
    /// AES in Galois/Counter mode.
    Gcm(AesSize),
}

impl Algorithm {
    /// What new keys are for: the default of ASP.NET Core, which every runtime on Linux reads.
    pub const NEW: Self = Self::Cbc(AesSize::Aes256, Validation::HmacSha256);

    /// From the words of a key file as `Enum.Parse` reads them, which takes numbers too, and joins what commas part. Beside a
    /// cipher that needs no other the other is not looked at. `None` where there is no such combination.
    #[must_use]
    pub fn read(encryption: &str, validation: Option<&str>) -> Option<Self> {
        const CIPHERS: [&str; 6] =
            ["AES_128_CBC", "AES_192_CBC", "AES_256_CBC", "AES_128_GCM", "AES_192_GCM", "AES_256_GCM"];
        const VALIDATIONS: [&str; 2] = ["HMACSHA256", "HMACSHA512"];
        let cipher = *CIPHERS.get(member(encryption, &CIPHERS)?)?;
        if cipher.ends_with("_GCM") {
            return Self::parse(cipher, None);
        }
        let validation = *VALIDATIONS.get(member(validation?, &VALIDATIONS)?)?;
        Self::parse(cipher, Some(validation))
    }

    /// From the words of a key file; `None` where there is no such combination.
    #[must_use]
    pub fn parse(encryption: &str, validation: Option<&str>) -> Option<Self> {
        let (size, mode) = encryption.strip_prefix("AES_")?.split_once('_')?;
        let size = match size {
            "128" => AesSize::Aes128,
            "192" => AesSize::Aes192,
            "256" => AesSize::Aes256,
            _ => return None,
        };
        match (mode, validation) {
            ("GCM", _) => Some(Self::Gcm(size)),
            ("CBC", Some("HMACSHA256")) => Some(Self::Cbc(size, Validation::HmacSha256)),
            ("CBC", Some("HMACSHA512")) => Some(Self::Cbc(size, Validation::HmacSha512)),
            _ => None,
        }
    }

    /// The cipher, as it stands in a key file.
    #[must_use]
    pub fn encryption(self) -> String {
        let (size, mode) = match self {
            Self::Cbc(size, _) => (size, "CBC"),
            Self::Gcm(size) => (size, "GCM"),
        };
        format!("AES_{}_{mode}", size.bytes() * 8)
    }

    /// What makes the tags; `None` where the cipher itself does.
    #[must_use]
    pub fn validation(self) -> Option<Validation> {
        match self {
            Self::Cbc(_, validation) => Some(validation),
            Self::Gcm(_) => None,
        }
    }
}

/// The number of a member, by its name, by the names whose numbers make it, or by the number itself.
fn member(text: &str, names: &[&str]) -> Option<usize> {
    let text = text.trim();
    if text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-')) {
        return usize::try_from(text.parse::<i32>().ok()?).ok();
    }
    let mut numbers = text.split(',').map(|name| names.iter().position(|known| *known == name.trim()));
    numbers.try_fold(0, |joined, number| Some(joined | number?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for size in [AesSize::Aes128, AesSize::Aes192, AesSize::Aes256] {
            for algorithm in [
                Algorithm::Gcm(size),
                Algorithm::Cbc(size, Validation::HmacSha256),
                Algorithm::Cbc(size, Validation::HmacSha512),
            ] {
                let validation = algorithm.validation().map(Validation::name);
                assert_eq!(Algorithm::parse(&algorithm.encryption(), validation), Some(algorithm));
            }
        }
        assert_eq!(Algorithm::NEW.encryption(), "AES_256_CBC");
    }

    #[test]
    fn a_name_is_read_as_an_enumeration_of_dotnet() {
        let name = |encryption: &str, validation: Option<&str>| {
            Algorithm::read(encryption, validation).map(Algorithm::encryption)
        };
        let sha = Some("HMACSHA256");
        for (encryption, cipher) in [
            (" AES_256_CBC ", "AES_256_CBC"),
            ("2", "AES_256_CBC"),
            ("+02", "AES_256_CBC"),
            ("AES_128_CBC, AES_192_CBC", "AES_192_CBC"),
            ("AES_192_CBC,AES_256_CBC", "AES_128_GCM"),
        ] {
            assert_eq!(name(encryption, sha).as_deref(), Some(cipher), "{encryption}");
        }
        assert_eq!(name("AES_256_GCM", Some("none of them")).as_deref(), Some("AES_256_GCM"));
        for (encryption, validation) in [
            ("aes_256_cbc", sha),
            ("6", sha),
            ("-1", sha),
            ("", sha),
            ("AES_256_CBC,", sha),
            ("AES_256_CBC", None),
            ("AES_256_CBC", Some("2")),
            ("AES_256_CBC", Some("hmacsha256")),
            ("2,AES_128_CBC", sha),
        ] {
            assert_eq!(name(encryption, validation), None, "{encryption} {validation:?}");
        }
    }

    #[test]
    fn a_combination_that_does_not_exist_is_none() {
        for (encryption, validation) in [
            ("AES_256_CBC", None),
            ("AES_512_CBC", Some("HMACSHA256")),
            ("AES_256_CBC", Some("HMACMD5")),
            ("DES", None),
            ("AES_256_CTR", Some("HMACSHA256")),
        ] {
            assert_eq!(Algorithm::parse(encryption, validation), None, "{encryption} {validation:?}");
        }
    }
}
