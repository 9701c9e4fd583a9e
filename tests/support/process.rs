//! A program that lives no longer than the test: it is killed on drop, and by the kernel where the test itself was
//! killed.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Duration;

use tokio::net::TcpStream;

use super::eventually::within;

/// For a program to do what it was told.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program. What it prints goes to a file.
pub struct Process {
    child: Mutex<Child>,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts a program in a folder, with its output in a file that is appended to.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(program: &str, args: &[String], folder: &Path, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", program])
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let child = spawn(command).unwrap_or_else(|error| panic!("{program}: {error}"));
        let pid = child.id();
        Self { child: Mutex::new(child), pid, log: log.to_owned() }
    }

    /// Its process id, which it keeps until it is dropped.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&self) -> Option<std::process::ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Freezes it: its connections stay, and nothing is answered.
    pub async fn freeze(&self) {
        self.signal("STOP");
        within(PATIENCE, "the process is stopped", async || match self.state() {
            'T' => Ok(()),
            state => Err(format!("state {state}")),
        })
        .await;
    }

    /// Lets it go on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(&self) {
        self.signal("TERM");
        within(PATIENCE, "the process ends after SIGTERM", async || self.ended().ok_or_else(|| self.log())).await;
    }

    /// Ends it at once, as a lost node or an out-of-memory kill would.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        // Either fails only where it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Waits until it accepts connections at an address.
    ///
    /// # Panics
    /// Where it ended instead, or did not in time.
    pub async fn wait_until_it_accepts(&self, address: SocketAddr) {
        within(PATIENCE, "the process accepts connections", async || {
            if let Some(status) = self.ended() {
                panic!("{status}: {}", self.log());
            }
            // Twice: somebody who looks for a free port may listen there for a moment.
            TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            TcpStream::connect(address).await.map_err(|error| error.to_string())
        })
        .await;
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid.to_string()]).status().unwrap();
        assert!(status.success(), "kill -{name} {}", self.pid);
    }

    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address of 127.0.0.0/8 that nobody else has while this test runs: no two calls of one process get the same one,
/// processes are spread by their ids, and an address on which the port is taken is passed over.
///
/// # Panics
/// Where the port is taken everywhere.
pub fn own_address(port: u16) -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let candidates = std::iter::repeat_with(|| {
        address(std::process::id().wrapping_mul(ADDRESSES_EACH).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)))
    });
    candidates
        .take(1000)
        .find(|&address| TcpListener::bind((address, port)).is_ok())
        .expect("an address with that port free")
}

/// From one process to the next.
const ADDRESSES_EACH: u32 = 1021;

/// An address by number, without those that end in 0 or 255, and without 127.0: two numbers in a row must not share
/// one, since both can find the port free before either server has it.
fn address(number: u32) -> IpAddr {
    let (rest, d) = (number / 254, number % 254 + 1);
    let (rest, c) = (rest / 256, rest % 256);
    let b = rest % 254 + 1;
    let [b, c, d] = [b, c, d].map(|byte| u8::try_from(byte).unwrap());
    IpAddr::V4(Ipv4Addr::new(127, b, c, d))
}

#[test]
fn numbers_in_a_row_have_addresses_of_their_own() {
    let addresses: std::collections::HashSet<_> = (0..100_000).map(address).collect();
    assert_eq!(addresses.len(), 100_000);
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts programs from one thread that lives as long as the test program: the parent-death signal goes out when the
/// *thread* that started a program ends.
fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in queue {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, child) = mpsc::channel();
    spawner.lock().unwrap().send((command, answer)).unwrap();
    child.recv().unwrap()
}
