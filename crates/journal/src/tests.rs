//! The journal as a whole, on real files.

mod compaction;
mod damage;
mod durability;
mod full_disk;
mod power_cut;
mod reopening;
mod stats;
mod torn;
