//! A real disk.

use std::fs::{DirBuilder, OpenOptions, TryLockError};
use std::io::{Result, Write};
use std::path::Path;

use super::{File, FileKind, FileSystem, Listed, Open, OpenFile, if_there};

/// The machine's own files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl FileSystem for Disk {
    fn create_dir(&self, dir: &Path) -> Result<()> {
        create_private_dir(dir)
    }

    fn open(&self, path: &Path, how: Open) -> Result<File> {
        let mut options = OpenOptions::new();
        match how {
            Open::Read => options.read(true),
            Open::Append => private(options.read(true).append(true).create(true)),
            Open::Overwrite => options.write(true),
        };
        Ok(Box::new(options.open(path)?))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Listed>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            // Somebody may have just taken it away.
            let Some(metadata) = if_there(std::fs::metadata(entry.path()))? else { continue };
            all.push(Listed { path: entry.path(), kind: kind(&metadata) });
        }
        all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }

    fn look(&self, path: &Path) -> Result<Option<FileKind>> {
        Ok(if_there(std::fs::metadata(path))?.as_ref().map(kind))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        std::fs::File::open(dir)?.sync_all()
    }

    #[cfg(unix)]
    fn give_to_owner_of(&self, dir: &Path, path: &Path) {
        use std::os::unix::fs::{MetadataExt, chown};
        if let (Ok(dir), Ok(made)) = (std::fs::metadata(dir), std::fs::metadata(path))
            && dir.uid() != made.uid()
        {
            chown(path, Some(dir.uid()), Some(dir.gid())).ok();
        }
    }

    #[cfg(not(unix))]
    fn give_to_owner_of(&self, _: &Path, _: &Path) {}
}

impl OpenFile for std::fs::File {
    fn size(&self) -> Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn set_size(&mut self, size: u64) -> Result<()> {
        self.set_len(size)
    }

    fn sync_data(&mut self) -> Result<()> {
        Self::sync_data(self)
    }

    fn sync_all(&mut self) -> Result<()> {
        Self::sync_all(self)
    }

    fn lock(&self) -> Result<()> {
        Self::lock(self)
    }

    fn lock_shared(&self) -> Result<()> {
        Self::lock_shared(self)
    }

    fn try_lock(&self) -> Result<bool> {
        match Self::try_lock(self) {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn kind(metadata: &std::fs::Metadata) -> FileKind {
    match metadata {
        file if file.is_file() => FileKind::File(file.len()),
        dir if dir.is_dir() => FileKind::Dir,
        _ => FileKind::Other,
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes `dir` with all above it; what is made can be entered by its owner only.
pub fn create_private_dir(dir: &Path) -> Result<()> {
    let missing: Vec<_> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    // What is kept in it is lost with its name. Some file systems cannot be asked for that.
    for above in missing.iter().rev().filter_map(|made| made.parent()) {
        Disk.sync_dir(if above.as_os_str().is_empty() { Path::new(".") } else { above }).ok();
    }
    Ok(())
}

/// Writes a file that only its owner can read; whoever reads `name` gets the old file or the new one, never a part.
pub fn write_private_file(dir: &Path, name: &str, text: &str) -> Result<()> {
    let temporary = dir.join(format!("{name}.new"));
    let mut options = OpenOptions::new();
    let mut file = private(options.write(true).create(true).truncate(true)).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(temporary, dir.join(name))
}
