//! The last bytes of one output, kept so that a host that comes back can ask for them again.

use std::collections::VecDeque;

const SMALLEST: usize = 4 * 1024;
const LARGEST: usize = 64 * 1024;

struct Chunk {
    memory: Box<[u8]>,
    filled: usize,
}

/// A window over an endless sequence of bytes: what is appended at the head is kept until `keep` newer bytes have come.
///
/// Memory comes in chunks that start at 4 KiB and grow to 64 KiB, so a command that says little costs little; the oldest chunk is used again.
/// At most `keep` + 64 KiB are held.
#[derive(Default)]
pub struct Ring {
    chunks: VecDeque<Chunk>,
    /// Offset of the first byte held.
    tail: u64,
    /// Offset after the last byte held.
    head: u64,
}

impl Ring {
    /// Offset after the last byte.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Offset of the oldest byte still held.
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// Room for the next bytes, never empty. What is written there counts only after `append`.
    pub fn room(&mut self, keep: usize) -> &mut [u8] {
        if self.chunks.back().is_none_or(|last| last.filled == last.memory.len()) {
            let next = self.next_chunk(keep);
            self.chunks.push_back(next);
        }
        match self.chunks.back_mut() {
            Some(last) => &mut last.memory[last.filled..],
            None => &mut [],
        }
    }

    /// Says that the first `count` bytes of `room` have been written.
    pub fn append(&mut self, count: usize) {
        if let Some(last) = self.chunks.back_mut() {
            last.filled += count;
            self.head += count as u64;
        }
    }

    /// Bytes from `offset` on, as many as lie together; empty at the head or when `offset` is not held.
    pub fn from(&self, offset: u64) -> &[u8] {
        if offset < self.tail {
            return &[];
        }
        let mut start = self.tail;
        for chunk in &self.chunks {
            let end = start + chunk.filled as u64;
            if offset < end {
                return &chunk.memory[(offset - start) as usize..chunk.filled];
            }
            start = end;
        }
        &[]
    }

    /// Gives all memory back; offsets go on.
    pub fn clear(&mut self) {
        self.chunks = VecDeque::new();
        self.tail = self.head;
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.memory.len()).sum()
    }

    fn next_chunk(&mut self, keep: usize) -> Chunk {
        let mut size = self.chunks.back().map_or(SMALLEST, |last| (last.memory.len() * 4).min(LARGEST));
        let mut reused = None;
        while let Some(oldest) = self.chunks.front() {
            if ((self.head - self.tail) as usize) < keep + oldest.filled {
                break;
            }
            self.tail += oldest.filled as u64;
            reused = self.chunks.pop_front();
        }
        if let Some(chunk) = reused {
            if chunk.memory.len() == LARGEST {
                return Chunk { memory: chunk.memory, filled: 0 };
            }
            size = LARGEST;
        }
        Chunk { memory: vec![0; size].into_boxed_slice(), filled: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(ring: &mut Ring, mut bytes: &[u8], keep: usize) {
        while !bytes.is_empty() {
            let room = ring.room(keep);
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            ring.append(count);
            bytes = &bytes[count..];
        }
    }

    fn read(ring: &Ring, mut offset: u64) -> Vec<u8> {
        let mut all = Vec::new();
        while offset < ring.head() {
            let part = ring.from(offset);
            assert!(!part.is_empty(), "hole at {offset}");
            all.extend_from_slice(part);
            offset += part.len() as u64;
        }
        all
    }

    #[test]
    fn keeps_the_last_bytes_exactly() {
        let keep = 200_000;
        let all: Vec<u8> = (0..3_000_000u32).map(|n| ((n * 31) >> 3) as u8).collect();
        let mut ring = Ring::default();
        for (at, part) in all.chunks(7_777).enumerate() {
            write(&mut ring, part, keep);
            let head = (at * 7_777 + part.len()) as u64;
            assert_eq!(ring.head(), head);
            assert!(head - ring.tail() >= head.min(keep as u64));
            assert!(ring.memory() <= keep + 2 * LARGEST, "{}", ring.memory());
        }
        assert!(ring.tail() > 0);
        assert_eq!(read(&ring, ring.tail()), all[ring.tail() as usize..]);
        assert_eq!(read(&ring, ring.head() - 5), all[all.len() - 5..]);
        assert!(ring.from(ring.tail() - 1).is_empty());
        assert!(ring.from(ring.head()).is_empty());
    }

    #[test]
    fn a_word_costs_one_small_chunk() {
        let mut ring = Ring::default();
        assert_eq!(ring.memory(), 0);
        write(&mut ring, b"hello", 500_000);
        assert_eq!(ring.memory(), SMALLEST);
        assert_eq!(read(&ring, 0), b"hello");
    }

    #[test]
    fn clearing_keeps_the_offsets() {
        let mut ring = Ring::default();
        write(&mut ring, b"hello", 10);
        ring.clear();
        assert_eq!((ring.memory(), ring.tail(), ring.head()), (0, 5, 5));
        write(&mut ring, b"again", 10);
        assert_eq!(read(&ring, 5), b"again");
    }
}
