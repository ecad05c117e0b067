//! Lines over a connection: bounded in length and in total, never more than one buffer's worth kept. Both
//! mail protocols speak in lines that end with CR LF.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::kernel::egress::ConnectError;

/// One answer of a server may be this long, in bytes, literals included.
pub const ANSWER_LIMIT: usize = 64 * 1024;
/// Everything a server says in one conversation, in bytes.
const TOTAL_LIMIT: usize = 512 * 1024;

/// A connection, line by line.
pub struct Lines<S> {
    stream: S,
    buffer: Vec<u8>,
    left: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    /// Begins at the connection's first byte.
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), left: TOTAL_LIMIT }
    }

    /// The next line without its end, at most `limit` bytes long.
    ///
    /// # Errors
    /// [`ConnectError::Protocol`] when it is longer, [`ConnectError::Broken`] when the connection ends first.
    pub async fn next(&mut self, limit: usize) -> Result<Vec<u8>, ConnectError> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.buffer[seen..].iter().position(|byte| *byte == b'\n') {
                let end = seen + at;
                if end > limit {
                    return Err(ConnectError::Protocol);
                }
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.truncate(end);
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            seen = self.buffer.len();
            if seen > limit {
                return Err(ConnectError::Protocol);
            }
            self.fill().await?;
        }
    }

    /// Exactly this many bytes, whatever they are.
    ///
    /// # Errors
    /// [`ConnectError::Broken`] when the connection ends first.
    pub async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, ConnectError> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// Says something.
    ///
    /// # Errors
    /// [`ConnectError::Broken`].
    pub async fn say(&mut self, bytes: &[u8]) -> Result<(), ConnectError> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Gives the connection back, to go over to TLS.
    ///
    /// # Errors
    /// [`ConnectError::Protocol`] when more has arrived than was read: what came in clear behind the word
    /// that ends the clear part would be taken for something said in private.
    pub fn into_stream(self) -> Result<S, ConnectError> {
        if self.buffer.is_empty() { Ok(self.stream) } else { Err(ConnectError::Protocol) }
    }

    async fn fill(&mut self) -> Result<(), ConnectError> {
        let mut chunk = [0; 4096];
        let read = self.stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(ConnectError::Broken);
        }
        self.left = self.left.checked_sub(read).ok_or(ConnectError::Protocol)?;
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(())
    }
}
