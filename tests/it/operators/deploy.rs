//! The files to deploy with: the unit as systemd judges it, the image as Buildah makes and runs it, and the compose file's
//! commands and settings without an engine.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::parts::binary::vestibule;
use crate::parts::process::{Process, send};
use crate::parts::scratch::Scratch;
use crate::parts::{READY, free_port, local, tool};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).expect("a file of the repository")
}

#[test]
fn systemd_accepts_the_unit_and_rates_its_exposure_low() {
    let unit = read("deploy/vestibule.service");
    let binary = vestibule().display().to_string();
    let unit = unit.replace("/usr/local/bin/vestibule", &binary);
    assert!(unit.contains(&format!("ExecStart={binary} serve")));
    let folder = Scratch::new("unit");
    let file = folder.write("vestibule.service", &unit);
    for arguments in [&["verify", "--man=no"][..], &["security", "--offline=true", "--threshold=12"]] {
        let mut command = Command::new(tool("systemd-analyze"));
        let ran = command.args(arguments).arg(&file).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&ran.stdout));
        assert!(!said.contains("vestibule.service:"), "{arguments:?}: {said}");
    }
}

#[test]
fn every_setting_that_is_named_anywhere_exists() {
    let options = read("docs/configuration.md");
    let files = [
        "Containerfile",
        "deploy/compose.yaml",
        "deploy/vestibule.service",
        "docs/operations.md",
        "README.md",
        "SECURITY.md",
    ];
    let mut named = 0;
    for file in files {
        for part in read(file).split("VESTIBULE_").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            let plain = name.strip_suffix("_FILE").unwrap_or(&name);
            let known = |name: &str| options.contains(&format!("| `VESTIBULE_{name}` |"));
            // VESTIBULE_CONFIG names the file itself; an ellipsis leaves no name.
            assert!(name.is_empty() || name == "CONFIG" || known(&name) || known(plain), "{file}: {name}");
            named += usize::from(!name.is_empty());
        }
    }
    assert!(named > 10, "{named}");
}

/// The rest of the first line that begins so.
fn line<'a>(text: &'a str, begin: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(begin));
    found.unwrap_or_else(|| panic!("no line begins with {begin:?}")).trim()
}

#[test]
fn the_compose_file_s_words_make_its_secrets_and_its_settings_are_taken() {
    let (compose, image, folder) =
        (read("deploy/compose.yaml"), read("Containerfile"), Scratch::new("compose"));
    // What its head says to do before the first start, as far as it needs neither Docker nor the nodes' user.
    let words: Vec<_> = compose.lines().map_while(|line| line.strip_prefix('#')).collect();
    let words = words.iter().filter_map(|line| line.strip_prefix("   "));
    let words: Vec<_> =
        words.filter(|word| !word.starts_with("chown") && !word.starts_with("docker")).collect();
    assert_eq!(words.len(), 4, "{words:?}");
    let ran = Command::new("/bin/sh").args(["-ec", &words.join("\n")]).current_dir(folder.path()).output();
    let ran = ran.expect("a shell");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    // The image's settings, and over them the node's own, with the secrets where they are now.
    let mut command = Command::new(vestibule());
    command.args(["config", "check"]).env_clear().current_dir(folder.path());
    for setting in line(&image, "ENV ").split(' ') {
        let (name, value) = setting.split_once('=').expect("a setting");
        command.env(name, value.replace("/data", &folder.join("data").display().to_string()));
    }
    let mut secrets = Vec::new();
    for setting in compose.lines().filter_map(|line| line.trim().strip_prefix("VESTIBULE_")) {
        let (name, value) = setting.split_once(": ").expect("a setting");
        let value =
            value.split(" #").next().unwrap_or_default().replace("${PUBLIC_URL:-", "").replace('}', "");
        let value = match value.strip_prefix("/run/secrets/") {
            Some(secret) => {
                secrets.push(secret.to_owned());
                folder.join("secrets").join(secret).display().to_string()
            }
            None => value,
        };
        command.env(format!("VESTIBULE_{name}"), value);
    }
    let checked = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    assert!(checked.status.success(), "{said}");
    assert_eq!(secrets, ["database_url", "keys"]);
    assert_eq!(line(&compose, "secrets: [database_url"), ", keys]");
    for secret in ["postgres", "database_url", "keys"] {
        assert_eq!(line(&compose, &format!("{secret}: {{ file:")), format!("./secrets/{secret} }}"));
        assert!(folder.join("secrets").join(secret).is_file(), "{secret}");
    }

    // One port, one user, in both files.
    let (port, user) = (line(&image, "EXPOSE "), line(&image, "USER "));
    assert!(image.contains(&format!("VESTIBULE_LISTEN=0.0.0.0:{port} ")));
    let proxy = line(&compose, "command: caddy ");
    assert!(proxy.ends_with(&format!("--to one:{port} --to two:{port}")), "{proxy}");
    let (uid, gid) = user.split_once(':').expect("a group");
    assert_eq!(line(&compose, "tmpfs: "), format!("[\"/data:uid={uid},gid={gid},mode=0700\"]"));
    assert!(compose.contains(&format!("chown {uid} ")));
    assert!(
        Path::new(ROOT)
            .join("deploy")
            .join(line(&compose, "context: "))
            .join(line(&compose, "dockerfile: "))
            .is_file()
    );
}

/// Buildah with its images in a folder of the test's own; it needs no engine.
struct Images(Scratch);

impl Images {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool("buildah"));
        command.args(["--storage-driver", "vfs", "--root"]).arg(self.0.join("images"));
        command.arg("--runroot").arg(self.0.join("running")).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let ran = self.command(arguments).output().expect("buildah runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{arguments:?}: {said}");
        String::from_utf8(ran.stdout).expect("text").trim().to_owned()
    }
}

/// The server in a container, by this setting of its own.
fn inside_with(setting: &str) -> i64 {
    let mut all = std::fs::read_dir("/proc").expect("processes").filter_map(|one| Some(one.ok()?.path()));
    let found = all.find(|one| {
        let read = |name: &str| std::fs::read_to_string(one.join(name)).unwrap_or_default();
        read("cmdline") == "/vestibule\0" && read("environ").split('\0').any(|one| one == setting)
    });
    let name = found.as_ref().and_then(|one| one.file_name()?.to_str()).expect("a process");
    name.parse().expect("its id")
}

/// What the first stage leaves, which compiles for minutes: a binary, and where it may write. One that is not static, as that of
/// the tests, brings what it needs.
fn first_stage(folder: &Path) {
    let image = folder.join("image");
    for name in ["data", "tmp"] {
        DirBuilder::new().recursive(true).mode(0o700).create(image.join(name)).expect("a folder");
    }
    std::fs::copy(vestibule(), image.join("vestibule")).expect("the binary");
    let needed = Command::new(tool("ldd")).arg(vestibule()).output().expect("ldd runs");
    for file in
        String::from_utf8_lossy(&needed.stdout).split_whitespace().filter(|word| word.starts_with('/'))
    {
        let there = image.join(file.trim_start_matches('/'));
        std::fs::create_dir_all(there.parent().expect("a folder")).expect("a folder");
        std::fs::copy(file, there).expect("a library");
    }
}

#[test]
fn the_container_file_s_image_serves_as_nobody_in_particular_and_says_how_it_is() {
    let images = Images(Scratch::new("image"));
    let folder = images.0.path();
    first_stage(folder);
    let file = Path::new(ROOT).join("Containerfile").display().to_string();
    let (context, stage) = (folder.display().to_string(), format!("build={}", folder.display()));
    let build = ["bud", "--format", "docker", "--isolation", "chroot", "--build-context", &stage];
    images.run(&[&build[..], &["-t", "vestibule", "-f", &file, &context]].concat());
    let config: Value =
        serde_json::from_str(&images.run(&["inspect", "--type", "image", "vestibule"])).unwrap();
    let config = &config["Docker"]["config"];
    assert_eq!(config["Healthcheck"]["Test"], json!(["CMD", "/vestibule", "health"]), "{config}");
    assert_eq!((&config["User"], &config["Entrypoint"]), (&json!("65532:65532"), &json!(["/vestibule"])));
    assert_eq!((&config["Volumes"], &config["StopSignal"]), (&json!({ "/data": {} }), &json!("SIGTERM")));

    let container = images.run(&["from", "--pull-never", "vestibule"]);
    let listen = format!("VESTIBULE_LISTEN={}", local(free_port()));
    let inside = ["run", "--isolation", "chroot", "-e", &listen, &container, "/vestibule"];
    let health = || images.command(&[&inside[..], &["health"]].concat()).output().expect("it runs").status;
    assert!(!health().success(), "nobody serves yet");
    let mut server = Process::start("image", &mut images.command(&inside), folder);
    server.until_ready(|| health().success());
    // Where it may write, and as whom: the volume lies beside the container's own files.
    let find = ["-name", "vestibule.db", "-uid", "65532", "-gid", "65532"];
    let found = Command::new(tool("find")).arg(folder.join("images")).args(find).output().expect("it looks");
    assert_eq!(String::from_utf8_lossy(&found.stdout).lines().count(), 1, "{found:?}");
    assert!(server.output().lines().any(|line| line.starts_with("{\"timestamp\"")), "{}", server.output());
    // As an engine stops it: Buildah itself would take it down at once.
    send("TERM", inside_with(&listen));
    assert!(server.wait(READY).success(), "{}", server.output());
    assert!(server.output().contains("\"message\":\"stopping\""), "{}", server.output());
    images.run(&["rm", "--all"]);
}
