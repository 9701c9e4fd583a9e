//! A process group that dies with its owner: when the value is dropped, and when the whole test process is killed.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// What to run, and where.
#[derive(Debug, Clone)]
pub struct Run {
    /// Program and arguments.
    pub words: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// The working directory.
    pub directory: PathBuf,
}

/// A running process, leader of its group.
pub struct Process {
    child: Child,
    group: Pid,
}

impl Process {
    /// Starts it, with everything that it prints going to `log`.
    ///
    /// # Errors
    /// Where the program is not found, in the words of a container runtime.
    pub fn spawn(run: &Run, log: &File) -> Result<Self, String> {
        let (program, arguments) = run.words.split_first().ok_or("no command specified")?;
        let path = run.environment.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
        let program = find(program, path).ok_or_else(|| {
            format!(
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                 failed: unable to start container process: exec: \"{program}\": executable file not found in $PATH: \
                 unknown"
            )
        })?;
        Self::start(&program, arguments, run, log).map_err(|error| error.to_string())
    }

    fn start(program: &Path, arguments: &[String], run: &Run, log: &File) -> io::Result<Self> {
        // setpriv arms the death signal and then becomes the program, so the process is the program's own. By its path: to
        // look a name up, with an environment of the child's own, this whole process would be forked.
        let child = Command::new(setpriv())
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .env_clear()
            .envs(run.environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
            .current_dir(&run.directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, group: group.expect("a process that was just started has an id") })
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// Sends a signal to the whole group.
    pub fn signal(&self, signal: Signal) {
        signal_group(self.id(), signal);
    }

    /// Its exit code, if it has ended; 128 and the signal's number where a signal ended it, as container runtimes say.
    pub fn exited(&mut self) -> Option<i32> {
        self.child.try_wait().expect("a child can be asked for").map(code)
    }

    /// Waits for its end: see [`Self::exited`].
    pub async fn wait(&mut self) -> i32 {
        code(self.child.wait().await.expect("a child can be waited for"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What a shell started is in the group, and would outlive the shell.
        self.signal(Signal::KILL);
    }
}

/// Sends a signal to a process group; one that is gone already needs none.
pub fn signal_group(leader: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(leader) {
        let _ = kill_process_group(group, signal);
    }
}

fn setpriv() -> &'static Path {
    static SETPRIV: OnceLock<PathBuf> = OnceLock::new();
    SETPRIV.get_or_init(|| find("setpriv", &std::env::var("PATH").unwrap_or_default()).expect("setpriv is installed"))
}

/// Looks a program up as `execvp` would.
pub fn find(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Path::new(program).is_file().then(|| PathBuf::from(program));
    }
    path.split(':').map(|folder| Path::new(folder).join(program)).find(|candidate| candidate.is_file())
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}
