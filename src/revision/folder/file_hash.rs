//! The content of a file, and its SHA-256.

use std::ffi::CStr;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::{fs, io};

use pg_connect::file::{FileError, kind_of_no_file};
use rustix::fs::{FileType, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, read};
use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a file's name, a NUL and its content.
pub(super) type FileHash = [u32; 8];

/// How much is read at once: more than most files contain.
pub(super) const BUFFER: usize = 64 * 1024;

/// Opens a file of a folder. `NONBLOCK`: opening a FIFO does not wait for a writer.
fn open(folder: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
}

/// What is read by mistake, such as a device behind a link, must not fill the memory: PostgreSQL takes no message of 1 GiB or more
/// (`MaxAllocSize`).
pub(super) const LARGEST_REVISION: u64 = 1 << 30;

/// The content of a file, and its hash.
pub(super) fn read_file(folder: &OwnedFd, name: &CStr, buffer: &mut [u8]) -> io::Result<(Vec<u8>, FileHash)> {
    let mut file = fs::File::from(open(folder, name)?);
    if let Some(other) = kind_of_no_file(file.metadata()?.file_type()) {
        return Err(io::Error::other(FileError::NotAFile(other)));
    }
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // Read through the buffer instead of `fs::read`, which asks the kernel for the file's size first.
    let mut bytes = buffer[..filled].to_vec();
    if filled == buffer.len() {
        let length = file.take(LARGEST_REVISION).read_to_end(&mut bytes)?;
        if u64::try_from(length).is_ok_and(|length| length >= LARGEST_REVISION) {
            return Err(io::Error::other(FileError::TooLarge(LARGEST_REVISION)));
        }
    }
    let hash = into_words(Sha256::new_with_prefix(name.to_bytes_with_nul()).chain_update(&bytes));
    Ok((bytes, hash))
}

/// The hash of a file, without keeping its content.
pub(super) fn hash_file(folder: &OwnedFd, name: &CStr, buffer: &mut [u8]) -> Result<FileHash, Errno> {
    let file = open(folder, name)?;
    let name = name.to_bytes_with_nul();
    buffer.get_mut(..name.len()).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(name);
    let mut end = name.len() + read(&file, &mut buffer[name.len()..])?;
    if let Some(sum) = hash_in_place(buffer, end) {
        return Ok(sum);
    }
    // It may be a device, which never ends.
    if !FileType::from_raw_mode(fstat(&file)?.st_mode).is_file() {
        return Err(Errno::INVAL);
    }
    let mut hash = Sha256::new();
    let mut length = 0;
    loop {
        length += end;
        if u64::try_from(length).is_ok_and(|length| length > LARGEST_REVISION) {
            return Err(Errno::FBIG);
        }
        hash.update(&buffer[..end]);
        if end < buffer.len() {
            return Ok(into_words(hash));
        }
        end = read(&file, &mut *buffer)?;
    }
}

/// A finished hash as eight words.
fn into_words(hash: Sha256) -> FileHash {
    let bytes: [u8; 32] = hash.finalize().into();
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|number| u32::from_be_bytes(words[number]))
}

/// The initial hash value of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The SHA-256 of the first `length` bytes of a buffer, if there is room after them for the padding: a bit, zeros, and the length in
/// bits (FIPS 180-4, 5.1.1). [`Sha256`] copies its input block by block, which for a small file takes longer than the rest.
fn hash_in_place(buffer: &mut [u8], length: usize) -> Option<FileHash> {
    let end = (length + 9).next_multiple_of(64);
    let (text, padding) = buffer.get_mut(..end)?.split_at_mut(length);
    let bits = u64::try_from(text.len()).ok()? * 8;
    let (zeros, last) = padding.split_last_chunk_mut()?;
    zeros.fill(0);
    zeros[0] = 0x80;
    *last = bits.to_be_bytes();
    let mut sum = INITIAL;
    compress256(&mut sum, buffer[..end].as_chunks().0);
    Some(sum)
}
