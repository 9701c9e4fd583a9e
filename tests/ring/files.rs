//! Key files: what ASP.NET Core wrote is read, and what is written is the same, byte for byte.

use jiff::Timestamp;
use tokencache_operator::data_protection::{
    certificate::Pair,
    import,
    key::{
        Closed, Descriptor, Foreign, Key, KeyDates,
        date::Date,
        encrypted_xml::Wrapping,
        id::KeyId,
        read::{self, Element},
        revocation::{Revocation, Revoked},
    },
    ring::published::Refusal,
};

use crate::vectors::{self, RINGS, dice, files, folder, pair, pairs, parts, told};

const ORDER: KeyDates = KeyDates {
    created: Timestamp::constant(1_795_000_000, 0),
    activates: Timestamp::constant(1_795_259_200, 0),
    expires: Timestamp::constant(1_810_811_200, 0),
};

fn read_key(bytes: &[u8]) -> Key {
    match read::read(bytes).unwrap() {
        Element::Key(key) => *key,
        Element::Revocation(_) => panic!("a revocation"),
    }
}

#[test]
fn every_file_that_asp_net_core_wrote_is_written_the_same_byte_for_byte() {
    for ring in RINGS.iter().map(|ring| format!("data-protection/{ring}")).chain([
        "data-protection/revoked".to_owned(),
        "data-protection/revoked-all".to_owned(),
        "cache-entries/ring".to_owned(),
        "cache-entries/ring-other".to_owned(),
    ]) {
        for (name, bytes) in files(&ring) {
            let written = match read::read(&bytes).unwrap() {
                Element::Key(key) => key.file().unwrap(),
                Element::Revocation(revocation) => revocation.file(),
            };
            assert_eq!(String::from_utf8_lossy(&written.content), String::from_utf8_lossy(&bytes), "{ring}/{name}");
            if !name.starts_with("revocation-2026") {
                assert_eq!(written.name, name);
            }
        }
    }
}

#[test]
fn keys_have_the_dates_that_asp_net_core_tells_of_them() {
    for ring in RINGS {
        let (keys, _) = parts(&format!("data-protection/{ring}"));
        for told in told(ring) {
            let id = KeyId::parse(&told.id).unwrap();
            let key = keys.iter().find(|key| key.id == id).unwrap();
            let dates = [key.created, key.activates, key.expires];
            assert_eq!(dates, [told.created, told.activates, told.expires].map(Date::from));
        }
    }
}

#[test]
fn a_new_key_is_read_as_it_was_made_plain_or_encrypted_to_any_certificate() {
    for (seed, certificate) in [(1, None), (2, Some("current")), (3, Some("previous")), (4, Some("rsa4096"))] {
        let certificate: Option<Pair> = certificate.map(pair);
        let key = ORDER.make(certificate.as_ref().map(Pair::certificate), &dice::<128>(seed)).unwrap();
        let file = key.file().unwrap();
        let again = read_key(&file.content);
        assert_eq!(again, key);
        assert_eq!(file.name, format!("key-{}.xml", key.id));
        let (_, master) = again.open(&pairs()).unwrap();
        assert_eq!(master.reveal(), &dice::<128>(seed)[16..80]);
    }
}

#[test]
fn a_new_key_is_encrypted_with_oaep_and_says_nothing_in_plain() {
    let current = pair("current");
    let key = ORDER.make(Some(current.certificate()), &dice::<128>(5)).unwrap();
    assert_eq!(key.encrypted().unwrap().wrapping, Wrapping::OaepMgf1p);
    assert_eq!(key.encrypted().unwrap().thumbprint(), current.thumbprint());
    let text = String::from_utf8(key.file().unwrap().content.to_vec()).unwrap();
    assert!(!text.contains("masterKey") && text.contains("#rsa-oaep-mgf1p"), "{text}");
    assert!(matches!(key.open(&[pair("previous")]), Err(Closed::Encrypted(_))));
}

#[test]
fn too_few_random_bytes_make_no_key() {
    assert!(ORDER.make(None, &[1; 127]).is_err());
}

#[test]
fn the_size_of_a_file_is_what_the_capacity_of_a_ring_is_reckoned_with() {
    let size = |certificate: Option<&str>| {
        let pair = certificate.map(pair);
        let key = ORDER.make(pair.as_ref().map(Pair::certificate), &dice::<128>(6)).unwrap();
        key.file().unwrap().content.len()
    };
    assert!(size(None) < 1024);
    assert!((3500..3700).contains(&size(Some("current"))));
    assert!((4500..4700).contains(&size(Some("rsa4096"))));
}

#[test]
fn a_file_without_declaration_version_or_fraction_and_with_upper_case_and_extras_is_read() {
    let (keys, _) = parts("data-protection/cbc-hmac");
    let key = &keys[0];
    let text = String::from_utf8(key.file().unwrap().content.to_vec()).unwrap();
    let lean = text
        .trim_start_matches('\u{feff}')
        .replace("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n", "")
        .replace(", Version=10.0.0.0, Culture=neutral, PublicKeyToken=adb9793829ddae60", "")
        .replace("<descriptor>", "<!-- extra --><descriptor>")
        .replace("</key>", "<extra a='1'/></key>")
        .replace(&key.id.to_string(), &key.id.to_string().to_uppercase());
    assert_eq!(&read_key(lean.as_bytes()), key);
}

#[test]
fn a_key_that_something_else_protects_is_refused_by_the_name_of_its_decryptor() {
    let (keys, _) = parts("data-protection/cert-current");
    let text = String::from_utf8(keys[0].file().unwrap().content.to_vec()).unwrap();
    let ours = "Microsoft.AspNetCore.DataProtection.XmlEncryption.EncryptedXmlDecryptor";
    for decryptor in [
        "Azure.Extensions.AspNetCore.DataProtection.Keys.AzureKeyVaultXmlDecryptor",
        "Microsoft.AspNetCore.DataProtection.XmlEncryption.DpapiXmlDecryptor",
        "Microsoft.AspNetCore.DataProtection.XmlEncryption.DpapiNGXmlDecryptor",
    ] {
        let text = text.replace(ours, decryptor);
        let key = read_key(text.as_bytes());
        assert_eq!(key.descriptor, Descriptor::Foreign(Foreign::Decryptor(decryptor.to_owned())));
        assert_eq!(key.file(), None);
        let imported = import::read([("key.xml", text.as_bytes())]);
        assert!(imported.files.is_empty());
        let why = imported.refused[0].why.to_string();
        assert!(why.ends_with(decryptor.rsplit('.').next().unwrap()) && why.contains(&key.id.short()), "{why}");
    }
}

#[test]
fn a_key_of_another_kind_tells_what_would_read_it() {
    let (keys, _) = parts("data-protection/cbc-hmac");
    let text = String::from_utf8(keys[0].file().unwrap().content.to_vec()).unwrap();
    let read = |from: &str, to: &str| read_key(text.replace(from, to).as_bytes()).descriptor;
    let foreign =
        read("AuthenticatedEncryptorDescriptorDeserializer", "ManagedAuthenticatedEncryptorDescriptorDeserializer");
    assert!(matches!(foreign, Descriptor::Foreign(Foreign::Deserializer(name)) if name.contains("Managed")));
    let foreign = read("AES_256_CBC", "AES_256_CTR");
    assert_eq!(foreign, Descriptor::Foreign(Foreign::Algorithm("AES_256_CTR HMACSHA256".to_owned())));
    assert_eq!(read("masterKey", "masterkey"), Descriptor::Foreign(Foreign::Incomplete("single master key")));
}

#[test]
fn a_key_that_is_framed_as_encrypted_and_is_not_is_read_as_plain() {
    let (keys, _) = parts("data-protection/cbc-hmac");
    let text = String::from_utf8(keys[0].file().unwrap().content.to_vec()).unwrap();
    let framed = text
        .replace(
            "<masterKey",
            "<encryptedSecret decryptorType=\"Microsoft.AspNetCore.DataProtection.XmlEncryption.NullXmlDecryptor, \
             Microsoft.AspNetCore.DataProtection\" xmlns=\"http://schemas.asp.net/2015/03/dataProtection\">\
             <unencryptedKey xmlns=\"\"><masterKey",
        )
        .replace("</masterKey>", "</masterKey></unencryptedKey></encryptedSecret>");
    assert_eq!(read_key(framed.as_bytes()).descriptor, keys[0].descriptor);
}

#[test]
fn an_azure_blob_is_taken_apart_into_one_file_for_each_key() {
    let body = |ring: &str| {
        files(ring).into_iter().map(|(_, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            text.split_once("?>").unwrap().1.trim().replace('\n', "\n  ")
        })
    };
    let elements: Vec<String> = body("data-protection/revoked").chain(body("data-protection/cert-current")).collect();
    let blob = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<repository>\n  {}\n</repository>",
        elements.join("\n  ")
    );
    let imported = import::read([("keys.xml", blob.as_bytes())]);
    assert_eq!(imported.refused, []);
    assert_eq!(imported.files.len(), 6);
    let (revoked, encrypted) = (parts("data-protection/revoked"), parts("data-protection/cert-current"));
    for file in &imported.files {
        match read::read(&file.content).unwrap() {
            Element::Key(key) => assert!(revoked.0.iter().chain(&encrypted.0).any(|known| *known == *key)),
            Element::Revocation(revocation) => assert_eq!(revoked.1, [revocation]),
        }
    }
}

#[test]
fn whatever_a_file_is_written_in_what_is_taken_over_is_what_asp_net_core_would_have_written() {
    for ring in RINGS.iter().map(|ring| format!("data-protection/{ring}")) {
        for (name, bytes) in files(&ring) {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let text = text.trim_start_matches('\u{feff}').replace("utf-8", "utf-16").replace('\n', "\r\n");
            let in_utf16: Vec<u8> =
                [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
            let imported = import::read([(name.as_str(), in_utf16.as_slice())]);
            assert_eq!(imported.files.len(), 1, "{:?}", imported.refused);
            assert_eq!((&imported.files[0].name, imported.files[0].content.as_slice()), (&name, bytes.as_slice()));
            // The same text in bytes that deny what it declares.
            let imported = import::read([(name.as_str(), text.as_bytes())]);
            assert!(imported.files.is_empty() && imported.refused[0].why.to_string().contains("is not in UTF-16"));
        }
    }
}

#[test]
fn what_cannot_be_imported_is_told_file_by_file() {
    let one = std::fs::read(folder("data-protection/cbc-hmac").join(&files("data-protection/cbc-hmac")[0].0)).unwrap();
    let other = String::from_utf8(one.clone()).unwrap().replace("AES_256_CBC", "AES_128_CBC");
    let imported = import::read([
        ("a.xml", one.as_slice()),
        ("b.xml", one.as_slice()),
        ("c.xml", other.as_bytes()),
        ("d.xml", b"<key"),
        ("ca.crt", b"-----BEGIN"),
    ]);
    assert!(imported.files.is_empty(), "half a ring is none");
    let refused: Vec<&str> = imported.refused.iter().map(|refused| refused.file.as_str()).collect();
    assert_eq!(refused, ["b.xml", "c.xml", "d.xml"]);
    assert!(matches!(imported.refused[0].why, Refusal::InTwoFiles(_)));
    assert_eq!(imported.passed_over.len(), 1);
    let imported = import::read([("a.xml", one.as_slice()), ("ca.crt", b"-----BEGIN"), ("o.xml", b"<other/>")]);
    assert_eq!((imported.files.len(), imported.passed_over.len(), imported.refused.len()), (1, 2, 0));
    let imported = import::read([("a", one.as_slice())]);
    assert_eq!(imported.refused[0].why, Refusal::Misnamed);
}

#[test]
fn a_revocation_is_of_one_key_and_no_reason_can_break_its_file() {
    let id = KeyId::from_random([3; 16]);
    for reason in ["compromised", "", "a < b & \"c\" > d \u{0}\u{8}\u{ffff} é", "]]>", "  "] {
        let file = Revocation::of(id, ORDER.created, reason).file();
        assert_eq!(file.name, format!("revocation-{id}.xml"));
        let Element::Revocation(read) = read::read(&file.content).unwrap() else { panic!("a key") };
        assert_eq!(read.revoked, Revoked::Key(id));
        assert_eq!(read.file(), file);
    }
}

#[test]
fn a_revocation_of_all_keys_is_about_those_made_strictly_before() {
    let (keys, revocations) = parts("data-protection/revoked-all");
    assert_eq!(revocations[0].one_by_one(&keys).len(), 1);
    let at_that_time = Revocation { date: keys[0].created.timestamp(), ..revocations[0].clone() };
    assert_eq!(at_that_time.one_by_one(&keys), []);
    assert!(vectors::ring("data-protection/revoked-all").protector(keys[0].id).is_none());
}

#[test]
fn nothing_that_prints_a_key_prints_its_secret() {
    let key = ORDER.make(None, &dice::<128>(7)).unwrap();
    let file = key.file().unwrap();
    let printed = format!("{key:?} {file:?} {:?}", vectors::ring("data-protection/cbc-hmac"));
    assert!(printed.contains("<redacted>"));
    let text = String::from_utf8(file.content.to_vec()).unwrap();
    let secret = text.split_once("<value>").unwrap().1.split_once('<').unwrap().0.to_owned();
    assert!(!printed.contains(&secret[..8]));
}
