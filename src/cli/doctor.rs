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
    /// The folder with the certificates, each as NAME.crt and NAME.key: where the Secret NAME-keys-certificates is mounted.
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
    /// There is no certificate where some should be.
    #[error("{}: there is no RSA certificate with its private key, as NAME.crt and NAME.key in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// The ring can be read, and is not good.
    #[error("the ring in {folder} is not good: {fault}", folder = .0.display(), fault = .1)]
    Fault(PathBuf, Fault),
    /// Nothing could be encrypted, or not be read again.
    #[error("the ring in {folder}: {source}", folder = .0.display(), source = .1)]
    RoundTrip(PathBuf, RoundTripError),
    /// What another pod made cannot be read.
    #[error("the ring in {folder} does not read the payload: {source}{}", remedy(.1), folder = .0.display(), source = .1)]
    Unprotect(PathBuf, RoundTripError),
    /// It is no payload.
    #[error("the payload is none: want the line that --protect prints, which begins with CfDJ8")]
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

/// What to do about a payload that cannot be read, as the end of a sentence.
fn remedy(error: &RoundTripError) -> &'static str {
    match error {
        RoundTripError::Unprotect(UnprotectError::KeyMissing(_)) => {
            ". The two pods do not have the same ring: kubelet takes a minute or two to bring a new key to a pod, and never \
             brings one to a subPath mount"
        }
        _ => "",
    }
}

pub fn main(arguments: &DoctorArguments) -> Result<(), DoctorError> {
    let DoctorCommand::Ring(arguments) = &arguments.command;
    let pairs = arguments.certificates.as_deref().map(pairs).transpose()?.unwrap_or_default();
    let ring = ring(&arguments.dir, &pairs)?;
    match &arguments.unprotect {
        Some(payload) => say(&[arguments.unprotect(&ring, payload)?]),
        None if arguments.protect => say(&[BASE64URL.encode(arguments.protect(&ring)?)]),
        None => arguments.examine(&ring, &pairs),
    }
}

impl RingArguments {
    /// The report, and a round trip.
    fn examine(&self, ring: &Directory, pairs: &[Pair]) -> Result<(), DoctorError> {
        let now = Context::now();
        let certificate = |pair: &Pair| format!("certificate {} is at hand", pair.thumbprint());
        let mut report: Vec<String> = pairs.iter().map(certificate).collect();
        report.extend(ring.report(now));
        say(&report)?;
        if let Some(fault) = ring.fault(now) {
            return Err(DoctorError::Fault(self.dir.clone(), fault));
        }
        let failed = |error| DoctorError::RoundTrip(self.dir.clone(), error);
        let key = ring.unprotect(&self.application, &self.protect(ring)?).map_err(failed)?;
        say(&[format!("what {key} encrypts for the application name {:?} is read again", self.application)])
    }

    fn protect(&self, ring: &Directory) -> Result<Vec<u8>, DoctorError> {
        let random = random::<RANDOM_BYTES>()?;
        let payload = ring.protect(&self.application, Context::now(), &random);
        payload.map_err(|error| DoctorError::RoundTrip(self.dir.clone(), error))
    }

    fn unprotect(&self, ring: &Directory, payload: &str) -> Result<String, DoctorError> {
        let payload = if payload == "-" { payload_from_input()? } else { payload.to_owned() };
        let payload = BASE64URL.decode(payload.trim()).map_err(|_| DoctorError::NoPayload)?;
        match ring.unprotect(&self.application, &payload) {
            Ok(key) => Ok(format!("the payload is read: {key} encrypted it")),
            Err(RoundTripError::Unprotect(UnprotectError::NotProtected)) => Err(DoctorError::NoPayload),
            Err(error) => Err(DoctorError::Unprotect(self.dir.clone(), error)),
        }
    }
}

/// The ring in a folder.
fn ring(folder: &Path, pairs: &[Pair]) -> Result<Directory, DoctorError> {
    let (files, mut broken) = files(folder, is_read)?;
    match Directory::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), pairs) {
        Ok(ring) if broken.is_empty() => return Ok(ring),
        Ok(_) => {}
        Err(errors) if errors == [DirectoryError::Empty] && !broken.is_empty() => {}
        Err(errors) => broken.extend(errors.iter().map(ToString::to_string)),
    }
    Err(DoctorError::Unreadable(broken))
}

fn pairs(folder: &Path) -> Result<Vec<Pair>, DoctorError> {
    let (files, _) = files(folder, |_| true)?;
    let pairs = certificates::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    if pairs.is_empty() { Err(DoctorError::NoCertificate(folder.to_owned())) } else { Ok(pairs) }
}

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
                let why = words::of(&error);
                broken.push(format!("{name}: {why}: no application can read the ring while that is so"));
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
