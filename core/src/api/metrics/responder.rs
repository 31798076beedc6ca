//! The HTTP side: one thread, one request at a time, each bounded in bytes and time.

use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::exposition::exposition;
use crate::error::{Error, Result};
use crate::queue::counters::Counter;

/// Bytes of a request at most, its head included; it has no body.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// How long a scraper may take for its request, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the answer is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the counters come from; an error is told to the scraper.
pub type Source = Box<dyn Fn() -> Result<Vec<Counter>> + Send>;

/// Answers `GET /metrics` at `address` until the process ends; gives the address.
///
/// # Errors
/// When the address is none of this machine alone, or cannot be had.
pub fn serve_metrics(address: SocketAddr, manager: String, source: Source) -> Result<SocketAddr> {
    crate::api::server::check_listen_address(address)?;
    let listener = TcpListener::bind(address)
        .map_err(|e| Error::system(format_args!("listen on {address} for metrics"), &e))?;
    let bound = listener
        .local_addr()
        .map_err(|e| Error::system("read the address of the metrics", &e))?;
    let serve = move || {
        for stream in listener.incoming() {
            match stream {
                // A scraper that fails is its own business.
                Ok(stream) => drop(answer(stream, &manager, &source)),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    };
    std::thread::Builder::new()
        .name("hamq-metrics".to_owned())
        .spawn(serve)
        .map_err(|e| Error::system("start the thread of the metrics", &e))?;
    Ok(bound)
}

fn answer(mut stream: TcpStream, manager: &str, source: &Source) -> std::io::Result<()> {
    let response = match read_head(&mut stream)? {
        None => response("400 Bad Request", "the request is too long or not HTTP\n"),
        Some(head) => match target(&head) {
            Err(refusal) => refusal,
            Ok(()) => match source() {
                Ok(counters) => response("200 OK", &exposition(manager, &counters)),
                Err(error) => response("503 Service Unavailable", &format!("{error}\n")),
            },
        },
    };
    write_all(&mut stream, response.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// The head of a request; none when it is too long, too slow or not text.
fn read_head(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() >= REQUEST_BYTES_MAX {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(e) if e.kind() == IoKind::Interrupted => {}
            Err(e) if matches!(e.kind(), IoKind::WouldBlock | IoKind::TimedOut) => return Ok(None),
            Err(e) => return Err(e),
        }
    }
    Ok(String::from_utf8(bytes).ok())
}

/// Writes the answer; a reader that is too slow for all of it gets no more.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    let until = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(IoKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(bytes) {
            Ok(0) => return Err(IoKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(e) if e.kind() == IoKind::Interrupted => {}
            Err(e) => return Err(e),
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
    use super::*;
    use crate::error::ErrorKind;

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
        let any = "127.91.7.3:0".parse().unwrap();
        let address = serve_metrics(any, "vs1".into(), source).unwrap();
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
        let any = "127.91.7.4:0".parse().unwrap();
        let address = serve_metrics(any, "vs1".into(), gone).unwrap();
        let answer = ask(address, b"GET /metrics HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        let open = serve_metrics(
            "0.0.0.0:0".parse().unwrap(),
            String::new(),
            Box::new(|| Ok(vec![])),
        );
        assert_eq!(open.unwrap_err().kind, ErrorKind::AccessDenied);
    }
}
