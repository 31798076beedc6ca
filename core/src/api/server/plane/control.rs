//! How other threads take part in the event loop: stop it, act on the engine, ask it something.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::error::{Error, ErrorKind, Result};
use crate::queue::access::Access;
use crate::queue::request::{Reply, Request};
use crate::sys::network::{Stream, Waker};

/// An act on the engine, in its own thread.
pub(super) type Act<E> = Box<dyn FnOnce(&mut E) + Send>;

/// What another thread wants.
pub(super) enum Message<E> {
    /// End the loop.
    Stop,
    /// Do this.
    Act(Act<E>),
    /// One more client, who has proven to be this.
    Guest(Stream, Access),
    /// Ask this as an administrator, and send the outcome.
    Call(Box<Request>, SyncSender<Result<Reply>>),
}

/// A handle on a running event loop, for any thread.
pub struct Control<E> {
    sender: Sender<Message<E>>,
    waker: Waker,
}

impl<E> Clone for Control<E> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            waker: self.waker.clone(),
        }
    }
}

impl<E> std::fmt::Debug for Control<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Control")
    }
}

impl<E> Control<E> {
    pub(super) fn new(waker: Waker) -> (Self, Receiver<Message<E>>) {
        let (sender, receiver) = channel();
        (Self { sender, waker }, receiver)
    }

    /// Ends the loop, and with it every connection.
    pub fn stop(&self) {
        self.send(Message::Stop);
    }

    /// Runs `act` on the engine, in its own thread, soon.
    pub fn with(&self, act: impl FnOnce(&mut E) + Send + 'static) {
        self.send(Message::Act(Box::new(act)));
    }

    /// Has the loop serve a connection that it did not accept itself; `access` is who is at its other end.
    pub fn let_in(&self, stream: Stream, access: Access) {
        self.send(Message::Guest(stream, access));
    }

    /// Asks the engine as an administrator, and waits as long as it takes: a round trip through the loop.
    ///
    /// # Errors
    /// Those of the request; `OperationCancelled` when the loop has ended.
    pub fn call(&self, request: Request) -> Result<Reply> {
        let (sender, receiver) = sync_channel(1);
        self.send(Message::Call(Box::new(request), sender));
        receiver.recv().unwrap_or_else(|_| {
            let text = "the queue manager's server has ended";
            Err(Error::new(ErrorKind::OperationCancelled, text))
        })
    }

    fn send(&self, message: Message<E>) {
        // An ended loop has dropped its receiver: there is nobody to tell.
        if self.sender.send(message).is_ok() {
            self.waker.wake();
        }
    }
}
