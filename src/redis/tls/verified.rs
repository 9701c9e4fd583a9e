//! What was verified before, so that the same bytes are not verified again at every pass.
//!
//! In: what is asked, and what the answer depends on. Out: whether the answer was yes. Only digests are kept, of what was found
//! to be good, and for how long it is; what was read, only until the pass is over.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;

use super::certificate::{Authorities, Certificate, Distrust, Pair, PairError, signed};

/// How much is kept of one cache: more than its certificates need.
const MOST: usize = 64;

/// How much is kept of what a pass has read.
const MOST_READ: usize = 16;

/// What was verified before.
#[derive(Debug, Default)]
pub struct Verified {
    good: Mutex<HashMap<Digest, Timestamp>>,
    read: Mutex<Read>,
}

type Digest = [u8; 32];

/// What the pass that is under way has read: it decides several times, on the same.
#[derive(Debug, Default)]
struct Read {
    pairs: HashMap<Digest, Pair>,
    bundles: HashMap<Digest, Option<Authorities>>,
}

impl Verified {
    /// As [`Pair::parse`].
    ///
    /// # Errors
    /// Where they are none, or do not belong together.
    pub fn pair(&self, certificate: &[u8], key: &[u8]) -> Result<Pair, PairError> {
        let asked = digest(b"pair", [certificate, key]);
        if let Some(pair) = self.read().pairs.get(&asked) {
            return Ok(pair.clone());
        }
        let pair = if self.holds(&asked, Timestamp::MIN) {
            Pair::parse_unverified(certificate, key)?
        } else {
            let pair = Pair::parse(certificate, key)?;
            self.keep(asked, Timestamp::MAX);
            pair
        };
        insert(&mut self.read().pairs, asked, &pair);
        Ok(pair)
    }

    /// As [`Authorities::parse`].
    #[must_use]
    pub fn authorities(&self, pem: &[u8]) -> Option<Authorities> {
        let asked = digest(b"authorities", [pem]);
        if let Some(bundle) = self.read().bundles.get(&asked) {
            return bundle.clone();
        }
        let bundle = Authorities::parse(pem);
        insert(&mut self.read().bundles, asked, &bundle);
        bundle
    }

    /// Forgets what was read, and keeps what it was found to be.
    pub fn rest(&self) {
        *self.read() = Read::default();
    }

    /// As [`Authorities::accept`], of a pair's chain.
    ///
    /// # Errors
    /// Why not.
    pub fn accept(&self, authorities: &Authorities, pair: &Pair, name: &str, now: Timestamp) -> Result<(), Distrust> {
        let ders = pair.chain.iter().map(AsRef::as_ref);
        let asked = digest(b"accept", [authorities.pem().as_bytes(), name.as_bytes()].into_iter().chain(ders));
        if pair.leaf.not_before <= now && self.holds(&asked, now) {
            return Ok(());
        }
        authorities.accept(&pair.chain, name, now)?;
        // What stands between the two ends at times of its own.
        if pair.chain.len() == 1 {
            self.keep(asked, authorities.ends().min(pair.leaf.not_after));
        }
        Ok(())
    }

    /// As [`signed`].
    #[must_use]
    pub fn signed(&self, authority: &Certificate, certificate: &Certificate) -> bool {
        let asked = digest(b"signed", [authority.der.as_ref(), certificate.der.as_ref()]);
        if self.holds(&asked, Timestamp::MIN) {
            return true;
        }
        let is_signed = signed(authority, certificate);
        if is_signed {
            self.keep(asked, Timestamp::MAX);
        }
        is_signed
    }

    fn holds(&self, asked: &Digest, now: Timestamp) -> bool {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.get(asked).is_some_and(|until| now < *until)
    }

    fn keep(&self, asked: Digest, until: Timestamp) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= MOST {
            good.clear();
        }
        good.insert(asked, until);
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn insert<T: Clone>(read: &mut HashMap<Digest, T>, asked: Digest, value: &T) {
    if read.len() >= MOST_READ {
        read.clear();
    }
    read.insert(asked, value.clone());
}

/// Of all parts, each with its length, so that none can pass for another.
fn digest<'part>(question: &[u8], parts: impl IntoIterator<Item = &'part [u8]>) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(question);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::redis::tls::{
        issue::{self, Issued},
        schedule::AUTHORITY_LIFETIME,
    };

    const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);
    const HOST: &str = "shop-redis.web.svc";

    fn authority(dice: u8) -> Issued {
        issue::authority("shop-redis", &[dice; 128], NOW).unwrap()
    }

    fn leaf(signer: &Issued) -> Issued {
        issue::certificate(&[HOST.to_owned()], signer, NOW + AUTHORITY_LIFETIME, &[5; 128], NOW).unwrap()
    }

    #[test]
    fn what_was_verified_is_answered_as_before_and_nothing_else_is() {
        let verified = Verified::default();
        let (mine, others) = (authority(1), authority(2));
        let issued = leaf(&mine);
        let trusted = |issued: &Issued| Authorities::parse(issued.certificate.as_bytes()).unwrap();
        for _ in 0..2 {
            let pair = verified.pair(issued.certificate.as_bytes(), issued.key.reveal().as_bytes()).unwrap();
            assert_eq!(Ok(pair.clone()), Pair::parse(issued.certificate.as_bytes(), issued.key.reveal().as_bytes()));
            assert_eq!(verified.accept(&trusted(&mine), &pair, HOST, NOW), Ok(()));
            assert_eq!(verified.accept(&trusted(&others), &pair, HOST, NOW), Err(Distrust::UnknownIssuer));
            assert_eq!(verified.accept(&trusted(&mine), &pair, "elsewhere", NOW), Err(Distrust::WrongName));
            assert!(verified.signed(trusted(&mine).first(), &pair.leaf));
            assert!(!verified.signed(trusted(&others).first(), &pair.leaf));
            let mixed = verified.pair(issued.certificate.as_bytes(), others.key.reveal().as_bytes());
            assert_eq!(mixed, Err(PairError::Mismatch));
        }
    }

    #[test]
    fn what_was_read_is_the_same_until_it_is_forgotten_and_after() {
        let verified = Verified::default();
        let (mine, others) = (authority(1), authority(2));
        for _ in 0..2 {
            for bundle in [mine.certificate.as_bytes(), others.certificate.as_bytes(), b"nonsense"] {
                assert_eq!(verified.authorities(bundle), Authorities::parse(bundle));
                assert_eq!(verified.authorities(bundle), Authorities::parse(bundle));
            }
            let pair = verified.pair(mine.certificate.as_bytes(), mine.key.reveal().as_bytes());
            assert_eq!(pair, Pair::parse(mine.certificate.as_bytes(), mine.key.reveal().as_bytes()));
            assert!(verified.read().pairs.len() == 1 && verified.read().bundles.len() == 3);
            verified.rest();
            assert!(verified.read().pairs.is_empty() && verified.read().bundles.is_empty());
        }
    }

    #[test]
    fn an_answer_holds_no_longer_and_no_earlier_than_the_certificate_does() {
        let verified = Verified::default();
        let mine = authority(1);
        let issued = leaf(&mine);
        let pair = verified.pair(issued.certificate.as_bytes(), issued.key.reveal().as_bytes()).unwrap();
        let trusted = Authorities::parse(mine.certificate.as_bytes()).unwrap();
        let at = |now| verified.accept(&trusted, &pair, HOST, now);
        assert_eq!(at(NOW), Ok(()));
        assert_eq!(at(pair.leaf.not_after + SignedDuration::from_secs(1)), Err(Distrust::Expired));
        assert_eq!(at(pair.leaf.not_before - SignedDuration::from_secs(1)), Err(Distrust::NotYetValid));
        assert_eq!(at(NOW), Ok(()));
    }
}
