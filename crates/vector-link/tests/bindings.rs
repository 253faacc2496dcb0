//! The bindings of Vector's protocol are what its `.proto` files say. Nothing but this test needs a protocol compiler.

use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol")
}

/// With `UPDATE_BINDINGS=1` in the environment, mends what it finds wrong.
#[test]
fn the_bindings_are_what_the_proto_files_say() {
    let out = tempfile::tempdir().unwrap();
    let files = protox::compile(["vector.proto", "event.proto"], [folder()]).unwrap();
    tonic_prost_build::configure().out_dir(out.path()).bytes(".").btree_map(".").compile_fds(files).unwrap();
    for name in ["event.rs", "vector.rs"] {
        let wanted = std::fs::read_to_string(out.path().join(name)).unwrap();
        let path = folder().join("generated").join(name);
        if std::env::var_os("UPDATE_BINDINGS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "{name} is not current: run UPDATE_BINDINGS=1 cargo test -p vector-link --test bindings"
        );
    }
}
