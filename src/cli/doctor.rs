//! `tokencache-operator doctor ring`: a key ring as an application finds it in a folder, and whether one pod can read what
//! another one encrypts.
//!
//! In: a folder, such as one where Secret `<name>-keys` is mounted. Out: lines on standard output, and why it is not good. It
//! talks to nobody, writes no file, and tells no secret.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, general_purpose::NO_PAD},
};
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use crate::{
    controller::Context,
    data_protection::{
        certificate::Pair,
        key::read::LARGEST_REPOSITORY,
        payload::RANDOM_BYTES,
        ring::{
            certificates,
            directory::{Directory, DirectoryError, Fault, RoundTripError, is_read},
            open::UnprotectError,
        },
    },
    kubernetes::{
        words,
        write::{NoRandom, random},
    },
};

/// More than a payload ever has, in characters.
const LONGEST_PAYLOAD: u64 = 64 << 10;

/// As .NET writes payloads; read with or without padding, and also where the end was cut off, so that this is what is told.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// The files of a folder, by their names.
type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

#[derive(Debug, Args)]
pub struct DoctorArguments {
    #[command(subcommand)]
    command: DoctorCommand,
}

#[derive(Debug, Subcommand)]
enum DoctorCommand {
    /// Say which key encrypts now, and make sure that what is encrypted can be read.
    ///
    /// Reads a folder as ASP.NET Core Data Protection does. Ends with 0 where the ring is good, or the payload was read, and with
    /// 1 and a sentence on standard error where not.
    Ring(RingArguments),
}

#[derive(Debug, Args)]
pub struct RingArguments {
    /// The folder with the ring: where the Secret NAME-keys is mounted.
    #[arg(long)]
    dir: PathBuf,
    /// The application's name: as `SetApplicationName` says it, or else its folder, such as /app.
    #[arg(long)]
    application: String,
    /// The folder with the certificates that keys are encrypted to, each as THUMBPRINT.crt and THUMBPRINT.key: where the Secret
    /// NAME-keys-certificates is mounted. Where no key is encrypted to one, there is no such Secret, and the folder may be empty.
    #[arg(long)]
    certificates: Option<PathBuf>,
    /// Encrypt, and print only the payload, for another pod to read.
    #[arg(long, conflicts_with = "unprotect")]
    protect: bool,
    /// Read a payload that another pod has printed; - takes it from standard input.
    #[arg(long, value_name = "PAYLOAD")]
    unprotect: Option<String>,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// A folder cannot be read.
    #[error("the folder {folder} cannot be read: {why}", folder = .0.display(), why = words::of(.1))]
    Folder(PathBuf, io::Error),
    /// Applications cannot read the ring.
    #[error("{}", .0.join("\n"))]
    Unreadable(Vec<String>),
    /// The ring can be read, and something is wrong with it.
    #[error("the ring in {folder} is unhealthy: {fault}{remedy}", folder = .0.display(), fault = .1, remedy = .2)]
    Fault(PathBuf, Fault, String),
    /// Nothing could be encrypted, or not be read again.
    #[error("the ring in {folder} cannot be used: {source}{remedy}", folder = .0.display(), source = .1, remedy = .2)]
    RoundTrip(PathBuf, RoundTripError, String),
    /// What another pod made cannot be read.
    #[error("the payload cannot be read with the ring in {folder}: {source}{remedy}", folder = .0.display(), source = .1, remedy = .2)]
    Unprotect(PathBuf, RoundTripError, String),
    /// It is no payload.
    #[error("this is no payload: give the line that --protect prints, which begins with CfDJ8")]
    NoPayload,
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// Standard output is closed.
    #[error("standard output: {}", words::of(.0))]
    Output(io::Error),
    /// The payload does not arrive.
    #[error("standard input: {}", words::of(.0))]
    Input(io::Error),
}

pub fn main(arguments: &DoctorArguments) -> Result<(), DoctorError> {
    let DoctorCommand::Ring(arguments) = &arguments.command;
    let certificates = arguments.certificates.as_deref().map(Certificates::read).transpose()?.unwrap_or_default();
    let ring = ring(&arguments.dir, &certificates.pairs)?;
    let examination = Examination { arguments, certificates, ring };
    match &arguments.unprotect {
        Some(payload) => say(&[examination.unprotect(payload)?]),
        None if arguments.protect => say(&[BASE64URL.encode(examination.protect()?)]),
        None => examination.examine(),
    }
}

/// A ring, and what it is opened with.
struct Examination<'arguments> {
    arguments: &'arguments RingArguments,
    certificates: Certificates,
    ring: Directory,
}

impl Examination<'_> {
    /// The report, and a round trip.
    fn examine(&self) -> Result<(), DoctorError> {
        let (now, folder) = (Context::now(), &self.arguments.dir);
        let certificate = |pair: &Pair| format!("certificate {} is mounted", pair.thumbprint());
        let mut report: Vec<String> = self.certificates.pairs.iter().map(certificate).collect();
        report.extend(self.ring.report(now));
        say(&report)?;
        if let Some(fault) = self.ring.fault(now) {
            return Err(DoctorError::Fault(folder.clone(), fault, self.certificates.lacking(&self.ring)));
        }
        let application = &self.arguments.application;
        let key = self.ring.unprotect(application, &self.protect()?);
        let key = key.map_err(|error| DoctorError::RoundTrip(folder.clone(), error, String::new()))?;
        say(&[format!("what {key} encrypts for the application name {application:?} is read again")])
    }

    fn protect(&self) -> Result<Vec<u8>, DoctorError> {
        let random = random::<RANDOM_BYTES>()?;
        let payload = self.ring.protect(&self.arguments.application, Context::now(), &random);
        let failed =
            |error| DoctorError::RoundTrip(self.arguments.dir.clone(), error, self.certificates.lacking(&self.ring));
        payload.map_err(failed)
    }

    fn unprotect(&self, payload: &str) -> Result<String, DoctorError> {
        let payload = if payload == "-" { payload_from_input()? } else { payload.to_owned() };
        let payload = BASE64URL.decode(payload.trim()).map_err(|_| DoctorError::NoPayload)?;
        match self.ring.unprotect(&self.arguments.application, &payload) {
            Ok(key) => Ok(format!("the payload is read: {key} encrypted it")),
            Err(RoundTripError::Unprotect(UnprotectError::NotProtected)) => Err(DoctorError::NoPayload),
            Err(error) => {
                let remedy = self.remedy(&error);
                Err(DoctorError::Unprotect(self.arguments.dir.clone(), error, remedy))
            }
        }
    }

    /// What to do about a payload that cannot be read, as the end of a sentence.
    fn remedy(&self, error: &RoundTripError) -> String {
        match error {
            RoundTripError::Unprotect(UnprotectError::KeyMissing(_)) => {
                ". The two pods do not have the same ring: kubelet takes a minute or two to bring a new key to a pod, and \
                 never brings one to a subPath mount"
                    .to_owned()
            }
            RoundTripError::Unprotect(UnprotectError::KeyClosed(..)) => self.certificates.lacking(&self.ring),
            _ => String::new(),
        }
    }
}

/// The ring in a folder.
fn ring(folder: &Path, pairs: &[Pair]) -> Result<Directory, DoctorError> {
    let (files, broken) = files(folder, is_read)?;
    let unread = |why| format!("{why}. No application can read the ring until this is corrected");
    let mut broken: Vec<String> = broken.into_iter().map(unread).collect();
    match Directory::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), pairs) {
        Ok(ring) if broken.is_empty() => return Ok(ring),
        Ok(_) => {}
        Err(errors) if errors == [DirectoryError::Empty] && !broken.is_empty() => {}
        Err(errors) => broken.extend(errors.iter().map(ToString::to_string)),
    }
    Err(DoctorError::Unreadable(broken))
}

/// What keys are opened with.
#[derive(Default)]
struct Certificates {
    /// Where they are, if they are anywhere.
    folder: Option<PathBuf>,
    files: Files,
    /// What is said of files that cannot be read.
    broken: Vec<String>,
    pairs: Vec<Pair>,
}

impl Certificates {
    /// Those in a folder, which may be empty: where no key needs one, none is published.
    fn read(folder: &Path) -> Result<Self, DoctorError> {
        let (files, broken) = files(folder, |_| true)?;
        let pairs = certificates::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        Ok(Self { folder: Some(folder.to_owned()), files, broken, pairs })
    }

    /// Which certificates keys need that are not at hand, and what to mount, as the end of a sentence.
    fn lacking(&self, ring: &Directory) -> String {
        let lacking = ring.lacking();
        let Some(first) = lacking.first() else { return String::new() };
        let named = match lacking.len() {
            1 => format!(". Keys need certificate {first}"),
            count => format!(". Keys need {count} certificates that are missing, among them {first}"),
        };
        let Some(folder) = self.folder.as_ref().map(|folder| folder.display()) else {
            return format!("{named}: mount Secret {SECRET} as a whole, and name its folder with --certificates");
        };
        let is_without_key =
            self.files.values().any(|file| certificates::described(file, *first) == certificates::WITHOUT_KEY);
        let found = if is_without_key {
            format!("which is in {folder} without its private key")
        } else {
            format!("which is not in {folder}")
        };
        let broken = if self.broken.is_empty() { String::new() } else { format!(" ({})", self.broken.join("; ")) };
        format!(
            "{named}, {found}{broken}: mount Secret {SECRET} there as a whole, without items and subPath. kubelet takes a minute \
             or two to bring a new one; where the Secret lacks it too, the condition KeyRingReady says so"
        )
    }
}

/// The Secret with the certificates of a `TokenCache`.
const SECRET: &str = "NAME-keys-certificates";

/// The files of a folder with these names, and what is said of those that cannot be read. Links are followed: as such kubelet
/// mounts the files of a Secret. Folders in it are passed over.
fn files(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<(Files, Vec<String>), DoctorError> {
    let failed = |error| DoctorError::Folder(folder.to_owned(), error);
    let (mut files, mut broken) = (Files::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_wanted(&name) || entry.path().is_dir() {
            continue;
        }
        match read(&entry.path()) {
            Ok(bytes) => {
                files.insert(name, bytes);
            }
            Err(error) => {
                broken.push(format!("{name}: {}", words::of(&error)));
            }
        }
    }
    broken.sort();
    Ok((files, broken))
}

/// Reads a file, or as much of it as tells that it is too large.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let most = u64::try_from(LARGEST_REPOSITORY + 1).unwrap_or(u64::MAX);
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn payload_from_input() -> Result<String, DoctorError> {
    let mut payload = String::new();
    io::stdin().take(LONGEST_PAYLOAD).read_to_string(&mut payload).map_err(DoctorError::Input)?;
    Ok(payload)
}

fn say(lines: &[String]) -> Result<(), DoctorError> {
    let mut output = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(output, "{line}")).map_err(DoctorError::Output)
}
