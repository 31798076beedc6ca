//! The transaction of a session: what is sent, received and moved in it happens together or not at all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::Session;
use super::spec::{command, record};
use super::what_if::StepInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::request::{Request, TransactionId};

record! {
    /// The transaction of this session.
    TransactionInfo as "Transaction", columns ["Status", "ComputerName", "Operations"], {
        /// `Active`, `Committed` or `Aborted`.
        status "Status": String,
        /// The virtual server or node whose queues it is about; the first command in it says which.
        computer "ComputerName": Option<String>,
        /// Commands given in it.
        operations "Operations": u64,
    }
}

command! {
    /// Begins a transaction over queues of one virtual server.
    ///
    /// Send-, Receive- and Move-MsmqMessage take part in it with -UseTransaction. Nobody else sees what was sent, and what was received
    /// is held back, until Complete-Transaction; Undo-Transaction, and the end of this session, put everything back.
    StartTransaction = "Start-Transaction" => TransactionInfo, at Client, risk None, aliases [],
    {}
    examples {
        "Start-Transaction; Receive-MsmqQueue VS1/private$/orders -UseTransaction; Undo-Transaction" => "Takes an order, and puts it back.",
    }
}

command! {
    /// Shows the transaction of this session.
    GetTransaction = "Get-Transaction" => TransactionInfo, at Client, risk None, aliases [],
    {}
    examples { "Start-Transaction; Get-Transaction" => "It is active." }
}

command! {
    /// Commits the transaction of this session: all of it is done now.
    CompleteTransaction = "Complete-Transaction" => TransactionInfo, at Client, risk Low, aliases [],
    {}
    examples {
        "Start-Transaction; Send-MsmqQueue VS1/private$/orders 'order 7' -UseTransaction; Complete-Transaction" => "Sends an order, when all of it is ready.",
    }
}

command! {
    /// Aborts the transaction of this session: nothing of it has happened.
    UndoTransaction = "Undo-Transaction" => TransactionInfo, at Client, risk Low, aliases [],
    {}
    examples { "Start-Transaction; Undo-Transaction" => "As if nothing had been." }
}

/// The transaction of one client.
#[derive(Default)]
pub(super) struct Ambient(Mutex<Option<Open>>);

struct Open {
    at: Option<(String, Session, TransactionId)>,
    operations: u64,
}

impl Ambient {
    pub(super) fn start(&self) -> Result<TransactionInfo> {
        let mut open = self.lock();
        if open.is_some() {
            let text = "this session has a transaction already";
            return Err(Error::new(ErrorKind::InvalidState, text)
                .hint("Complete-Transaction or Undo-Transaction ends it"));
        }
        let new = Open {
            at: None,
            operations: 0,
        };
        let info = new.info("Active");
        *open = Some(new);
        Ok(info)
    }

    pub(super) fn show(&self) -> Result<TransactionInfo> {
        let open = self.lock();
        open.as_ref()
            .map(|open| open.info("Active"))
            .ok_or_else(none)
    }

    /// One more command in it, at the queue manager of this computer.
    pub(super) fn join(
        &self,
        computer: &str,
        session: impl FnOnce() -> Result<Session>,
    ) -> Result<(Session, TransactionId)> {
        let mut open = self.lock();
        let open = open.as_mut().ok_or_else(none)?;
        if let Some((at, ..)) = &open.at
            && !at.eq_ignore_ascii_case(computer)
        {
            let text = format!("the transaction of this session is at {at}, and not at {computer}");
            return Err(Error::new(ErrorKind::TransactionUsage, text)
                .hint("a transaction is of one queue manager; end it and begin another"));
        }
        let (session, transaction) = match &open.at {
            Some((_, session, transaction)) => (session.clone(), *transaction),
            None => {
                let session = session()?;
                let transaction = session.begin();
                open.at = Some((computer.to_owned(), session.clone(), transaction));
                (session, transaction)
            }
        };
        open.operations += 1;
        Ok((session, transaction))
    }

    /// Commits it. When it is not known what became of it, it is still there: it may be asked again.
    pub(super) fn complete(&self, patience: Duration) -> Result<TransactionInfo> {
        let open = self.lock().take().ok_or_else(none)?;
        let outcome = match &open.at {
            Some((_, session, transaction)) => session.commit(*transaction, patience),
            None => Ok(()),
        };
        match outcome {
            Ok(()) => Ok(open.info("Committed")),
            Err(error) => Err(self.keep(open, error)),
        }
    }

    /// It is not known what became of it: it is still there, and its end may be asked for again. Another one that was
    /// begun meanwhile stays; then this one is ended by the queue manager when this client is gone.
    fn keep(&self, open: Open, error: Error) -> Error {
        if error.kind != ErrorKind::TransactionAborted {
            self.lock().get_or_insert(open);
        }
        error
    }

    pub(super) fn undo(&self) -> Result<TransactionInfo> {
        let open = self.lock().take().ok_or_else(none)?;
        if let Some((_, session, transaction)) = &open.at {
            let transaction = *transaction;
            match session.call(Request::Abort { transaction }) {
                // It was aborted before, by a failover: that is what was asked for.
                Err(error) if error.kind == ErrorKind::TransactionAborted => {}
                Err(error) => return Err(self.keep(open, error)),
                Ok(_) => {}
            }
        }
        Ok(open.info("Aborted"))
    }

    /// What its end would do.
    pub(super) fn what_if(&self, commit: bool) -> Result<Vec<StepInfo>> {
        let info = self.show()?;
        let (action, note) = match commit {
            true => ("Commit transaction", "is done"),
            false => ("Abort transaction", "is put back"),
        };
        let note = format!("what was asked by {} commands {note}", info.operations);
        let at = info.computer.unwrap_or_default();
        Ok(vec![StepInfo::new(action, &at, "", note)])
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn info(&self, status: &str) -> TransactionInfo {
        TransactionInfo {
            status: status.to_owned(),
            computer: self.at.as_ref().map(|(computer, ..)| computer.clone()),
            operations: self.operations,
        }
    }
}

fn none() -> Error {
    Error::new(ErrorKind::InvalidState, "this session has no transaction")
        .hint("Start-Transaction begins one")
}
