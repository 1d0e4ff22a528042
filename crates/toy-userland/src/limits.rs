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
    /// Most words of one command after expansion, and of one script before it.
    pub words: usize,
    /// Most bytes of all names and values of variables together, of which each counts 256 more.
    pub variable_bytes: usize,
    /// Most functions that a shell defines. Together they have at most `words` words.
    pub functions: usize,
    /// Most commands that run in the background at once.
    pub jobs: usize,
    /// Most commands in pipelines that run at once.
    pub stages: usize,
    /// Capacity of a pipe, in bytes. The writer of a full pipe waits.
    pub pipe_bytes: usize,
    /// Number of steps at full speed. A step is a command, a round of a loop, or 4 KiB of text
    /// that a command handles. 50 steps come back in each second. Beyond them a script makes at
    /// most 64 steps in 10 ms, and all such scripts of one [`Share`](crate::Share) together
    /// make at most 256 steps in 10 ms.
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
            stages: 256,
            pipe_bytes: 64 << 10,
            full_speed_steps: 10_000,
        }
    }
}
