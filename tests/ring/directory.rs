//! A ring in a folder, as `doctor ring` reads it.

use jiff::Timestamp;
use tokencache_operator::data_protection::{
    certificate::Pair,
    ring::directory::{Directory, DirectoryError, Fault, RoundTripError},
};

use crate::vectors::{dice, files, pairs};

fn now() -> Timestamp {
    "2026-11-25T00:00:00Z".parse().unwrap()
}

fn read(files: &[(String, Vec<u8>)]) -> Result<Directory, Vec<DirectoryError>> {
    Directory::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), &pairs())
}

#[test]
fn the_report_tells_every_key_and_which_encrypts() {
    let report = read(&files("data-protection/cert-current")).unwrap().report(now()).join("\n");
    assert_eq!(
        report,
        "key 6f4728e4-8bfe-484f-9fd2-b4a10aa37b1b decrypts: activates 2026-05-06T02:27:08.5520759Z, expires \
         2026-08-04T02:27:08.5520759Z\n\
         key ad5c3758-db5a-4498-a948-017529b2ef58 encrypts: activates 2026-11-21T02:27:08.5520759Z, expires \
         2027-02-19T02:27:08.5520759Z\n\
         key 2e660fb8-10c6-4855-864d-810d247ed147 is pending: activates 2027-02-17T02:27:08.5520759Z, expires \
         2027-05-18T02:27:08.5520759Z\n\
         an application that reads this ring now encrypts with ad5c3758-db5a-4498-a948-017529b2ef58"
    );
}

#[test]
fn one_pod_protects_what_another_one_reads_under_the_same_name_only() {
    let (one, other) = (files("data-protection/gcm"), files("data-protection/cbc-hmac"));
    let payload = read(&one).unwrap().protect("/app", now(), &dice(1)).unwrap();
    let made_by = read(&one).unwrap().unprotect("/app", &payload).unwrap();
    let report = read(&one).unwrap().report(now()).join("\n");
    assert!(report.ends_with(&format!("now encrypts with {made_by}")), "{report}");
    let error = read(&one).unwrap().unprotect("/app/", &payload).unwrap_err().to_string();
    assert!(error.contains("another application name"), "{error}");
    let error = read(&other).unwrap().unprotect("/app", &payload).unwrap_err().to_string();
    assert!(error.contains("is not in the ring"), "{error}");
}

#[test]
fn what_breaks_every_application_breaks_the_report_and_what_is_passed_over_is_told() {
    let with = |name: &str, bytes: &[u8]| {
        let mut files = files("data-protection/cbc-hmac");
        files.push((name.to_owned(), bytes.to_vec()));
        read(&files)
    };
    let same = files("data-protection/cbc-hmac")[0].1.clone();
    for (name, bytes) in [("a.xml", &b"<key"[..]), (".a.xml", b""), ("r.xml", b"<revocation/>"), ("a.xml", &same)] {
        let errors = with(name, bytes).unwrap_err();
        assert!(errors.len() == 1 && errors[0].to_string().starts_with(name), "{errors:?}");
    }
    for (name, bytes) in [("a.XML", &b"<key"[..]), ("ca.crt", b"PEM")] {
        assert!(with(name, bytes).unwrap().passed_over.is_empty(), "{name}");
    }
    for bytes in ["<other/>", "<key id='99999999-b637-4c42-9806-ef80bf3af4cc'/>"] {
        assert_eq!(with("a.xml", bytes.as_bytes()).unwrap().passed_over.len(), 1, "{bytes}");
    }
    assert_eq!(read(&[]).unwrap_err(), [DirectoryError::Empty]);
    let broken = [("a.xml".to_owned(), b"<key".to_vec()), ("b.xml".to_owned(), Vec::new())];
    assert_eq!(read(&broken).unwrap_err().len(), 2, "all of them are told at once");
}

#[test]
fn a_ring_with_nothing_to_encrypt_with_says_so() {
    let revoked = read(&files("data-protection/revoked-all")).unwrap();
    assert!(revoked.report(now()).join("\n").ends_with("no key can encrypt: every Protect of an application fails"));
    assert_eq!(revoked.protect("/app", now(), &dice(1)), Err(RoundTripError::NoKey));
    let late = "2028-01-01T00:00:00Z".parse().unwrap();
    let report = read(&files("data-protection/gcm")).unwrap().report(late).join("\n");
    assert!(report.contains("no key is active"), "{report}");
}

#[test]
fn a_ring_is_good_where_a_key_is_active_and_every_key_can_be_used() {
    let fault = |files: &[(String, Vec<u8>)], pairs: &[Pair], now: Timestamp| {
        let files = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        Directory::read(files, pairs).unwrap().fault(now)
    };
    let gcm = files("data-protection/gcm");
    assert_eq!(fault(&gcm, &[], now()), None);
    assert_eq!(fault(&gcm, &[], "2028-01-01T00:00:00Z".parse().unwrap()), Some(Fault::NoneActive));
    assert_eq!(fault(&files("data-protection/revoked-all"), &[], now()), Some(Fault::NoKey));
    let mut older = files("data-protection/cert-current");
    older.retain(|(name, _)| name == "key-6f4728e4-8bfe-484f-9fd2-b4a10aa37b1b.xml");
    let of_two = [gcm.clone(), older].concat();
    assert_eq!(fault(&of_two, &[], now()), Some(Fault::Closed(1)));
    assert_eq!(fault(&of_two, &pairs(), now()), None);
    let with = |text: &str| [gcm.clone(), vec![("a.xml".to_owned(), text.as_bytes().to_vec())]].concat();
    assert_eq!(fault(&with("<other/>"), &[], now()), None);
    assert_eq!(fault(&with("<key id='1'/>"), &[], now()), Some(Fault::PassedOver(1)));
}
