//! Frames of `docs/link.md`, byte for byte. Decoding refuses everything that the document does not allow.

/// What each side sends before its first frame.
pub const PREFACE: &[u8; 8] = b"CAISSON1";
/// Bytes of a frame's header.
pub const HEADER: usize = 12;
/// Longest message, bytes.
pub const MAX_MESSAGE: usize = 1 << 20;
/// Longest payload of raw data, bytes.
pub const MAX_DATA: usize = 65_536;
/// Longest reason of a RESET, bytes.
pub const MAX_REASON: usize = 1024;
/// Credit that messages, and raw bytes of the host, start with; the most that any channel ever has. Bytes.
pub const WINDOW: i64 = 1_048_576;
/// Credit that raw bytes of ours start with; the host gives more to a stream that it takes quickly. Bytes.
pub const START: i64 = 32_768;
/// Most streams open at a time.
pub const MAX_STREAMS: usize = 1024;
/// Channels of a stream: messages, and three of raw bytes.
pub const CHANNELS: usize = 4;

/// One frame; payloads are borrowed from the buffer it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Opens `stream` with one message.
    Open {
        /// Chosen by the opener, only growing.
        stream: u32,
        /// The message.
        message: &'a [u8],
    },
    /// A message (channel 0) or raw bytes (1 to 3).
    Data {
        /// 0 is the connection itself.
        stream: u32,
        /// 0 to 3.
        channel: u8,
        /// Never empty on channels 1 to 3.
        bytes: &'a [u8],
    },
    /// The receiver takes so many bytes more.
    Credit {
        /// Never 0.
        stream: u32,
        /// 0 to 3.
        channel: u8,
        /// How many.
        bytes: u32,
    },
    /// Nothing more on this channel.
    End {
        /// Never 0.
        stream: u32,
        /// 1 to 3.
        channel: u8,
    },
    /// The stream is over at once.
    Reset {
        /// Never 0.
        stream: u32,
        /// For a person.
        why: &'a str,
    },
    /// Nothing more on this stream.
    Close {
        /// Never 0.
        stream: u32,
    },
    /// To be answered by `Pong` with the same bytes.
    Ping([u8; 8]),
    /// Answer to `Ping`.
    Pong([u8; 8]),
}

/// A broken rule of the link; whoever breaks one is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation(pub &'static str);

const OPEN: u8 = 1;
const DATA: u8 = 2;
const CREDIT: u8 = 3;
const END: u8 = 4;
const RESET: u8 = 5;
const CLOSE: u8 = 6;
const PING: u8 = 7;
const PONG: u8 = 8;

fn header(length: usize, stream: u32, kind: u8, channel: u8) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    // Lossless: every payload is at most MAX_MESSAGE.
    bytes[0..4].copy_from_slice(&(length as u32).to_be_bytes());
    bytes[4..8].copy_from_slice(&stream.to_be_bytes());
    bytes[8] = kind;
    bytes[9] = channel;
    bytes
}

/// The header of a DATA frame whose payload is sent from elsewhere.
pub fn data_header(stream: u32, channel: u8, length: usize) -> [u8; HEADER] {
    header(length, stream, DATA, channel)
}

impl Frame<'_> {
    /// Appends the frame's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut put = |stream, kind, channel, payload: &[u8]| {
            out.extend_from_slice(&header(payload.len(), stream, kind, channel));
            out.extend_from_slice(payload);
        };
        match *self {
            Frame::Open { stream, message } => put(stream, OPEN, 0, message),
            Frame::Data { stream, channel, bytes } => put(stream, DATA, channel, bytes),
            Frame::Credit { stream, channel, bytes } => put(stream, CREDIT, channel, &bytes.to_be_bytes()),
            Frame::End { stream, channel } => put(stream, END, channel, &[]),
            Frame::Reset { stream, why } => put(stream, RESET, 0, why.as_bytes()),
            Frame::Close { stream } => put(stream, CLOSE, 0, &[]),
            Frame::Ping(bytes) => put(0, PING, 0, &bytes),
            Frame::Pong(bytes) => put(0, PONG, 0, &bytes),
        }
    }
}

/// What can be said of a buffer's first frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// The frame and how many bytes it took.
    Whole(Frame<'a>, usize),
    /// So many bytes are needed from the buffer's start before more can be said.
    Needs(usize),
}

struct Header {
    length: usize,
    stream: u32,
    kind: u8,
    channel: u8,
}

impl Header {
    fn parse(bytes: &[u8; HEADER]) -> Result<Self, Violation> {
        let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[10] != 0 || bytes[11] != 0 {
            return Err(Violation("reserved bytes are not 0"));
        }
        let parsed = Header { length: number(0) as usize, stream: number(4), kind: bytes[8], channel: bytes[9] };
        parsed.check()?;
        Ok(parsed)
    }

    /// All that can be refused before the payload has come, so that nobody makes us wait for it or hold it.
    fn check(&self) -> Result<(), Violation> {
        if usize::from(self.channel) >= CHANNELS {
            return Err(Violation("a channel out of range"));
        }
        let raw = self.channel != 0;
        let on_stream = self.stream != 0;
        let (length, channel, stream) = match self.kind {
            OPEN => (self.length <= MAX_MESSAGE, !raw, on_stream),
            DATA if raw => ((1..=MAX_DATA).contains(&self.length), true, on_stream),
            DATA => (self.length <= MAX_MESSAGE, true, true),
            CREDIT => (self.length == 4, true, on_stream),
            END => (self.length == 0, raw, on_stream),
            RESET => (self.length <= MAX_REASON, !raw, on_stream),
            CLOSE => (self.length == 0, !raw, on_stream),
            PING | PONG => (self.length == 8, !raw, !on_stream),
            _ => return Err(Violation("an unknown kind of frame")),
        };
        match (length, channel, stream) {
            (false, _, _) => Err(Violation("a frame of a length that its kind does not have")),
            (_, false, _) => Err(Violation("a frame on a channel that its kind does not have")),
            (_, _, false) => Err(Violation("a frame on a stream that its kind does not have")),
            (true, true, true) => Ok(()),
        }
    }
}

/// Reads the first frame of a buffer.
pub fn decode(input: &[u8]) -> Result<Decoded<'_>, Violation> {
    let Some((first, rest)) = input.split_first_chunk::<HEADER>() else {
        return Ok(Decoded::Needs(HEADER));
    };
    let header = Header::parse(first)?;
    let total = HEADER + header.length;
    let Some(payload) = rest.get(..header.length) else {
        return Ok(Decoded::Needs(total));
    };
    let Header { stream, channel, .. } = header;
    let eight = || payload.try_into().map_err(|_| Violation("a ping that is not 8 bytes"));
    let frame = match header.kind {
        OPEN => Frame::Open { stream, message: payload },
        DATA => Frame::Data { stream, channel, bytes: payload },
        CREDIT => {
            let bytes = payload.try_into().map_err(|_| Violation("a credit that is not 4 bytes"))?;
            Frame::Credit { stream, channel, bytes: u32::from_be_bytes(bytes) }
        }
        END => Frame::End { stream, channel },
        RESET => {
            let why = std::str::from_utf8(payload).map_err(|_| Violation("a reason that is not UTF-8"))?;
            Frame::Reset { stream, why }
        }
        CLOSE => Frame::Close { stream },
        PING => Frame::Ping(eight()?),
        PONG => Frame::Pong(eight()?),
        _ => return Err(Violation("an unknown kind of frame")),
    };
    Ok(Decoded::Whole(frame, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(length: u32, stream: u32, kind: u8, channel: u8) -> Vec<u8> {
        let mut bytes = header(length as usize, stream, kind, channel).to_vec();
        bytes.resize(HEADER + (length as usize).min(MAX_MESSAGE + 1), 0);
        bytes
    }

    #[test]
    fn every_frame_survives_the_wire() {
        let data = [7u8; 100];
        let frames = [
            Frame::Open { stream: 2, message: b"hello" },
            Frame::Open { stream: 4, message: b"" },
            Frame::Data { stream: 0, channel: 0, bytes: b"" },
            Frame::Data { stream: u32::MAX, channel: 3, bytes: &data },
            Frame::Credit { stream: 2, channel: 0, bytes: u32::MAX },
            Frame::End { stream: 2, channel: 1 },
            Frame::Reset { stream: 2, why: "weil es Zeit ist – ja" },
            Frame::Close { stream: 2 },
            Frame::Ping(*b"12345678"),
            Frame::Pong(*b"12345678"),
        ];
        let mut wire = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut wire));
        let mut rest = wire.as_slice();
        for frame in frames {
            let Ok(Decoded::Whole(read, length)) = decode(rest) else { panic!("not whole: {frame:?}") };
            assert_eq!(read, frame);
            for cut in 0..length {
                assert!(matches!(decode(&rest[..cut]), Ok(Decoded::Needs(n)) if n > cut && n <= length));
            }
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn broken_rules_are_refused() {
        let too_long = MAX_MESSAGE as u32 + 1;
        for (what, bytes) in [
            ("kind 0", raw(0, 2, 0, 0)),
            ("kind 9", raw(0, 2, 9, 0)),
            ("channel 4", raw(1, 2, DATA, 4)),
            ("OPEN on stream 0", raw(1, 0, OPEN, 0)),
            ("OPEN on channel 1", raw(1, 2, OPEN, 1)),
            ("OPEN too long", raw(too_long, 2, OPEN, 0)),
            ("message too long", raw(too_long, 2, DATA, 0)),
            ("data too long", raw(65_537, 2, DATA, 1)),
            ("empty data", raw(0, 2, DATA, 1)),
            ("data on stream 0", raw(1, 0, DATA, 1)),
            ("short credit", raw(3, 2, CREDIT, 0)),
            ("credit on stream 0", raw(4, 0, CREDIT, 0)),
            ("END on channel 0", raw(0, 2, END, 0)),
            ("END with payload", raw(1, 2, END, 1)),
            ("long reason", raw(1025, 2, RESET, 0)),
            ("RESET of stream 0", raw(0, 0, RESET, 0)),
            ("CLOSE of stream 0", raw(0, 0, CLOSE, 0)),
            ("PING on stream 2", raw(8, 2, PING, 0)),
            ("short PONG", raw(7, 0, PONG, 0)),
        ] {
            assert!(decode(&bytes).is_err(), "{what} was taken");
            assert!(decode(&bytes[..HEADER]).is_err(), "{what} was not refused by its header");
        }
        let mut reserved = raw(0, 2, CLOSE, 0);
        reserved[11] = 1;
        assert!(decode(&reserved).is_err());
        let mut not_utf8 = raw(1, 2, RESET, 0);
        not_utf8[HEADER] = 0xff;
        assert!(decode(&not_utf8).is_err());
    }
}
