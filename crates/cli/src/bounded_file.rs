//! Files that others name: a device or a mistake must not fill the memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Of a file with a token for the admin API, which is far shorter.
pub(crate) const MAX_TOKEN_FILE_BYTES: u64 = 4096;

/// The text of a file.
///
/// # Errors
///
/// It cannot be read, is no text, or has more than `limit` bytes.
pub(crate) fn read_at_most(path: &Path, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"1234").expect("written");
        assert_eq!(read_at_most(file.path(), 4).expect("read"), "1234");
        for (path, kind) in [
            (file.path(), io::ErrorKind::FileTooLarge),
            (Path::new("/dev/zero"), io::ErrorKind::FileTooLarge),
            (Path::new("/missing"), io::ErrorKind::NotFound),
        ] {
            let error = read_at_most(path, 3).expect_err("not read");
            assert_eq!(error.kind(), kind, "{}", path.display());
        }
        file.write_all(b"\xff").expect("written");
        let error = read_at_most(file.path(), 9).expect_err("not read");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
