//! Gives freed memory back to the kernel.

use std::time::Duration;

/// Time between two looks at the freed memory.
const PAUSE: Duration = Duration::from_secs(10);

/// Size of a block that mimalloc returns at once when it is freed. Blocks of up to 4 MiB are kept
/// for the next request of their size.
const BLOCK: usize = 8 << 20;

/// Gives freed memory back to the kernel for ever, also while no request comes.
///
/// mimalloc keeps freed memory for a second, and then gives it back when a large block is freed.
/// After a storm of requests there is no such block for a long time. This function allocates one
/// from time to time, and frees it without having touched it.
pub(crate) async fn give_back() {
    loop {
        tokio::time::sleep(PAUSE).await;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK)));
    }
}
