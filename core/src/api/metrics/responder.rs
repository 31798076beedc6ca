//! The HTTP side: one thread, one request at a time, each bounded in bytes and time.

use std::time::{Duration, Instant};

use super::exposition::exposition;
use crate::error::{Error, Result};
use crate::queue::counters::Counter;
use crate::sys::network::{Filled, Listener, Stream, Waker, wait_for};

/// Bytes of a request at most, its head included; it has no body.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// How long a scraper may take for its request, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it sleeps unless somebody comes.
const IDLE: Duration = Duration::from_secs(3600);
/// How long it waits when no connection can be had: descriptors are short.
const PAUSE: Duration = Duration::from_millis(50);
/// What the answer is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the counters come from; an error is told to the scraper.
pub type Source = Box<dyn Fn() -> Result<Vec<Counter>> + Send>;

/// Answers `GET /metrics` at the listener until the process ends.
///
/// # Errors
/// Those of the system.
pub fn serve_metrics(listener: Listener, manager: String, source: Source) -> Result<()> {
    // Nobody wakes it: it ends with the process.
    let waker = Waker::new().map_err(|e| Error::system("make the waker of the metrics", &e))?;
    let serve = move || {
        loop {
            match listener.accept() {
                // A scraper that fails is its own business.
                Ok(Some(stream)) => drop(answer(&stream, &waker, &manager, &source)),
                Ok(None) => drop(wait_for(&listener, false, &waker, IDLE)),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    };
    std::thread::Builder::new()
        .name("hamq-metrics".to_owned())
        .spawn(serve)
        .map(|_| ())
        .map_err(|e| Error::system("start the thread of the metrics", &e))
}

fn answer(stream: &Stream, waker: &Waker, manager: &str, source: &Source) -> std::io::Result<()> {
    let response = match read_head(stream, waker)? {
        None => response("400 Bad Request", "the request is too long or not HTTP\n"),
        Some(head) => match target(&head) {
            Err(refusal) => refusal,
            Ok(()) => match source() {
                Ok(counters) => response("200 OK", &exposition(manager, &counters)),
                Err(error) => response("503 Service Unavailable", &format!("{error}\n")),
            },
        },
    };
    write_all(stream, waker, response.as_bytes())
}

/// The head of a request; none when it is too long, too slow or not text.
fn read_head(stream: &Stream, waker: &Waker) -> std::io::Result<Option<String>> {
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::with_capacity(1024);
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() >= REQUEST_BYTES_MAX {
            return Ok(None);
        }
        bytes.reserve(1024);
        match stream.read(&mut bytes)? {
            Filled::Bytes(_) => {}
            Filled::Nothing => wait_for(stream, false, waker, left)?,
            Filled::End => return Ok(None),
        }
    }
    Ok(String::from_utf8(bytes).ok())
}

/// Writes the answer; a reader that is too slow for all of it gets no more.
fn write_all(stream: &Stream, waker: &Waker, mut bytes: &[u8]) -> std::io::Result<()> {
    let until = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        match stream.write(bytes)? {
            0 => wait_for(stream, true, waker, left)?,
            count => bytes = &bytes[count..],
        }
    }
    Ok(())
}

/// Whether the counters are asked for; else the refusal.
fn target(head: &str) -> Result<(), String> {
    let line = head.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let http = version.is_some_and(|version| version.starts_with("HTTP/1."));
    if !http || words.next().is_some() {
        return Err(response("400 Bad Request", "not a request of HTTP/1\n"));
    }
    if method != Some("GET") {
        return Err(response("405 Method Not Allowed", "only GET\n"));
    }
    let path = target.unwrap_or_default().split('?').next();
    match path {
        Some("/metrics") => Ok(()),
        _ => Err(response("404 Not Found", "the counters are at /metrics\n")),
    }
}

fn response(status: &str, body: &str) -> String {
    let kind = if status.starts_with("200") {
        CONTENT_TYPE
    } else {
        "text/plain; charset=utf-8"
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use super::*;
    use crate::error::ErrorKind;
    use crate::sys::network::Endpoint;

    fn serve(any: &str, source: Source) -> SocketAddr {
        let listener = Listener::tcp(any.parse().unwrap()).unwrap();
        let Endpoint::Tcp(address) = listener.endpoint().unwrap() else {
            panic!("not TCP")
        };
        serve_metrics(listener, "vs1".into(), source).unwrap();
        address
    }

    fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        // It may answer and close before all of a request that is too long was sent.
        let _ = stream.write_all(request);
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_scraper_gets_the_counters_and_others_a_refusal() {
        let counters = vec![Counter {
            object: crate::queue::counters::SERVICE.into(),
            instance: String::new(),
            counter: "Sessions".into(),
            value: 3,
            total: false,
        }];
        let source: Source = Box::new(move || Ok(counters.clone()));
        let address = serve("127.91.7.3:0", source);
        let good = ask(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(good.starts_with("HTTP/1.1 200 OK\r\n"), "{good}");
        assert!(good.contains("version=0.0.4"));
        assert!(
            good.ends_with("hamq_sessions{manager=\"vs1\"} 3\n"),
            "{good}"
        );
        for (request, status) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "404"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
            (b"GET /metrics\r\n\r\n", "400"),
            (b"\xff\xfe\r\n\r\n", "400"),
        ] {
            let answer = ask(address, request);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
        }
        let long = vec![b'x'; 3 * REQUEST_BYTES_MAX];
        let answer = ask(address, &long);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
        let again = ask(address, b"GET /metrics?x=1 HTTP/1.0\r\n\r\n");
        assert!(again.starts_with("HTTP/1.1 200"), "it goes on: {again}");
    }

    #[test]
    fn a_queue_manager_that_is_gone_is_no_empty_page() {
        let gone: Source = Box::new(|| Err(Error::new(ErrorKind::ServiceNotAvailable, "gone")));
        let address = serve("127.91.7.4:0", gone);
        let answer = ask(address, b"GET /metrics HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}
