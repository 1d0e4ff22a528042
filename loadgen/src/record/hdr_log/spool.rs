//! Log of a run in progress, whose final path is not known yet.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use super::series::Series;
use super::write::LogWriter;
use crate::record::tape::{INTERVAL, Listener, Part};

/// Writes one interval per second to a file without a name, which the system removes when
/// it is closed. Clones share the file.
#[derive(Debug, Clone)]
pub struct Spool {
    log: Arc<Mutex<Log>>,
}

#[derive(Debug)]
struct Log {
    begun: Instant,
    /// Writer, or the first error of it. The error is returned by [`Spool::finish`],
    /// since it does not end the run.
    writer: io::Result<LogWriter<BufWriter<File>>>,
}

impl Spool {
    /// Begins the log of a run that starts now.
    pub fn new(started: SystemTime) -> Self {
        let file = tempfile::tempfile();
        let log = Log {
            begun: Instant::now(),
            writer: file.and_then(|file| LogWriter::new(BufWriter::new(file), started)),
        };
        Self {
            log: Arc::new(Mutex::new(log)),
        }
    }

    /// Returns the whole log, positioned at its beginning.
    ///
    /// # Errors
    /// The first error of any write.
    pub fn finish(&self) -> io::Result<File> {
        let over = Err(io::ErrorKind::NotConnected.into());
        let writer = std::mem::replace(&mut self.lock().writer, over);
        let out = writer?.finish()?;
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        // A panic during a write leaves an incomplete log, which a reader notices.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Spool {
    fn interval(&mut self, number: u32, part: &Part) {
        let mut log = self.lock();
        let start = INTERVAL * number;
        // The last one ends with the run.
        let length = log.begun.elapsed().saturating_sub(start).min(INTERVAL);
        if let Ok(writer) = &mut log.writer
            && let Err(error) = writer.interval(start, length, Series::of(part))
        {
            log.writer = Err(error);
        }
    }
}

/// Copies a log to its final place.
///
/// # Errors
/// Errors of the reader and the writer.
pub fn copy(mut log: &File, out: &mut impl Write) -> io::Result<()> {
    io::copy(&mut log, out).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::record::hdr_log::LogReader;
    use crate::record::operation::Operation;

    #[test]
    fn the_log_contains_every_interval() {
        let spool = Spool::new(SystemTime::now());
        let mut part = Part::default();
        let took = Duration::from_millis(3);
        part.measured.success(Operation::Pod, took);
        spool.clone().interval(0, &part);
        part.warm_up.success(Operation::Pod, took);
        spool.clone().interval(1, &part);
        let file = BufReader::new(spool.finish().unwrap());
        let log = LogReader::new(Path::new("a.hlog"), file).unwrap();
        let read: Vec<_> = log.map(Result::unwrap).collect();
        let starts: Vec<_> = read.iter().map(|one| one.start.as_secs()).collect();
        assert_eq!(starts, [0, 1, 1]);
        assert!(read.iter().all(|one| one.length < INTERVAL));
        assert_eq!(read[1].series, Series::Measured(Operation::Pod));
        assert_eq!(read[2].series, Series::WarmUp(Operation::Pod));
        assert!(spool.finish().is_err(), "once");
    }
}
