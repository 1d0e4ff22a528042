//! Bounds on the resources of scripts.

/// Bounds of one run of a command in a container's world.
///
/// They bound the memory and processor time that an untrusted script can take from this
/// process. A script that reaches a bound gets the error of a real system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of constructs, functions, substitutions and subshells together.
    pub depth: u32,
    /// Longest script, in bytes.
    pub script_bytes: usize,
    /// Most bytes of a command's words after expansion, of the output of a command substitution,
    /// and of the text that a program such as `sort` keeps.
    pub expansion_bytes: usize,
    /// Most words of one command after expansion.
    pub words: usize,
    /// Most bytes of all names and values of variables together.
    pub variable_bytes: usize,
    /// Most functions that a shell defines.
    pub functions: usize,
    /// Most commands that run in the background at once.
    pub jobs: usize,
    /// Capacity of a pipe, in bytes. The writer of a full pipe waits.
    pub pipe_bytes: usize,
    /// Number of steps, which are commands and rounds of loops, that run at full speed. Beyond
    /// them a script pauses for 10 ms after every 64 steps, so that it costs next to nothing.
    pub full_speed_steps: u64,
}

impl Default for Limits {
    /// Returns bounds far above the needs of a probe or a hook. The capacity of a pipe is that of
    /// Linux, pipe(7).
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
