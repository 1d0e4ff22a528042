//! Views, from asking to the disk.
