//! Statements: where one ends, and chains of them.

use super::front::{Context, Front};
use super::{Span, SyntaxError};

const DEPTH_MAX: usize = 100;

/// What is known about the statement that is being read.
#[derive(Default)]
pub(super) struct Statement {
    /// Something was read.
    pub(super) begun: bool,
    /// A command may stand here.
    pub(super) command: bool,
    /// The last token can end a statement.
    pub(super) complete: bool,
    /// Its value is taken: `let`, `=`, `return`.
    pub(super) taken: bool,
    /// A `(` must be closed at its end (`exit 3`).
    pub(super) owes: bool,
    /// The next `{` is the body of this.
    pub(super) body: Body,
    /// The pipeline that is the whole statement so far.
    pub(super) pipeline: Option<usize>,
    /// Where in the generated text the value begins that a `|` would take.
    pub(super) value_at: Option<usize>,
    /// It is part of a chain (`A && B || C`) that begins here in the generated text.
    pub(super) chain_at: Option<usize>,
    /// What runs when the chain before it failed, to be closed with `}`.
    pub(super) rescues: bool,
}

/// What the next `{` opens.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Body {
    #[default]
    Same,
    Function,
    Loop,
    Switch,
}

impl Statement {
    pub(super) fn fresh() -> Self {
        Self {
            command: true,
            ..Self::default()
        }
    }
}

impl Front<'_> {
    /// Code up to `close` (which is consumed), or to the end of the text.
    pub(super) fn code(
        &mut self,
        context: Context,
        close: Option<char>,
        open_at: usize,
    ) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(SyntaxError::new(
                format!("brackets are nested deeper than {DEPTH_MAX}"),
                Span::new(open_at, open_at + 1),
            ));
        }
        let mut statement = Statement::fresh();
        loop {
            let Some(c) = self.peek() else {
                if let Some(close) = close {
                    let closer = close.to_string();
                    return Err(self.unclosed("this bracket", &closer, open_at));
                }
                break;
            };
            if Some(c) == close {
                self.end(&mut statement);
                self.settle(&statement, context == Context::Shown);
                self.at += 1;
                self.depth -= 1;
                return Ok(());
            }
            match c {
                ';' => {
                    self.end(&mut statement);
                    self.settle(&statement, context != Context::Group);
                    self.copy(self.at, self.at + 1);
                    self.at += 1;
                    statement = Statement::fresh();
                }
                '\n' if context != Context::Group => self.line_end(&mut statement, close, context),
                ')' | ']' | '}' => return Err(self.unexpected()),
                '&' | '|' if self.chains(&statement, context) => self.chain(&mut statement),
                _ => self.token(&mut statement, context)?,
            }
        }
        if statement.chain_at.is_some() && !statement.begun {
            let place = Span::new(self.at.saturating_sub(1), self.at);
            let what = "a command must follow '&&' and '||'";
            return Err(SyntaxError::new(what, place).unfinished());
        }
        self.end(&mut statement);
        self.settle(&statement, context == Context::Shown);
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn end(&mut self, statement: &mut Statement) {
        if std::mem::take(&mut statement.owes) {
            self.synth(")", self.at);
        }
        if std::mem::take(&mut statement.rescues) {
            self.synth("}", self.at);
        }
    }

    /// A pipeline that is a whole statement is shown, unless it is the value of its block.
    pub(super) fn settle(&mut self, statement: &Statement, shown: bool) {
        if let Some(index) = statement.pipeline
            && !statement.taken
            && let Some(pipeline) = self.unit.pipelines.get_mut(index)
        {
            // A chain has no value: each of its pipelines is shown.
            pipeline.print = shown || statement.chain_at.is_some();
        }
    }

    /// Whether `&&` or `||` stands here between pipelines, not in an expression.
    pub(super) fn chains(&self, statement: &Statement, context: Context) -> bool {
        let whole = statement.pipeline.is_some() && !statement.taken;
        let operator = self.rest().starts_with("&&") || self.rest().starts_with("||");
        whole && operator && context != Context::Group
    }

    /// `A && B`: B runs after A, unless A failed. `A || B`: B runs when A failed, after its error is told.
    pub(super) fn chain(&mut self, statement: &mut Statement) {
        self.end(statement);
        self.settle(statement, true);
        let place = self.at;
        let from = statement.chain_at.or(statement.value_at);
        let from = from.unwrap_or(self.unit.text.len());
        let rescues = self.peek() == Some('|');
        self.at += 2;
        if rescues {
            let opening = "try{";
            self.unit.text.insert_str(from, opening);
            self.unit.map.insert(from, opening.len());
            self.synth("}catch(__e){__tell(__e);", place);
        } else {
            self.synth(";", place);
        }
        *statement = Statement {
            chain_at: Some(from),
            rescues,
            ..Statement::fresh()
        };
    }

    pub(super) fn line_end(
        &mut self,
        statement: &mut Statement,
        close: Option<char>,
        context: Context,
    ) {
        let newline = self.at;
        self.skip_blank(true);
        let next = self.peek();
        let closes = next.is_none() || next == close;
        if statement.complete && !closes && !self.continues() {
            self.end(statement);
            self.settle(statement, context != Context::Group);
            self.synth(";", newline);
            *statement = Statement::fresh();
        }
        self.synth("\n", newline);
    }

    /// Whether what stands here goes on with the statement of the line before.
    pub(super) fn continues(&self) -> bool {
        let rest = self.rest();
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        if matches!(word.as_str(), "else" | "catch" | "until" | "in") {
            return true;
        }
        match self.peek() {
            Some('-') => self
                .peek_at(1)
                .is_some_and(|c| c.is_whitespace() || c == '='),
            Some('!') => self.peek_at(1) == Some('='),
            Some('.') => self.peek_at(1) != Some('/') && self.peek_at(1) != Some('\\'),
            Some(c) => "+*/%=<>&|?,)]:^{".contains(c),
            None => false,
        }
    }
}
