//! Which message Receive-MsmqQueue means.

use super::exclusive;
use crate::api::message::ReceiveMsmqQueue;
use crate::error::Result;
use crate::queue::message::MessageId;
use crate::queue::request::Select;

/// The selection of a command; at most one is given.
///
/// # Errors
/// `Usage` for more than one, or for one that says half; `IllegalPropertyValue` for an id that is none.
pub(super) fn of(command: &ReceiveMsmqQueue) -> Result<Select> {
    let mut chosen = Vec::new();
    if command.first {
        chosen.push(Select::First);
    }
    if command.last {
        chosen.push(Select::Last);
    }
    if let Some(id) = &command.id {
        chosen.push(Select::Id(MessageId::parse(id)?));
    }
    if let Some(id) = &command.correlation_id {
        chosen.push(Select::Correlation(MessageId::parse(id)?));
    }
    match (command.lookup_id, command.next, command.previous) {
        (None, false, false) => {}
        (Some(place), false, false) => chosen.push(Select::LookupId(place)),
        (Some(place), true, false) => chosen.push(Select::After(place)),
        (Some(place), false, true) => chosen.push(Select::Before(place)),
        (None, _, _) => {
            let text = "-Next and -Previous go with -LookupId";
            return Err(exclusive(text, "-LookupId N -Next is the one behind N"));
        }
        (Some(_), true, true) => {
            let text = "-Next and -Previous exclude each other";
            return Err(exclusive(text, "give one of them"));
        }
    }
    match chosen.as_slice() {
        [] => Ok(Select::First),
        [only] => Ok(*only),
        _ => Err(exclusive(
            "more than one message is selected",
            "give one of -First, -Last, -LookupId, -Id and -CorrelationId",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_combination_means_one_message_or_is_refused() {
        let command = |lookup_id, next, previous, last| ReceiveMsmqQueue {
            lookup_id,
            next,
            previous,
            last,
            ..ReceiveMsmqQueue::default()
        };
        let table = [
            (command(None, false, false, false), Some(Select::First)),
            (command(None, false, false, true), Some(Select::Last)),
            (
                command(Some(7), false, false, false),
                Some(Select::LookupId(7)),
            ),
            (command(Some(7), true, false, false), Some(Select::After(7))),
            (
                command(Some(7), false, true, false),
                Some(Select::Before(7)),
            ),
            (command(Some(7), true, true, false), None),
            (command(Some(7), false, false, true), None),
            (command(None, true, false, false), None),
            (command(None, false, true, false), None),
        ];
        for (command, expected) in table {
            assert_eq!(of(&command).ok(), expected, "{command:?}");
        }
    }
}
