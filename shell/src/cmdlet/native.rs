//! Invoke-Native: another program, with a list of arguments and no shell between.
//!
//! Its output comes line by line while it runs; rows of the pipeline go to its input, its error stream stays where
//! ours is. Who stops asking for lines, or interrupts, ends the program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use hamq_core::{Error, ErrorKind};
use rhai::Dynamic;

use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::value::text;

/// Lines that were read and not asked for yet; the program waits when there are more.
const LINES_MAX: usize = 256;
const STEP: Duration = Duration::from_millis(50);

/// The program; it ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or nobody wants more of it.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub(super) fn run<'a>(
    call: Call<'a>,
    bound: &Bound,
    input: Stream<'a>,
) -> Result<Stream<'a>, Failure> {
    let Some(program) = bound.text("FilePath") else {
        return Err(call.fail(Error::new(
            ErrorKind::Usage,
            "Invoke-Native needs a program",
        )));
    };
    let rows = input.collect::<Result<Vec<_>, _>>()?;
    let mut command = Command::new(&program);
    command
        .args(bound.texts("ArgumentList"))
        .stdout(Stdio::piped());
    command.stdin(if rows.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    });
    let child = command.spawn().map_err(|e| {
        let error = Error::system(format!("start '{program}'"), &e);
        call.fail_about(
            bound,
            error.hint("the arguments follow the program: Invoke-Native ls '-l',/tmp"),
        )
    })?;
    let mut running = Running(child);
    feed(&mut running, &rows);
    let lines = lines(&mut running);
    Ok(stream(call, program, running, lines))
}

/// Gives the rows to the program's input, aside: it may write before it has read them.
fn feed(running: &mut Running, rows: &[Dynamic]) {
    let Some(mut input) = running.0.stdin.take() else {
        return;
    };
    let lines: String = rows.iter().map(|row| text(row) + "\n").collect();
    // A program that does not read to the end says so by its exit code, if it minds.
    let write = move || drop(input.write_all(lines.as_bytes()));
    drop(
        std::thread::Builder::new()
            .name("native-in".into())
            .spawn(write),
    );
}

fn lines(running: &mut Running) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(LINES_MAX);
    if let Some(output) = running.0.stdout.take() {
        let read = move || {
            for line in BufReader::new(output).split(b'\n') {
                if sender.send(line).is_err() {
                    return;
                }
            }
        };
        drop(
            std::thread::Builder::new()
                .name("native-out".into())
                .spawn(read),
        );
    }
    receiver
}

fn stream<'a>(
    call: Call<'a>,
    program: String,
    running: Running,
    lines: Receiver<std::io::Result<Vec<u8>>>,
) -> Stream<'a> {
    let mut running = Some(running);
    Box::new(std::iter::from_fn(move || {
        running.as_ref()?;
        loop {
            if let Err(failure) = call.state.check_interrupt() {
                running = None;
                return Some(Err(failure));
            }
            match lines.recv_timeout(STEP) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Ok(line)) => {
                    let line = String::from_utf8_lossy(&line);
                    return Some(Ok(line.trim_end_matches('\r').to_owned().into()));
                }
                Ok(Err(e)) => {
                    running = None;
                    return Some(Err(call.fail(Error::system(format!("read {program}"), &e))));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = running.take().map(|mut r| ended(call, &program, &mut r));
                    return ended.flatten().map(Err);
                }
            }
        }
    }))
}

/// Waits for the end of a program that has closed its output; a code that is not 0 is a failure.
fn ended(call: Call<'_>, program: &str, running: &mut Running) -> Option<Failure> {
    let status = loop {
        match running.0.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => std::thread::sleep(STEP / 10),
            Err(e) => return Some(call.fail(Error::system(format!("wait for {program}"), &e))),
        }
        if let Err(failure) = call.state.check_interrupt() {
            return Some(failure);
        }
    };
    let code = status.code().map_or(-1, i64::from);
    call.state.exit_code.set(code);
    if status.success() {
        return None;
    }
    let what = format!("{program} ended with {status}");
    let error = Error::new(ErrorKind::InvalidState, what);
    Some(call.fail(error.hint("$LASTEXITCODE has its code; -ErrorAction Continue goes on")))
}
