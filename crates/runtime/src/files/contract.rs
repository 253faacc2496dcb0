//! What both disks have to do: one suite.

use std::collections::BTreeSet;
use std::io::SeekFrom;

use super::*;

fn append(disk: &dyn FileSystem, path: &Path, text: &str) -> Result<()> {
    let mut file = disk.open(path, Open::Append)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

fn read(disk: &dyn FileSystem, path: &Path) -> Result<String> {
    let mut text = String::new();
    disk.open(path, Open::Read)?.read_to_string(&mut text)?;
    Ok(text)
}

fn kind_of<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// The suite. `root` is a directory that is not there yet.
fn check_contract(disk: &dyn FileSystem, root: &Path) {
    let at = |name: &str| root.join("a").join(name);
    assert_eq!(disk.look(root).unwrap(), None);
    assert_eq!(kind_of(disk.list(root)), Some(ErrorKind::NotFound));
    assert_eq!(kind_of(disk.open(&at("1"), Open::Append)), Some(ErrorKind::NotFound));
    disk.create_dir(&root.join("a")).unwrap();
    disk.create_dir(&root.join("a")).unwrap();
    assert_eq!(disk.look(root).unwrap(), Some(FileKind::Dir));

    // A file is made when it is appended to, and not otherwise.
    for how in [Open::Read, Open::Overwrite] {
        assert_eq!(kind_of(disk.open(&at("1"), how)), Some(ErrorKind::NotFound));
    }
    append(disk, &at("1"), "one\n").unwrap();
    append(disk, &at("1"), "two\n").unwrap();
    disk.sync_dir(&root.join("a")).unwrap();
    assert_eq!(read(disk, &at("1")).unwrap(), "one\ntwo\n");
    assert_eq!(disk.look(&at("1")).unwrap(), Some(FileKind::File(8)));
    assert!(disk.create_dir(&at("1").join("below")).is_err());

    // What is appended is at the end, wherever was read; what is written over is where it was looked for.
    let mut file = disk.open(&at("1"), Open::Append).unwrap();
    file.seek(SeekFrom::Start(4)).unwrap();
    let mut three = [0; 3];
    file.read_exact(&mut three).unwrap();
    assert_eq!(&three, b"two");
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(b"three").unwrap();
    assert_eq!((file.size().unwrap(), read(disk, &at("1")).unwrap()), (13, "one\ntwo\nthree".to_owned()));
    file.set_size(8).unwrap();
    drop(file);
    let mut file = disk.open(&at("1"), Open::Overwrite).unwrap();
    file.seek(SeekFrom::Start(4)).unwrap();
    file.write_all(b"   ").unwrap();
    file.sync_data().unwrap();
    assert!(file.read(&mut three).is_err());
    drop(file);
    assert_eq!(read(disk, &at("1")).unwrap(), "one\n   \n");
    assert!(disk.open(&at("1"), Open::Read).unwrap().write(b"x").is_err());

    // Names.
    append(disk, &at("10"), "").unwrap();
    append(disk, &at("2"), "new").unwrap();
    disk.create_dir(&at("dir")).unwrap();
    let listed = |disk: &dyn FileSystem| -> Vec<_> {
        disk.list(&root.join("a")).unwrap().into_iter().map(|Listed { path, kind }| (path, kind)).collect()
    };
    let expected = [
        ("1", FileKind::File(8)),
        ("10", FileKind::File(0)),
        ("2", FileKind::File(3)),
        ("dir", FileKind::Dir),
    ];
    assert_eq!(listed(disk), expected.map(|(name, kind)| (at(name), kind)));
    let open = disk.open(&at("1"), Open::Read);
    disk.rename(&at("2"), &at("1")).unwrap();
    disk.remove(&at("10")).unwrap();
    assert_eq!(
        listed(disk),
        [("1", FileKind::File(3)), ("dir", FileKind::Dir)].map(|(name, kind)| (at(name), kind))
    );
    let mut text = String::new();
    open.unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "one\n   \n", "who has it open reads on");
    assert_eq!(kind_of(disk.remove(&at("10"))), Some(ErrorKind::NotFound));
    assert_eq!(kind_of(disk.rename(&at("10"), &at("1"))), Some(ErrorKind::NotFound));

    // Locks.
    let opened = || disk.open(&at("lock"), Open::Append).unwrap();
    let (first, second) = (opened(), opened());
    assert!(first.try_lock().unwrap());
    assert!(!second.try_lock().unwrap());
    drop(first);
    second.lock_shared().unwrap();
    opened().lock_shared().unwrap();
    assert!(!opened().try_lock().unwrap());
    drop(second);
    std::thread::scope(|threads| {
        let first = opened();
        first.lock().unwrap();
        let waiting = threads.spawn(|| opened().lock().unwrap());
        assert!(!opened().try_lock().unwrap());
        drop(first);
        waiting.join().unwrap();
    });
}

#[test]
fn a_real_disk_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    check_contract(&Disk, &dir.path().join("root"));
}

#[test]
fn a_disk_in_memory_keeps_the_contract() {
    check_contract(&MemoryDisk::default(), Path::new("/data/root"));
}

#[test]
fn a_full_disk_takes_what_there_is_room_for() {
    let disk = MemoryDisk::with_room(10);
    let path = Path::new("/a/1");
    disk.create_dir(Path::new("/a")).unwrap();
    append(&disk, path, "12345678").unwrap();
    assert_eq!(kind_of(append(&disk, path, "90abc")), Some(ErrorKind::StorageFull));
    assert_eq!(read(&disk, path).unwrap(), "1234567890");
    disk.open(path, Open::Overwrite).unwrap().write_all(b"x").unwrap();
    disk.remove(path).unwrap();
    append(&disk, path, "again").unwrap();
}

#[test]
fn a_crash_takes_what_was_not_synced_and_nothing_else() {
    let (mut whole, mut names) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..200 {
        let disk = MemoryDisk::default();
        let (dir, path) = (Path::new("/a/b"), Path::new("/a/b/1"));
        disk.create_dir(dir).unwrap();
        append(&disk, path, "safe").unwrap();
        disk.sync_dir(dir).unwrap();
        let mut before = disk.open(path, Open::Append).unwrap();
        before.write_all(b"unsafe").unwrap();
        append(&disk, Path::new("/a/b/2"), "of no name").unwrap();
        disk.crash(&mut fastrand::Rng::with_seed(seed));
        assert!(before.write_all(b"later").is_err(), "it was opened before");
        let text = read(&disk, path).unwrap();
        assert!(text.starts_with("safe") && "safeunsafe".starts_with(&text), "{text}");
        whole.insert(text);
        names.insert(disk.look(Path::new("/a/b/2")).unwrap().is_some());
    }
    assert!(whole.len() > 4 && names.len() == 2, "{whole:?} {names:?}");
}

#[test]
fn without_power_nothing_is_done_until_it_comes_again() {
    let disk = MemoryDisk::default();
    disk.create_dir(Path::new("/a")).unwrap();
    disk.fuse(2);
    assert!(append(&disk, Path::new("/a/1"), "text").is_err());
    assert!(disk.look(Path::new("/a")).is_err());
    disk.crash(&mut fastrand::Rng::with_seed(0));
    append(&disk, Path::new("/a/1"), "text").unwrap();
}
