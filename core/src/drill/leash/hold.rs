//! The leash itself: makes a fault, holds it, undoes it.

use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::order::{Deed, LeashOrder, Made, Release, Undone, Word};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::ballast::{Churn, Fill};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::process::{ProcessIdentity, Spawn, run};

/// How long a frozen process may take to stand still.
const STOP_WAIT: Duration = Duration::from_secs(1);
/// How long a killed process may take to be gone.
const DEATH_WAIT: Duration = Duration::from_secs(5);
/// How long the remedy may take.
const REMEDY_MAX: Duration = Duration::from_secs(60);

/// A fault that is there.
enum Fault {
    Killed,
    Frozen(Vec<ProcessIdentity>),
    Full(Fill),
    Busy(Churn),
}

/// The role of a leash: one order on standard input, words on standard output; ends when the fault is undone.
///
/// # Errors
/// `Usage` when what comes in is no order; those of the system. What concerns the fault itself is said, not returned.
pub fn run_leash() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::system("start the leash", &e))?;
    runtime.block_on(hold())
}

async fn hold() -> Result<()> {
    let failed = |e: std::io::Error| Error::system("listen for signals", &e);
    let mut ends = [
        signal(SignalKind::terminate()).map_err(failed)?,
        signal(SignalKind::interrupt()).map_err(failed)?,
        signal(SignalKind::hangup()).map_err(failed)?,
    ];
    let mut lines = lines()?;
    let first = lines.recv().await.unwrap_or_default();
    let order: LeashOrder = serde_json::from_str(&first).map_err(|e| {
        Error::new(ErrorKind::Usage, format!("leash: no order: {e}"))
            .hint("it is started by Invoke-Fault and Start-Drill, not by hand")
    })?;
    let (fault, text) = match make(&order.deed) {
        Ok(made) => made,
        Err(error) => {
            say(&Word::Failed(error));
            return Ok(());
        }
    };
    let made = Made {
        at: SystemClock.boot(),
        wall_ms: SystemClock.wall_ms(),
        text,
    };
    say(&Word::Made(made));
    let [terminate, interrupt, hangup] = &mut ends;
    let release = tokio::select! {
        line = lines.recv() => line.map_or(Release::Lost, |_| Release::Asked),
        () = tokio::time::sleep(Duration::from_millis(order.hold_ms)) => Release::Time,
        _ = terminate.recv() => Release::Signal,
        _ = interrupt.recv() => Release::Signal,
        _ = hangup.recv() => Release::Signal,
    };
    let text = undo(fault, release, &order).await;
    say(&Word::Undone(Undone {
        at: SystemClock.boot(),
        release,
        text,
    }));
    Ok(())
}

fn make(deed: &Deed) -> Result<(Fault, String)> {
    match deed {
        Deed::Kill(processes) => {
            let text = hit(processes, Signal::KILL)?;
            // Only then is it certain that no reply can still come from the dead.
            for process in processes {
                let _ = process.ends_within(DEATH_WAIT);
            }
            Ok((Fault::Killed, text))
        }
        Deed::Freeze(processes) => {
            // The first may have been stopped before the second refused.
            let text = hit(processes, Signal::STOP).inspect_err(|_| _ = thaw(processes))?;
            // The signal only asks: until each of its threads has seen it, a process may still send a reply.
            for process in processes {
                let _ = process.stops_within(STOP_WAIT);
            }
            Ok((Fault::Frozen(processes.clone()), text))
        }
        Deed::Fill(folder) => {
            let fill = Fill::new(folder)?;
            let text = format!("{} bytes in {}", fill.bytes(), folder.display());
            Ok((Fault::Full(fill), text))
        }
        Deed::Churn(folder, threads) => {
            let churn = Churn::new(folder, *threads)?;
            let text = format!("{threads} writers in {}", folder.display());
            Ok((Fault::Busy(churn), text))
        }
    }
}

fn hit(processes: &[ProcessIdentity], signal: Signal) -> Result<String> {
    let mut hit = Vec::new();
    for process in processes {
        if process.signal(signal)? {
            hit.push(process.to_string());
        }
    }
    if hit.is_empty() {
        return Err(
            Error::new(ErrorKind::NotFound, "no process to hit is running")
                .hint("the node is down already; Get-ClusterNode shows it"),
        );
    }
    Ok(hit.join(", "))
}

async fn undo(fault: Fault, release: Release, order: &LeashOrder) -> String {
    match fault {
        // Who asks for the end puts it right itself: the nodes may belong to its session.
        Fault::Killed if release == Release::Asked || order.remedy.is_empty() => String::new(),
        Fault::Killed => remedy(order).await,
        Fault::Frozen(processes) => {
            let thawed = thaw(&processes);
            let ended = processes.len() - thawed;
            format!("{thawed} thawed, {ended} had been fenced by SIGKILL")
        }
        Fault::Full(fill) => format!("{} bytes freed", fill.bytes()),
        Fault::Busy(churn) => {
            drop(churn);
            "the writers ended".to_owned()
        }
    }
}

fn thaw(processes: &[ProcessIdentity]) -> usize {
    let running = |p: &&ProcessIdentity| p.signal(Signal::CONT).unwrap_or(false);
    processes.iter().filter(running).count()
}

async fn remedy(order: &LeashOrder) -> String {
    let program = Spawn {
        command: order.remedy.iter().map(Into::into).collect(),
        environment: vec![("HAMQ_HOME".to_owned(), order.home.display().to_string())],
        directory: None,
        keep_as: None,
    };
    match run(program, REMEDY_MAX).await {
        Ok(done) => done.story(),
        Err(error) => error.to_string(),
    }
}

/// The lines of standard input, read by a thread: it cannot be waited for otherwise.
fn lines() -> Result<mpsc::Receiver<String>> {
    let (sender, receiver) = mpsc::channel(4);
    let read = move || {
        let lines = std::io::stdin().lock().lines();
        for line in lines.map_while(std::io::Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("hamq-leash".to_owned())
        .spawn(read)
        .map_err(|e| Error::system("start a thread", &e))?;
    Ok(receiver)
}

/// Nobody may be there to hear it: the fault is undone all the same.
fn say(word: &Word) {
    let line = serde_json::to_string(word).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}
