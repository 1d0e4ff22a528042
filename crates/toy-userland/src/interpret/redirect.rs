//! Redirections, POSIX XCU 2.7.

use super::interpreter::Interpreter;
use crate::outcome::Unwind;
use crate::streams::{Input, Output};
use crate::syntax::{Redirect, RedirectKind};
use crate::world::{FileError, OpenMode};

impl Interpreter {
    /// Redirects the shell's descriptors. The caller restores them afterwards.
    ///
    /// # Errors
    /// The failure of the command, after a message.
    pub(super) async fn redirect(&mut self, redirects: &[Redirect]) -> Result<(), Unwind> {
        for redirect in redirects {
            let descriptor = redirect.descriptor;
            match &redirect.kind {
                RedirectKind::Read(word) => {
                    let path = self.text(word).await?;
                    match self.directory.open(&path) {
                        Ok(input) => self.put_input(descriptor, input).await?,
                        Err(error) => return Err(self.cannot_open(&path, error).await),
                    }
                }
                RedirectKind::ReadWrite(word) if descriptor == 0 => {
                    let path = self.text(word).await?;
                    self.create(&path, OpenMode::Append).await?;
                    match self.directory.open(&path) {
                        Ok(input) => self.put_input(descriptor, input).await?,
                        Err(error) => return Err(self.cannot_open(&path, error).await),
                    }
                }
                RedirectKind::Write(word) => {
                    let path = self.text(word).await?;
                    let output = self.create(&path, OpenMode::Truncate).await?;
                    self.put_output(descriptor, output).await?;
                }
                RedirectKind::Append(word) | RedirectKind::ReadWrite(word) => {
                    let path = self.text(word).await?;
                    let output = self.create(&path, OpenMode::Append).await?;
                    self.put_output(descriptor, output).await?;
                }
                RedirectKind::Duplicate(word) => {
                    let target = self.text(word).await?;
                    self.duplicate(descriptor, &target).await?;
                }
                RedirectKind::Here(document) => {
                    let text = match document.body() {
                        Some(body) => self.text(body).await?,
                        None => String::new(),
                    };
                    let input = Input::of_bytes(text.into_bytes());
                    self.put_input(descriptor, input).await?;
                }
            }
        }
        Ok(())
    }

    async fn create(&mut self, path: &str, mode: OpenMode) -> Result<Output, Unwind> {
        match self.directory.create(path, mode) {
            Ok(output) => Ok(output),
            Err(FileError::NotFound) => {
                let message = format!("can't create {path}: nonexistent directory");
                Err(self.refused(&message).await)
            }
            Err(error) => Err(self.refused(&format!("can't create {path}: {error}")).await),
        }
    }

    async fn cannot_open(&self, path: &str, error: FileError) -> Unwind {
        match error {
            FileError::NotFound => {
                self.refused(&format!("can't open {path}: no such file"))
                    .await
            }
            error => self.refused(&format!("can't open {path}: {error}")).await,
        }
    }

    async fn refused(&self, message: &str) -> Unwind {
        self.complain(message).await;
        Unwind::Failed(1)
    }

    async fn bad_descriptor(&self, text: &str) -> Unwind {
        self.refused(&format!("{text}: Bad file descriptor")).await
    }

    async fn put_input(&mut self, descriptor: u32, input: Input) -> Result<(), Unwind> {
        match descriptor {
            0 => self.descriptors.stdin = input,
            other => return Err(self.bad_descriptor(&other.to_string()).await),
        }
        Ok(())
    }

    async fn put_output(&mut self, descriptor: u32, output: Output) -> Result<(), Unwind> {
        match descriptor {
            1 => self.descriptors.stdout = output,
            2 => self.descriptors.stderr = output,
            other => return Err(self.bad_descriptor(&other.to_string()).await),
        }
        Ok(())
    }

    async fn duplicate(&mut self, descriptor: u32, target: &str) -> Result<(), Unwind> {
        match (descriptor, target) {
            (0, "0") => Ok(()),
            (0, "-") => self.put_input(0, Input::empty()).await,
            (_, "-") => self.put_output(descriptor, Output::Nowhere).await,
            (1 | 2, "1") => {
                let output = self.descriptors.stdout.clone();
                self.put_output(descriptor, output).await
            }
            (1 | 2, "2") => {
                let output = self.descriptors.stderr.clone();
                self.put_output(descriptor, output).await
            }
            _ => Err(self.bad_descriptor(target).await),
        }
    }
}
