//! Rings as people, tools and attackers write them, and what real ASP.NET Core makes of each: `doctor ring` and the import
//! agree with it ring by ring, or refuse by name.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::Deserialize;
use tokencache_operator::data_protection::{
    import::{self, Imported},
    key::{
        date::Date,
        read::{self, FileError},
    },
    ring::{
        default_key::DefaultKey,
        directory::{Directory, DirectoryError},
        published::Refusal,
    },
};

use crate::vectors::folder;

/// A ring, and what runtimes make of it.
#[derive(Debug, Deserialize)]
struct Variant {
    files: BTreeMap<String, String>,
    dotnet10: Told,
    #[serde(default)]
    differs: BTreeMap<String, Told>,
    /// Whether 10.0.12 alone was asked.
    #[serde(default)]
    only10: bool,
}

/// What a runtime makes of a ring.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Told {
    keys: Vec<ToldKey>,
    throws: Option<String>,
    encrypts: Option<String>,
    cannot_encrypt: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ToldKey {
    id: String,
    created: String,
    activates: String,
    expires: String,
    revoked: bool,
    opens: Option<String>,
}

/// A key: its name, its dates, and whether it is revoked, and cannot be opened.
type Line = (String, [Date; 3], bool, bool);

impl Variant {
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.files.iter().map(|(name, content)| (name.clone(), STANDARD.decode(content).unwrap())).collect()
    }
}

impl Told {
    fn lines(&self) -> BTreeSet<Line> {
        let line = |key: &ToldKey| {
            let dates = [&key.created, &key.activates, &key.expires].map(|date| Date::parse(date).unwrap());
            (key.id.clone(), dates, key.revoked, key.opens.is_some())
        };
        self.keys.iter().map(line).collect()
    }
}

/// When the runtimes were asked.
fn now() -> Timestamp {
    "2026-11-25T00:00:00Z".parse().unwrap()
}

/// The rings that the runtimes were asked about, each with its name.
fn variants() -> Vec<(String, Variant)> {
    let mut variants = Vec::new();
    let folder = folder("data-protection/variants");
    let asked = std::env::var("DP_VARIANTS").ok();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in files.chain(asked.map(Into::into)) {
        let read: BTreeMap<String, Variant> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        variants.extend(read);
    }
    assert!(variants.len() >= 159, "{}", variants.len());
    variants
}

fn read(files: &[(String, Vec<u8>)]) -> Result<Directory, Vec<DirectoryError>> {
    Directory::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), &[])
}

fn lines(directory: &Directory) -> BTreeSet<Line> {
    let members = directory.ring();
    let line = |key: &tokencache_operator::data_protection::key::Key| {
        let member = members.find(key.id).unwrap();
        let is_closed =
            directory.report(now()).iter().any(|line| line.starts_with(&format!("key {} cannot be used", key.id)));
        (key.id.to_string(), [key.created, key.activates, key.expires], member.is_revoked, is_closed)
    };
    directory.keys().iter().map(line).collect()
}

fn encrypts(directory: &Directory) -> Option<String> {
    match directory.ring().choice(now()) {
        DefaultKey::Default(key) | DefaultKey::Fallback(key) => Some(key.id.to_string()),
        DefaultKey::Nothing => None,
    }
}

/// Whether the keys are the same, and those that .NET cannot open are told. Whether a revoked one could be opened is not looked
/// at. `Some(false)` where a key is told that cannot be used here, and .NET opens it.
fn same(told: &BTreeSet<Line>, read: &BTreeSet<Line>) -> Option<bool> {
    let plain = |lines: &BTreeSet<Line>| -> BTreeSet<(String, [Date; 3], bool)> {
        lines.iter().map(|(id, dates, is_revoked, _)| (id.clone(), *dates, *is_revoked)).collect()
    };
    let closed = |lines: &BTreeSet<Line>| -> BTreeSet<String> {
        let closed = lines.iter().filter(|(.., is_revoked, is_closed)| *is_closed && !is_revoked);
        closed.map(|(id, ..)| id.clone()).collect()
    };
    let is_same = plain(told) == plain(read) && closed(told).is_subset(&closed(read));
    is_same.then(|| closed(told) == closed(read))
}

/// Why `doctor ring` does not agree; `Ok(false)` where it refuses by name what .NET reads.
fn doctor_disagrees(variant: &Variant) -> Result<bool, String> {
    let read = read(&variant.files());
    let told = &variant.dotnet10;
    let directory = match (read, &told.throws) {
        (Err(errors), Some(_)) if errors != [DirectoryError::Empty] => return Ok(true),
        (Ok(_) | Err(_), Some(throws)) => return Err(format!("it is content, and .NET throws: {throws}")),
        (Err(errors), None) if errors == [DirectoryError::Empty] && told.keys.is_empty() => return Ok(true),
        (Err(errors), None) if errors.iter().all(|error| matches!(error, DirectoryError::Unsupported(..))) => {
            return Ok(false);
        }
        (Err(errors), None) if errors.iter().all(|error| matches!(error, DirectoryError::Duplicate(..))) => {
            let is_told = told.cannot_encrypt.as_ref().is_some_and(|why| why.contains("already exists"));
            return if is_told { Ok(true) } else { Err(format!("{errors:?}")) };
        }
        (Err(errors), None) => return Err(format!("{errors:?}")),
        (Ok(directory), None) => directory,
    };
    let Some(is_same) = same(&told.lines(), &lines(&directory)) else {
        return Err(format!("{:?}\n    but: {:?}", told.lines(), lines(&directory)));
    };
    let report = directory.report(now());
    if told.encrypts != encrypts(&directory) {
        let other = format!("an application that can use key {} may", told.encrypts.clone().unwrap_or_default());
        let is_told = !is_same && report.iter().any(|line| line.starts_with(&other));
        return if is_told { Ok(false) } else { Err(format!("{:?}, not {:?}", told.encrypts, encrypts(&directory))) };
    }
    if !is_same {
        return Ok(false);
    }
    for (version, other) in &variant.differs {
        let runtime = format!(".NET {}", version.split('.').next().unwrap());
        let of_runtime = report.iter().find(|line| line.contains(&runtime)).cloned().unwrap_or_default();
        let said = other.encrypts.clone().unwrap_or_else(|| "every Protect fails".to_owned());
        if !of_runtime.contains(&said) {
            return Err(format!("on {version} {said}: {report:?}"));
        }
    }
    match report.iter().find(|line| line.contains("on .NET")) {
        Some(line) if variant.differs.is_empty() && !variant.only10 => Err(format!("the runtimes agree: {line}")),
        _ => Ok(true),
    }
}

/// Why the import does not agree; `Ok(false)` where it refuses by name what .NET reads.
fn import_disagrees(variant: &Variant) -> Result<bool, String> {
    let files = variant.files();
    let told = &variant.dotnet10;
    let Imported { files: taken, refused, passed_over, .. } =
        import::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let is_named = |refused: &tokencache_operator::data_protection::ring::published::Refused| {
        files.iter().any(|(name, _)| refused.file.starts_with(name.as_str()))
    };
    if !refused.iter().chain(&passed_over).all(is_named) {
        return Err(format!("not named: {refused:?}"));
    }
    if !refused.is_empty() {
        let is_twice = told.cannot_encrypt.as_ref().is_some_and(|why| why.contains("already exists"));
        let is_unusable = is_twice || told.keys.iter().any(|key| key.opens.is_some());
        let by_name = |why: &Refusal| {
            matches!(why, Refusal::File(FileError::Unsupported(_)) | Refusal::Misnamed | Refusal::Foreign(..))
        };
        return match &told.throws {
            _ if !taken.is_empty() => Err("it is taken over in part".to_owned()),
            Some(_) => Ok(true),
            None if is_unusable || refused.iter().all(|refused| by_name(&refused.why)) => Ok(false),
            None => Err(format!("{refused:?}")),
        };
    }
    if let Some(throws) = &told.throws {
        return Err(format!("it is taken over, and .NET throws: {throws}"));
    }
    if files.iter().any(|(_, bytes)| read::repository(bytes).is_some()) {
        // The one file of Azure Blob Storage is read by its own provider, and means nothing in a folder.
        return if taken.is_empty() { Err("nothing is taken over".to_owned()) } else { Ok(true) };
    }
    let taken: Vec<(String, Vec<u8>)> =
        taken.into_iter().map(|file| (file.name.clone(), file.content.to_vec())).collect();
    match read(&taken) {
        Err(errors) if errors == [DirectoryError::Empty] && told.keys.is_empty() => Ok(true),
        Err(errors) => Err(format!("what is taken over cannot be read: {errors:?}")),
        Ok(directory) if same(&told.lines(), &lines(&directory)) != Some(true) => {
            Err(format!("{:?}\n    but: {:?}", told.lines(), lines(&directory)))
        }
        Ok(directory) if told.encrypts != encrypts(&directory) => Err(format!("not {:?} encrypts", told.encrypts)),
        Ok(_) => Ok(true),
    }
}

/// Goes over every ring, and returns how many are refused by name.
fn all_agree(what: &str, disagrees: impl Fn(&Variant) -> Result<bool, String>) -> usize {
    let (mut wrong, mut by_name) = (Vec::new(), 0);
    for (name, variant) in variants() {
        assert!(variant.dotnet10.encrypts.is_some() != variant.dotnet10.cannot_encrypt.is_some(), "{name}");
        match disagrees(&variant) {
            Ok(true) => {}
            Ok(false) => by_name += 1,
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{what} disagrees on {} rings:\n{}", wrong.len(), wrong.join("\n"));
    by_name
}

#[test]
fn doctor_agrees_with_dotnet_on_every_ring_or_refuses_by_name() {
    let by_name = all_agree("doctor", doctor_disagrees);
    assert!(by_name < variants().len() / 4, "{by_name} are refused by name only");
}

#[test]
fn the_import_agrees_with_dotnet_on_every_ring_or_refuses_it_whole_and_by_name() {
    let by_name = all_agree("the import", import_disagrees);
    assert!(by_name < variants().len() / 2, "{by_name} are refused by name only");
}

/// Where `DP_ORACLE` names a program that asks ASP.NET Core, it is asked about what is taken over of each ring.
#[test]
fn what_is_taken_over_means_the_same_to_asp_net_core() {
    let Ok(oracle) = std::env::var("DP_ORACLE") else {
        return eprintln!("ASP.NET Core was not asked: DP_ORACLE is not set");
    };
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (name, variant) in variants() {
        let files = variant.files();
        if files.iter().any(|(_, bytes)| read::repository(bytes).is_some()) {
            continue;
        }
        let imported = import::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        if imported.files.is_empty() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        for file in &imported.files {
            std::fs::write(folder.path().join(&file.name), file.content.as_slice()).unwrap();
        }
        let output =
            std::process::Command::new(&oracle).arg("check").arg(folder.path()).args(["app", "--readonly"]).output();
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        let encrypts = said.lines().find_map(|line| line.strip_prefix("protected-with ")?.split(' ').next());
        let keys = said.lines().filter(|line| line.starts_with("key ")).count();
        asked += 1;
        if encrypts != variant.dotnet10.encrypts.as_deref() || keys != variant.dotnet10.keys.len() {
            wrong.push(format!("{name}: {said}"));
        }
    }
    assert!(asked > 100 && wrong.is_empty(), "{asked} asked:\n{}", wrong.join("\n"));
}
