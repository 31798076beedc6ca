//! The verbs that do something in the session itself and give no rows: they say, wait, remember, choose.

use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind};

use super::filter::{none, words};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::value::text;

/// Does it.
pub(super) fn act<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let name = bound.text("Name");
    match bound.spec.name {
        "Set-Variable" => {
            let value = bound.get("Value").cloned().unwrap_or_default();
            let mut globals = call.state.globals.borrow_mut();
            globals.insert(name.unwrap_or_default().into(), value);
        }
        "Write-Warning" => {
            call.state
                .tell(&format!("warning: {}", words(bound, "Message")));
        }
        "Write-Error" => {
            let error = Error::new(ErrorKind::InvalidState, words(bound, "Message"));
            let fault = call.fault(error);
            call.state.report(&fault);
            call.state.remember(fault);
            call.state.partial.set(true);
        }
        "Show-ClusterMonitor" => {
            let allow_changes = bound.switch("AllowChanges") == Some(true);
            if allow_changes && call.state.is_read_only() {
                let what = "this session is read-only: -AllowChanges cannot be";
                let hint = "without it, the monitor shows all and changes nothing";
                let error = Error::new(ErrorKind::AccessDenied, what).hint(hint);
                return Err(call.fail_about(bound, error));
            }
            crate::monitor::show(call.state, allow_changes).map_err(|e| call.fail(e))?;
            call.state.check_interrupt()?;
        }
        "Clear-Host" => {
            // Nothing is cleared where nobody looks at a screen.
            if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
                call.state.write("\x1b[2J\x1b[H");
            }
        }
        "Start-Sleep" => {
            let millis = bound
                .get("Duration")
                .and_then(|v| v.as_int().ok())
                .unwrap_or(0);
            let end = Instant::now() + Duration::from_millis(u64::try_from(millis).unwrap_or(0));
            while let Some(left) = end.checked_duration_since(Instant::now()) {
                call.state.check_interrupt()?;
                std::thread::sleep(left.min(Duration::from_millis(50)));
            }
        }
        "Write-Progress" => {
            progress(call, bound);
        }
        "Connect-Cluster" => {
            call.state
                .invoke
                .connect(&name.unwrap_or_default())
                .map_err(|e| call.fail_about(bound, e))?;
            call.state.context.replace(None); // what it forbade was for its own cluster
        }
        other => {
            let what = format!("{other} has no implementation");
            return Err(call.fail(Error::new(ErrorKind::Internal, what)));
        }
    }
    Ok(none())
}

fn progress(call: Call<'_>, bound: &Bound) {
    let mut line = bound.text("Activity").unwrap_or_default();
    if let Some(percent) = bound.get("PercentComplete") {
        line = format!("{line} {}%", text(percent));
    }
    if let Some(status) = bound.text("Status") {
        line = format!("{line}: {status}");
    }
    call.state
        .progress(&line, bound.switch("Completed") == Some(true));
}
