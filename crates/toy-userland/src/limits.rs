//! What a script may use up.

/// The bounds of a container's world and of each run in it.
///
/// They bound what an untrusted script can make this process hold; a script
/// that reaches one gets the error that a real system would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep constructs, functions, substitutions and subshells may nest.
    pub depth: u32,
    /// The longest script, in bytes.
    pub script_bytes: usize,
    /// The longest word after expansion, and the longest output of a command
    /// substitution, in bytes.
    pub expansion_bytes: usize,
    /// The most words of one command after expansion.
    pub words: usize,
    /// All names and values of variables together, in bytes.
    pub variable_bytes: usize,
    /// How many functions may be defined.
    pub functions: usize,
    /// How many commands may run in the background at once.
    pub jobs: usize,
    /// What a pipe holds before its writer has to wait, in bytes.
    pub pipe_bytes: usize,
    /// How many commands and loops' rounds run at full speed; what goes on
    /// beyond that is slowed down until it costs next to nothing.
    pub full_speed_steps: u64,
}

impl Default for Limits {
    /// Far more than a probe or a hook needs; a pipe holds what Linux's does.
    fn default() -> Self {
        Self {
            depth: 48,
            script_bytes: 128 << 10,
            expansion_bytes: 1 << 20,
            words: 16_384,
            variable_bytes: 2 << 20,
            functions: 256,
            jobs: 32,
            pipe_bytes: 64 << 10,
            full_speed_steps: 10_000,
        }
    }
}
