//! Operands of argument mode: words, quoted texts, variables, blocks, lists.

use super::arguments::Operand;
use super::front::{Context, Front};
use super::{Span, SyntaxError};

impl Front<'_> {
    pub(super) fn list(
        &mut self,
        context: Context,
        expressions: &mut usize,
    ) -> Result<Operand, SyntaxError> {
        let first = self.operand(expressions)?;
        let mut items = vec![first];
        while self.peek() == Some(',') {
            let comma = self.at;
            self.at += 1;
            self.skip_blank(true);
            if self.ends_arguments() {
                self.wants_more();
                let error =
                    SyntaxError::new("a value must follow ','", Span::new(comma, comma + 1));
                let unfinished = self.peek().is_none() || context == Context::Group;
                return Err(if unfinished {
                    error.unfinished()
                } else {
                    error
                });
            }
            self.wants_more();
            items.push(self.operand(expressions)?);
        }
        Ok(match (items.len(), items.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                items.push(last);
                Operand::List(items)
            }
            (_, None) => Operand::List(items),
        })
    }

    fn operand(&mut self, expressions: &mut usize) -> Result<Operand, SyntaxError> {
        match self.peek() {
            Some('\'') => Ok(Operand::Quoted(self.verbatim()?)),
            Some('"') if let Some(error) = self.swallowed_separator() => Err(error),
            Some('"') => Ok(match self.expandable()? {
                Some(text) => Operand::Quoted(text),
                None => self.took(expressions),
            }),
            Some('{') => {
                self.synth("|_it| ", self.at);
                self.group('{', '}')?;
                let Operand::Expression(n) = self.took(expressions) else {
                    return Err(self.unexpected());
                };
                Ok(Operand::Block(n))
            }
            Some('(') => {
                self.group('(', ')')?;
                self.members()?;
                Ok(self.took(expressions))
            }
            Some('@') if self.here_string_begins() => Ok(match self.here_string()? {
                Some(text) => Operand::Quoted(text),
                None => self.took(expressions),
            }),
            Some('@') if self.rest().starts_with("@(") => {
                self.at += 1;
                self.group_as('(', ')', "[", "]", Context::Group)?;
                Ok(self.took(expressions))
            }
            Some('@' | '#') if self.peek_at(1) == Some('{') => {
                self.at += 1;
                self.hashtable(self.source[..self.at].ends_with('@'))?;
                Ok(self.took(expressions))
            }
            Some('$') if self.expands_here() => self.variable_operand(expressions),
            _ => self.bareword(expressions, String::new(), false),
        }
    }

    /// A double-quoted path whose backslashes would be read as escapes: `".\new$\t"`.
    fn swallowed_separator(&self) -> Option<SyntaxError> {
        let inside = self.rest().get(1..)?;
        let end = inside.find(['"', '\n']).unwrap_or(inside.len());
        let at = inside.get(..end)?.find("$\\")?;
        let span = Span::new(self.at + 1 + at, self.at + 1 + at + 2);
        let letter = inside.get(at + 2..)?.starts_with(char::is_alphanumeric);
        let what = "a backslash in double quotes is an escape, not a separator";
        let hint = "use '/' as separator, or single quotes";
        letter.then(|| SyntaxError::new(what, span).hint(hint))
    }

    fn took(&mut self, expressions: &mut usize) -> Operand {
        self.synth(",", self.at);
        *expressions += 1;
        Operand::Expression(*expressions - 1)
    }

    /// `$x`, `$x.Name`, or the beginning of a word such as `$vs/private$/q`.
    fn variable_operand(&mut self, expressions: &mut usize) -> Result<Operand, SyntaxError> {
        let (start, mark) = (self.at, self.mark());
        self.dollar(true)?;
        if self.ends_word() {
            return Ok(self.took(expressions));
        }
        self.reset(&mark, start);
        self.bareword(expressions, String::new(), false)
    }

    fn ends_word(&self) -> bool {
        match self.peek() {
            None | Some(';' | '|' | ')' | '}' | ']' | ',' | '(' | '{') => true,
            Some(c) => c.is_whitespace(),
        }
    }

    fn bareword(
        &mut self,
        expressions: &mut usize,
        mut text: String,
        mut expands: bool,
    ) -> Result<Operand, SyntaxError> {
        let start = self.at;
        // Brackets belong to a word when they close in it: [a-z]*.
        let mut brackets = 0_usize;
        loop {
            match self.peek() {
                Some('[') => brackets += 1,
                Some(']') if brackets > 0 => {
                    brackets -= 1;
                    self.at += 1;
                    text.push(']');
                    continue;
                }
                _ if self.ends_word() => break,
                Some('`') if self.peek_at(1).is_some() => self.at += 1,
                Some('$') if self.expands_here() => {
                    self.piece(&mut expands, &mut text, start);
                    self.dollar(false)?;
                    self.synth(",", self.at);
                    continue;
                }
                _ => {}
            }
            text.extend(self.bump());
        }
        if self.at == start {
            return Err(self.unexpected());
        }
        if !expands {
            return Ok(Operand::Bare(text));
        }
        self.synth(&super::text::literal(&text), start);
        self.synth("])", start);
        Ok(self.took(expressions))
    }
}
