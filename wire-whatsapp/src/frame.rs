//! Frames: three bytes of length, most significant first, then so many bytes. What comes in pieces, or several at once, is
//! put together here; nothing longer than allowed is ever waited for.

use crate::error::Error;

/// The bytes of a length.
const HEAD: usize = 3;

/// Frames as they come in.
#[derive(Debug)]
pub struct Frames {
    waiting: Vec<u8>,
    read: usize,
    limit: usize,
}

impl Frames {
    /// Takes frames of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { waiting: Vec::new(), read: 0, limit }
    }

    /// Allows frames of another length from now on.
    pub fn limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes what was received.
    ///
    /// # Errors
    /// More is waiting than two frames of the longest allowed: nobody reads them, or nobody should.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.waiting.drain(..self.read);
        self.read = 0;
        if self.waiting.len() + bytes.len() > 2 * (self.limit + HEAD) {
            return Err(Error::Protocol("more than a connection may send at once"));
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole frame, without its length.
    ///
    /// # Errors
    /// The next frame says that it is longer than allowed, or empty.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let rest = self.waiting.get(self.read..).unwrap_or_default();
        let Some((head, body)) = rest.split_at_checked(HEAD) else {
            return Ok(None);
        };
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        if length == 0 || length > self.limit {
            return Err(Error::Protocol("a frame of a length that is not allowed"));
        }
        let Some(frame) = body.get(..length) else { return Ok(None) };
        let frame = frame.to_vec();
        self.read += HEAD + length;
        if self.read == self.waiting.len() {
            // A connection at rest holds no buffer.
            (self.waiting, self.read) = (Vec::new(), 0);
        }
        Ok(Some(frame))
    }
}

/// Puts a length before the bytes.
///
/// # Errors
/// A length that three bytes cannot say.
pub fn frame(intro: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length < 1 << 24);
    let length = length.ok_or(Error::Protocol("a message too long to send"))?.to_be_bytes();
    Ok([intro, &length[1..], bytes].concat())
}

/// What stands before the first frame: where the service last asked to be sent to, and the protocol's own words.
pub fn intro(routing: Option<&[u8]>, prologue: &[u8]) -> Vec<u8> {
    let Some(routing) = routing.filter(|routing| routing.len() < 1 << 24) else { return prologue.to_vec() };
    let length = (routing.len() as u32).to_be_bytes();
    [b"ED\0\x01", &length[1..], routing, prologue].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_put_together_from_pieces_and_taken_apart() {
        let sent =
            [frame(&[], b"one").unwrap(), frame(&[], &[9; 300]).unwrap(), frame(&[], b"3").unwrap()].concat();
        for size in 1..sent.len() {
            let (mut frames, mut found) = (Frames::new(300), Vec::new());
            for piece in sent.chunks(size) {
                frames.push(piece).unwrap();
                while let Some(frame) = frames.next().unwrap() {
                    found.push(frame);
                }
            }
            assert_eq!(found, [b"one".to_vec(), vec![9; 300], b"3".to_vec()], "in pieces of {size}");
            assert_eq!(frames.waiting.capacity(), 0);
        }
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_there() {
        let mut frames = Frames::new(10);
        frames.push(&[0, 0, 11]).unwrap();
        assert!(frames.next().is_err());
        let mut frames = Frames::new(10);
        frames.push(&[0, 0, 0]).unwrap();
        assert!(frames.next().is_err());
        let mut frames = Frames::new(10);
        assert!(frames.push(&[0; 27]).is_err());
        assert!(frame(&[], &vec![0; 1 << 24]).is_err());
    }

    #[test]
    fn the_first_frame_follows_the_intro() {
        assert_eq!(intro(None, b"WA\x06\x03"), b"WA\x06\x03");
        assert_eq!(intro(Some(b"xyz"), b"WA\x06\x03"), b"ED\0\x01\0\0\x03xyzWA\x06\x03");
        assert_eq!(frame(b"WA", b"ab").unwrap(), b"WA\0\0\x02ab");
    }
}
