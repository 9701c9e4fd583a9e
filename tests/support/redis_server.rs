//! A real redis-server or valkey-server on an address of its own.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::{Process, own_address};

/// How to start a server.
pub struct Setup {
    program: String,
    args: Vec<String>,
    address: IpAddr,
    port: u16,
    config: String,
}

impl Setup {
    /// A redis-server at port 6379 of an address of its own, with this configuration. What it says of `bind`, `port`,
    /// `dir`, `save` goes before what the setup says.
    pub fn new(config: &str) -> Self {
        let port = 6379;
        Self {
            program: "redis-server".to_owned(),
            args: vec![],
            address: own_address(port),
            port,
            config: config.to_owned(),
        }
    }

    /// Another program.
    #[must_use]
    pub fn program(mut self, program: &str) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// One more argument, after the configuration file's.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Another address.
    #[must_use]
    pub fn at(mut self, address: IpAddr, port: u16) -> Self {
        (self.address, self.port) = (address, port);
        self
    }

    /// Starts it, and waits until it accepts connections.
    pub async fn start(self) -> RedisServer {
        let folder = tempfile::tempdir().unwrap();
        let process = run(&self, folder.path()).await;
        RedisServer { setup: self, process, folder }
    }
}

/// A running server, and the folder it works in.
pub struct RedisServer {
    setup: Setup,
    process: Process,
    folder: TempDir,
}

impl RedisServer {
    /// Starts one with this configuration: see [`Setup::new`].
    pub async fn start(config: &str) -> Self {
        Setup::new(config).start().await
    }

    /// Starts another program with this configuration.
    pub async fn start_program(program: &str, config: &str) -> Self {
        Setup::new(config).program(program).start().await
    }

    /// A connection of a user, which stays open until it is dropped.
    pub async fn client(&self, user: &str, password: &str) -> TcpStream {
        let mut stream = TcpStream::connect((self.setup.address, self.setup.port)).await.unwrap();
        assert_eq!(say(&mut stream, &format!("AUTH {user} {password}")).await, "+OK\r\n");
        stream
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.setup.address
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.setup.port
    }

    /// The folder it works in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Kills it and starts it again, in the same folder, at the same address.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = run(&self.setup, self.folder.path()).await;
    }

    /// As [`Self::restart`], with another configuration.
    pub async fn restart_with(&mut self, config: &str) {
        config.clone_into(&mut self.setup.config);
        self.restart().await;
    }

    /// What `redis-cli` prints for a command of the user `default`.
    pub fn cli(&self, command: &[&str]) -> String {
        self.cli_with(&[], command)
    }

    /// What `redis-cli` prints for a command of a user. The password goes by the environment.
    pub fn cli_as(&self, user: &str, password: &str, command: &[&str]) -> String {
        self.cli_with(&[("REDISCLI_AUTH", password)], &[&["--user", user], command].concat())
    }

    fn cli_with(&self, environment: &[(&str, &str)], args: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-h", &self.setup.address.to_string(), "-p", &self.setup.port.to_string()])
            .args(args)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

/// Sends a line on a connection, and returns the beginning of the answer. (`redis-cli` never returns from SUBSCRIBE.)
pub async fn say(stream: &mut TcpStream, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 200];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

async fn run(setup: &Setup, folder: &Path) -> Process {
    let Setup { program, args, address, port, config } = setup;
    let file = folder.join("redis.conf");
    let place = format!("bind {address}\nport {port}\ndir {}\nsave \"\"\nprotected-mode no\n", folder.display());
    std::fs::write(&file, place + config).unwrap();
    let args: Vec<String> = [file.display().to_string()].into_iter().chain(args.iter().cloned()).collect();
    let process = Process::start(program, &args, folder, &folder.join("redis.log"));
    process.wait_until_it_accepts(SocketAddr::new(*address, *port)).await;
    process
}
