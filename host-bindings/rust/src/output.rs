//! What a worker prints: lines of its standard output and standard error, as events and as last words.
//!
//! Knows bytes and lines. Does not know the pipe's messages. Called by `launch`.
//! Invariant: a line is at most [`LINE_BYTES_MAX`] long and at most [`KEPT_LINES`] are kept, whatever is printed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::sync::lock;

/// Where a line was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line, and where it was printed.
pub(crate) type Line = (OutputStream, String);

/// The end of a worker's standard error.
#[derive(Debug, Default)]
pub(crate) struct LastWords {
    lines: Arc<Mutex<VecDeque<String>>>,
    reading: Option<JoinHandle<()>>,
}

impl LastWords {
    /// Starts to read `stderr`; lines go to `sink` too.
    pub(crate) fn of(stderr: impl AsyncRead + Send + Unpin + 'static, sink: mpsc::Sender<Line>) -> Self {
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        let reading = tokio::spawn(read_lines(stderr, move |line| {
            let mut kept = lock(&kept);
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(line.clone());
            drop(kept);
            // A host that does not look loses lines, never the worker.
            let _ = sink.try_send((OutputStream::Stderr, line));
        }));
        Self { lines, reading: Some(reading) }
    }

    /// The last lines, once the process is gone.
    pub(crate) async fn take(self) -> String {
        if let Some(reading) = self.reading {
            let _ = timeout(READ_GRACE, reading).await;
        }
        let lines: Vec<String> = lock(&self.lines).drain(..).collect();
        lines.join("\n")
    }
}

/// Starts to read `stdout`; lines go to `sink`.
pub(crate) fn read_stdout(stdout: impl AsyncRead + Send + Unpin + 'static, sink: mpsc::Sender<Line>) {
    tokio::spawn(read_lines(stdout, move |line| {
        let _ = sink.try_send((OutputStream::Stdout, line));
    }));
}

async fn read_lines(mut source: impl AsyncRead + Unpin, mut on_line: impl FnMut(String)) {
    let mut line = Vec::new();
    let mut chunk = [0; 512];
    loop {
        let bytes = match source.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(bytes) => bytes,
        };
        for &byte in chunk.get(..bytes).unwrap_or_default() {
            if byte != b'\n' {
                line.push(byte);
            }
            if byte == b'\n' || line.len() >= LINE_BYTES_MAX {
                on_line(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        on_line(String::from_utf8_lossy(&line).into_owned());
    }
}

/// A longer line is cut in two.
const LINE_BYTES_MAX: usize = 1024;
/// Enough for a panic's message and its place.
const KEPT_LINES: usize = 8;
/// How long to read on when the process is gone: its bytes are there already.
const READ_GRACE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn last_words_are_the_last_lines_and_endless_lines_are_cut() {
        let mut printed: Vec<u8> = (0..20).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        printed.extend([b'x'; 3000]);
        let (sink, mut lines) = mpsc::channel(100);
        let words = LastWords::of(std::io::Cursor::new(printed), sink).take().await;
        let kept: Vec<&str> = words.split('\n').collect();
        assert_eq!(kept.len(), KEPT_LINES);
        assert_eq!(kept.first(), Some(&"line 15"));
        assert_eq!(kept.iter().map(|line| line.len()).max(), Some(LINE_BYTES_MAX));
        let mut count = 0;
        while lines.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 23);
    }
}
