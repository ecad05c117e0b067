//! The README's five-minute guide, typed word for word into three shells in an empty directory. Only the two ports are
//! other ones, since tests run side by side; the reader's browser and mailbox are ours.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::app::Link;
use crate::app::mailbox::PASSWORD;
use crate::app::person::Person;
use crate::parts::binary::vestibule;
use crate::parts::scratch::Scratch;
use crate::parts::{READY, dial, eventually, free_port, local};
use crate::proofs::walk::{mailbox, succeeded};

/// The guide's blocks in order: language and text.
fn blocks(ports: &[(&str, u16)]) -> Vec<(String, String)> {
    let readme = include_str!("../../../README.md");
    let guide = readme.split("## Five minutes with curl").nth(1).expect("the guide");
    let guide = guide.split("\n## ").next().expect("its text");
    let mut found = Vec::new();
    for part in guide.split("\n```").skip(1).step_by(2) {
        let (language, text) = part.split_once('\n').expect("a block");
        let mut text = text.to_owned();
        for (shown, port) in ports {
            text = text.replace(shown, &port.to_string());
        }
        found.push((language.to_owned(), text));
    }
    found
}

/// A shell that somebody types into, and everything it has printed.
struct Shell {
    child: Child,
    input: ChildStdin,
    printed: Arc<Mutex<String>>,
}

impl Shell {
    fn open(folder: &Scratch, settings: &[(String, String)]) -> Self {
        let program = vestibule();
        let programs = std::path::Path::new(&program).parent().expect("its folder").to_owned();
        // A group of its own, so that what it started ends with it.
        let mut command = Command::new("/bin/bash");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.arg("-e").current_dir(folder.path()).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
        for (name, value) in settings {
            command.env(name, value);
        }
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("bash starts");
        let printed = Arc::new(Mutex::new(String::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("output")), Box::new(child.stderr.take().expect("errors"))];
        for stream in streams {
            let printed = printed.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    printed.lock().expect("what was printed").push_str(&format!("{line}\n"));
                }
            });
        }
        let input = child.stdin.take().expect("its input");
        Self { child, input, printed }
    }

    fn printed(&self) -> String {
        self.printed.lock().expect("what was printed").clone()
    }

    fn begin(&mut self, commands: &str) {
        self.input.write_all(format!("{commands}\n").as_bytes()).expect("the shell reads");
    }

    /// Types commands and waits until all of them have ended.
    fn run(&mut self, commands: &str) {
        let done = format!("done-{}", self.printed().matches("done-").count());
        self.begin(&format!("{commands}\necho; echo {done}"));
        eventually("the end of the commands", READY, || {
            if let Some(status) = self.child.try_wait().expect("its state") {
                panic!("bash ended with {status}:\n{commands}\n{}", self.printed());
            }
            self.printed().contains(&done).then_some(())
        });
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        crate::parts::process::send("KILL", -i64::from(self.child.id()));
        drop(self.child.wait());
    }
}

/// Opens the address in `link.json` and goes through the wizard.
async fn through(folder: &Scratch, field: &str) {
    let text = std::fs::read_to_string(folder.join("link.json")).expect("link.json");
    let reply: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    let url = reply[field].as_str().unwrap_or_else(|| panic!("{text}")).to_owned();
    let (person, link) = (Person::new(), Link { id: String::new(), url });
    let mut seen = person.begin(&link).await;
    while !seen.step().is_empty() {
        let mut sheet = seen.sheet();
        match seen.step() {
            "address" => sheet = sheet.with("email", crate::app::mailbox::ADDRESS),
            "servers" => {
                for (name, value) in mailbox().servers() {
                    sheet = sheet.with(name, &value);
                }
            }
            _ => sheet = sheet.with("password", PASSWORD),
        }
        seen = person.submit(&seen, &sheet).await;
    }
    match field {
        "url" => assert!(succeeded(&seen), "{}", seen.text()),
        // The dialect whose people are sent straight home.
        _ => {
            let home = seen.reply.header("refresh").split_once("url=").map(|(_, url)| url.to_owned());
            let home = home.unwrap_or_else(|| panic!("they are sent nowhere: {}", seen.text()));
            assert!(home.contains("/home?account_id=acc_"), "{home}");
            assert!(person.open(&home).await.reply.text().contains("home again"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_works_word_for_word() {
    let (server, hook) = (free_port(), free_port());
    let blocks = blocks(&[("8080", server), ("9000", hook)]);
    let (folder, settings) = (Scratch::new("guide"), mailbox().settings());
    let mut settings: Vec<_> =
        settings.into_iter().map(|(name, value)| (format!("VESTIBULE_{name}"), value)).collect();
    settings.push(("VESTIBULE_LISTEN".to_owned(), format!("127.0.0.1:{server}")));
    let mut commands = blocks.iter().filter(|(language, _)| language == "sh").map(|(_, text)| text.as_str());
    let script = blocks.iter().find(|(language, _)| language == "python").expect("hook.py");
    std::fs::write(folder.join("hook.py"), &script.1).unwrap();

    let (mut first, mut second, mut third) =
        (Shell::open(&folder, &settings), Shell::open(&folder, &settings), Shell::open(&folder, &settings));
    first.begin(commands.next().expect("the start"));
    eventually("the server", READY, || dial(local(server)).ok());
    eventually("the first key", READY, || first.printed().contains("vst_").then_some(()));
    second.begin(commands.next().expect("the receiver"));
    eventually("the receiver", READY, || dial(local(hook)).ok());
    let told = |second: &Shell, what: &str| {
        eventually(what, READY, || {
            let printed = second.printed();
            assert!(!printed.contains("WRONG"), "{printed}");
            printed.lines().any(|line| line.contains(what) && line.ends_with("signature right")).then_some(())
        });
    };

    third.run(commands.next().expect("a link"));
    through(&folder, "url").await;
    told(&second, "CREATION_SUCCESS");
    third.run(commands.next().expect("reading"));
    let printed = third.printed();
    assert!(printed.contains(r#""object":"Account","type":"MAIL""#), "{printed}");
    assert!(printed.contains(r#""status":"CONNECTED""#), "{printed}");
    third.run(commands.next().expect("a reconnect"));
    through(&folder, "url").await;
    told(&second, "RECONNECTED");
    third.run(commands.next().expect("the other dialect"));
    through(&folder, "authUrl").await;
    told(&second, "account.connected");
    let before = third.printed().len();
    third.run(commands.next().expect("reading there"));
    let printed = third.printed()[before..].to_owned();
    assert!(printed.contains("acc_") && printed.contains("user_1234"), "{printed}");
    let before = third.printed().len();
    third.run(commands.next().expect("the credentials"));
    let printed = third.printed()[before..].to_owned();
    assert!(printed.contains(r#""state":"active""#) && printed.contains("correct horse"), "{printed}");
    assert!(commands.next().is_none(), "a block of the guide was not run");
}
