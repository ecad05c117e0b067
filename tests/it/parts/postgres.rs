//! A real PostgreSQL, one cluster for the whole test process and a fresh schema for each test.
//!
//! Durability settings stay at their defaults, so that killing things means what it means elsewhere.
//! The collation is English, not C: text sorts as in most installations, which shows code that relies
//! on byte order.

use super::process::Process;
use super::scratch::{Scratch, user};
use super::{free_port, tool};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Cluster {
    _process: Process,
    _folder: Scratch,
    port: u16,
}

/// A schema of its own, dropped with this value.
pub struct Schema {
    name: String,
    port: u16,
}

/// Makes a fresh schema; the first call starts the cluster.
pub fn schema() -> Schema {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let port = cluster().port;
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let schema = Schema { name, port };
    schema.psql(&format!("CREATE SCHEMA {}", schema.name));
    schema
}

impl Schema {
    /// The address to give to the server under test; unqualified names resolve into this schema.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same through another port, for a proxy in front.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://vestibule@127.0.0.1:{port}/postgres?options=-c%20search_path%3D{}", self.name)
    }

    /// The cluster's own port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL in this schema and returns the rows, columns separated by `|`.
    pub fn psql(&self, sql: &str) -> String {
        self.try_psql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The same, with the server's complaint as error.
    pub fn try_psql(&self, sql: &str) -> Result<String, String> {
        let ran = Command::new(tool("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(self.url())
            .output()
            .expect("psql runs");
        if ran.status.success() {
            Ok(String::from_utf8_lossy(&ran.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&ran.stderr).into_owned())
        }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // A server that is still connected may hold locks; the schema is then left to the cluster's end.
        drop(self.try_psql(&format!(
            "SET client_min_messages = warning; SET lock_timeout = '2s'; DROP SCHEMA {} CASCADE",
            self.name
        )));
    }
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(start)
}

fn start() -> Cluster {
    let folder = Scratch::new("postgres");
    let port = free_port();
    let programs = programs();
    let data = folder.folder("data", Some(user("postgres").0));
    let made = unprivileged(&programs.join("initdb"))
        .args(["--username=vestibule", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
        .args(["--locale-provider=icu", "--icu-locale=en-US", "--no-sync", "-D"])
        .arg(&data)
        .current_dir(&data)
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let mut process = Process::start(
        "postgres",
        unprivileged(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-k", "", "-p", &port.to_string(), "-c", "max_connections=300"])
            .current_dir(&data),
        folder.path(),
    )
    .with_farewell("QUIT");
    let ready = programs.join("pg_isready");
    process.until_ready(|| {
        let asked = Command::new(&ready).args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status();
        asked.is_ok_and(|status| status.success())
    });
    Cluster { _process: process, _folder: folder, port }
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(tool("setpriv"));
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

/// The folder of the newest version installed.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions
        .filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let programs = version.path().join("bin");
            programs.join("initdb").is_file().then_some((number, programs))
        })
        .max()
        .map_or_else(|| panic!("PostgreSQL is missing; run `cargo xtask setup`"), |(_, programs)| programs)
}
