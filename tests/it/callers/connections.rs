//! Connections are bounded in number and in how long they may take to say something.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::app::App;
use crate::parts::{READY, dial, eventually};

fn answer(stream: &mut TcpStream, request: &str) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(150))).expect("a deadline");
    let _ = stream.write_all(request.as_bytes());
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

const ONCE: &str = "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";

#[test]
fn one_connection_too_many_is_told_to_come_again() {
    let app = App::with(&[("MAX_CONNECTIONS", "10")]);
    let connect = || dial(app.address()).expect("a connection");
    let full = eventually("all places to be taken", READY, || {
        let held: Vec<_> = (0..10).map(|_| connect()).collect();
        let told = answer(&mut connect(), ONCE);
        told.starts_with("HTTP/1.1 503").then_some((held, told))
    });
    let (held, told) = full;
    let head = told.to_ascii_lowercase();
    assert!(head.contains("retry-after: ") && head.contains("connection: close"), "{told}");
    assert!(told.contains("errors/service_unavailable"), "{told}");
    drop(held);
    eventually("a free place", READY, || {
        answer(&mut connect(), ONCE).starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn who_does_not_finish_a_request_is_let_go() {
    let app = App::start();
    let mut silent = dial(app.address()).expect("a connection");
    let mut slow = dial(app.address()).expect("a connection");
    // Both end by the server's doing, long before the reader here gives up.
    let ends = std::thread::spawn(move || answer(&mut silent, ""));
    let told = answer(&mut slow, "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ");
    assert!(!told.contains("200 OK"), "{told}");
    assert_eq!(ends.join().expect("it ended"), "");
    let mut after = dial(app.address()).expect("a connection");
    assert!(answer(&mut after, ONCE).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_head_without_end_is_refused() {
    let app = App::start();
    let mut stream = dial(app.address()).expect("a connection");
    let head = format!("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx-long: {}\r\n\r\n", "a".repeat(200_000));
    let told = answer(&mut stream, &head);
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 431"), "{told}");
    assert!(answer(&mut dial(app.address()).expect("a connection"), ONCE).starts_with("HTTP/1.1 200"));
}
