//! The keeper of a session: connects, watches for silence, and does what no caller waits for.
//!
//! The first attempts after a loss follow each other within milliseconds, because a virtual server keeps
//! its address when it moves; beside them the name is resolved again by any node that lives.
//!
//! While callers wait, they do all the work, and the keeper sleeps. When requests are under way that nobody waits for,
//! it is attentive: it looks every millisecond. Where that stays in vain, it sleeps until something comes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::connect::{connect_session, lost};
use super::line::Line;
use super::link::{Link, lock};
use super::watch::{TICK, Tick, Watch};
use crate::api::wire::{Hello, Role, VERSION};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::{Endpoint, Stream};

/// Longest pause between two attempts to connect.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// How often an attentive keeper looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How often it looks in vain before it waits.
const LOOKS_MAX: u32 = 5;

/// How long and how often it was tried in vain. A connection that answers nothing does not end it.
#[derive(Debug, Default)]
struct Trouble {
    began: Option<Instant>,
    attempts: u32,
}

impl Trouble {
    fn lasts(&mut self) -> Duration {
        self.began.get_or_insert_with(Instant::now).elapsed()
    }
}

/// Keeps a session until it is closed.
pub(super) async fn keep(link: Arc<Link>) {
    let mut trouble = Trouble::default();
    while !link.is_closed() {
        if link.lock().line.is_some() {
            attend(&link).await;
            if link.progress.load(Ordering::Acquire) {
                trouble = Trouble::default();
            }
        } else if link.lock().window.is_empty() {
            trouble = Trouble::default();
            link.keeper.notified().await;
        } else {
            match connect(&link, &mut trouble).await {
                Ok(None) => {}
                Ok(Some(found)) => {
                    if let Err(error) = link.install(found) {
                        link.finish(|window| window.fail_all(&error));
                    }
                }
                Err(error) => {
                    link.finish(|window| window.fail_all(&error));
                    trouble = Trouble::default();
                }
            }
        }
    }
}

/// Tries until it is connected, nothing is under way any more (`None`), or the time is over.
async fn connect(link: &Arc<Link>, trouble: &mut Trouble) -> Result<Option<(Stream, u64)>> {
    loop {
        if link.is_closed() || link.lock().window.is_empty() {
            return Ok(None);
        }
        if trouble.lasts() > link.options.failover_timeout {
            return Err(gave_up(link));
        }
        if trouble.attempts > 0 {
            tokio::time::sleep(pause(trouble.attempts - 1)).await;
        }
        trouble.attempts += 1;
        let address = lock(&link.address).clone();
        if address.is_none() || trouble.attempts.is_multiple_of(5) {
            locate_again(link);
        }
        if let Some(address) = address {
            match attempt(link, link.client, &address).await {
                Ok(found) => return Ok(Some(found)),
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => link.note(error),
            }
        }
        let now = link.now();
        link.finish(|window| window.end_cancelled(now));
    }
}

async fn attempt(link: &Link, client: Uuid, address: &Endpoint) -> Result<(Stream, u64)> {
    let hello = Hello {
        version: VERSION,
        client,
        role: Role::Session,
        wants: link.options.wants.clone(),
    };
    connect_session(address, &link.options.trust, &hello).await
}

/// Asks in the background where the computer is now.
fn locate_again(link: &Arc<Link>) {
    if link.locating.swap(true, Ordering::AcqRel) {
        return;
    }
    let link = Arc::clone(link);
    tokio::spawn(async move {
        match link.options.locate.locate().await {
            Ok(address) => {
                *lock(&link.address) = Some(address);
                *lock(&link.absent) = None;
            }
            Err(error) => *lock(&link.absent) = Some(error),
        }
        link.locating.store(false, Ordering::Release);
    });
}

/// Watches over the present connection until it is lost.
async fn attend(link: &Arc<Link>) {
    let mut watch = Watch::new(link.now());
    let mut ticked = Instant::now();
    let mut looks = 0;
    loop {
        let (line, attentive) = {
            let state = link.lock();
            (state.line.clone(), state.attentive)
        };
        let Some(line) = line.filter(|_| !link.is_closed()) else {
            return;
        };
        let until_tick = TICK.saturating_sub(ticked.elapsed());
        match attentive {
            true => {
                tokio::time::sleep(LOOK_EVERY.min(until_tick)).await;
                if look(link) {
                    looks = 0;
                } else {
                    looks += 1;
                    if looks > LOOKS_MAX {
                        looks = 0;
                        doze(link, &line, until_tick).await;
                    }
                }
            }
            false => {
                tokio::select! {
                    () = link.keeper.notified() => {}
                    () = tokio::time::sleep(until_tick) => {}
                }
            }
        }
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            tick(link, &mut watch);
        }
    }
}

/// Writes and reads what nobody waits for; whether there was anything.
fn look(link: &Link) -> bool {
    let unsent = link.lock().window.has_unsent();
    link.flush_now();
    let any = link.read_what_is_there();
    unsent || any
}

/// Nothing happened for a while. With requests under way that nobody waits for, the keeper sleeps until something
/// comes; else until it is told to be attentive again.
async fn doze(link: &Link, line: &Arc<Line>, until_tick: Duration) {
    {
        let mut state = link.lock();
        // From here on, who submits and does not wait must say so.
        state.attentive = false;
        if state.reading || state.window.is_empty() {
            return;
        }
    }
    let line = Arc::clone(line);
    let readable = tokio::task::spawn_blocking(move || line.sleep_alone(until_tick));
    tokio::select! {
        _ = readable => {}
        () = link.keeper.notified() => {}
    }
    link.lock().attentive = true;
}

/// Looks whether the other side lives, and tells it that this one does.
fn tick(link: &Arc<Link>, watch: &mut Watch) {
    let now = link.now();
    link.finish(|window| window.end_cancelled(now));
    // The end of a connection that nobody uses is noticed here.
    link.read_what_is_there();
    let mut state = link.lock();
    watch.heard(state.heard);
    match watch.tick(now, state.window.is_empty()) {
        Tick::Fine => {}
        told @ (Tick::Ping | Tick::Doubt) => {
            let pinged = state.ping();
            let line = state.line.clone().filter(|_| told == Tick::Doubt);
            drop(state);
            match pinged {
                Ok(()) => link.flush_now(),
                Err(error) => link.note(error),
            }
            if let Some(line) = line {
                doubt(link, line);
            }
        }
        Tick::Silent => {
            drop(state);
            link.lose_present(lost("the queue manager does not answer"));
        }
    }
}

/// Looks in the background whether another queue manager answers in place of the one that is silent, and gives that one up
/// if so. It looks as somebody else: a second connection of this client would end its session.
fn doubt(link: &Arc<Link>, line: Arc<Line>) {
    if link.doubting.swap(true, Ordering::AcqRel) {
        return;
    }
    let link = Arc::clone(link);
    let heard = link.lock().heard;
    tokio::spawn(async move {
        while link.is_present(&line) && link.lock().heard == heard {
            let Some(address) = lock(&link.address).clone() else {
                break;
            };
            match attempt(&link, Uuid::new_v4(), &address).await {
                Ok((_, epoch)) if epoch == line.epoch => break, // it is slow, and lives
                Ok(_) => {
                    let text = "another queue manager answers at its address";
                    link.lose_line(&line, lost(text));
                    break;
                }
                Err(_) => tokio::time::sleep(PAUSE_MAX).await,
            }
        }
        link.doubting.store(false, Ordering::Release);
    });
}

fn gave_up(link: &Link) -> Error {
    let wants = match (link.options.wants.as_str(), &*lock(&link.address)) {
        ("", Some(address)) => address.to_string(),
        (name, _) => name.to_owned(),
    };
    let seconds = link.options.failover_timeout.as_secs_f64();
    // That a resource is offline explains more than that nobody listens at its address.
    let last = lock(&link.last_error).take();
    let last = lock(&link.absent).take().or(last);
    let text = format!("{wants} did not come back within {seconds} s");
    let hint = "Get-ClusterWhy NAME says why a group is not online; what was sent may have arrived; a \
                commit that is asked for once more says what became of it";
    match last {
        Some(last) => Error::new(
            ErrorKind::RemoteMachineNotAvailable,
            format!("{text}: {last}"),
        )
        .hint(last.hint.unwrap_or_else(|| hint.to_owned())),
        None => Error::new(ErrorKind::RemoteMachineNotAvailable, text).hint(hint),
    }
}

/// Whether trying again is of no use: the other side understood and refused.
fn is_final(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::InvalidRequest | ErrorKind::AccessDenied
    )
}

/// 1, 2, 4 … 50 ms.
fn pause(attempts: u32) -> Duration {
    Duration::from_millis(1 << attempts.min(6)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_begin_at_a_millisecond_and_end_at_fifty() {
        let pauses: Vec<_> = (0..8).map(|n| pause(n).as_millis()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 50, 50]);
    }
}
