//! What is too large, or made to take long, is refused before it is parsed, wherever it comes from.

use tokencache_operator::data_protection::{
    import,
    key::read::{self, FileError, LARGEST_FILE, LARGEST_REPOSITORY},
    ring::{
        directory::{Directory, DirectoryError},
        published::{Published, Refusal},
    },
};

use crate::vectors::files;

/// Texts with too much of something. Each ends in the midst of it, which a parser would tell: so none was reached.
fn foolish() -> Vec<(&'static str, String)> {
    let many = |count: usize, of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<String>();
    vec![
        ("over 64 attributes", format!("<key {}", many(4000, &|at| format!("xmlns:a{at}=\"urn:{at}\" ")))),
        ("over 64 attributes", format!("<key {}", many(65, &|at| format!("a{at}='' ")))),
        (
            "over 64 namespaces",
            many(5, &|depth| format!("<key {}>", many(16, &|at| format!("xmlns:a{depth}b{at}='u' ")))),
        ),
        ("over 4000 elements", format!("<other>{}", many(4000, &|_| "<a/>".to_owned()))),
        ("over 64 deep", many(65, &|_| "<key>".to_owned())),
        ("a DOCTYPE", "<!DOCTYPE key [<!ENTITY a '&b;&b;'".to_owned()),
        ("over 32768 bytes", format!("<key/><!--{}-->oops", " ".repeat(LARGEST_FILE))),
        ("over 32768 bytes", format!("<revocation/><!--{}-->oops", " ".repeat(LARGEST_FILE))),
        ("over 1048576 bytes", " ".repeat(LARGEST_REPOSITORY + 1)),
    ]
}

#[test]
fn what_is_too_much_is_refused_before_it_is_parsed() {
    for (why, text) in foolish() {
        let error = read::read(text.as_bytes()).unwrap_err();
        assert!(matches!(&error, FileError::Unsupported(told) if told.contains(why)), "{why}: {error}");
    }
}

#[test]
fn of_a_ring_with_such_a_file_nothing_is_taken_over_and_doctor_names_it() {
    let ring = files("data-protection/cbc-hmac");
    for (why, text) in foolish() {
        let all = || {
            let good = ring.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
            good.chain([("bad.xml", text.as_bytes())])
        };
        let imported = import::read(all());
        assert!(imported.files.is_empty(), "{why}");
        assert_eq!(imported.refused.iter().map(|refused| refused.file.as_str()).collect::<Vec<_>>(), ["bad.xml"]);
        let errors = Directory::read(all(), &[]).unwrap_err();
        assert!(matches!(&errors[..], [DirectoryError::Unsupported(name, _)] if name == "bad.xml"), "{errors:?}");
        let published = Published::of(all(), [("bad.xml", text.as_bytes())]);
        assert_eq!((published.keys().len(), published.refused.len(), published.strays.len()), (3, 1, 1));
        assert!(matches!(published.refused[0].why, Refusal::File(FileError::Unsupported(_))));
    }
}

#[test]
fn a_repository_has_its_own_bound_and_each_of_its_keys_that_of_a_file() {
    let (_, key) = files("data-protection/cbc-hmac").remove(0);
    let text = String::from_utf8(key).unwrap();
    let element = &text[text.find("<key").unwrap()..];
    let of = |inner: &str| format!("<repository>{inner}</repository>");
    let large = element.replace("</key>", &format!("<!--{}--></key>", " ".repeat(LARGEST_FILE)));
    let imported = import::read([("keys.xml", of(&large).as_bytes())]);
    assert_eq!(imported.refused[0].file, "keys.xml, element 1");
    let spaced = of(&format!("<!--{}-->{element}", " ".repeat(LARGEST_FILE)));
    assert_eq!(import::read([("keys.xml", spaced.as_bytes())]).files.len(), 1);
    let huge = of(&format!("<!--{}-->{element}", " ".repeat(LARGEST_REPOSITORY)));
    assert_eq!(import::read([("keys.xml", huge.as_bytes())]).refused.len(), 1);
}
