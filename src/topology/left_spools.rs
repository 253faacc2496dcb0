//! Spools that no sink of the file delivers: their sink was renamed, or taken out, while rows waited.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use runtime::files::{DataDir, FileKind, if_there};
use runtime::spool::{DIR_NAME, segment_bytes};
use tracing::error;

use super::plan::Plan;

/// Logs an error for each spool with rows in it whose sink is not in `plan`.
pub(super) async fn report(data_dir: &DataDir, plan: &Plan) {
    let (ids, dir): (BTreeSet<String>, _) =
        (plan.sinks.iter().map(|sink| sink.id.clone()).collect(), data_dir.clone());
    let found = data_dir.off_thread.run(move || left(&dir, &ids)).await;
    match found {
        Ok(Ok(left)) => {
            for (id, dir, bytes) in left {
                error!(
                    bytes,
                    "Rows wait in {} for a sink '{id}' that the file does not have: add a sink of that name and of type \
                     sentinel_logs, or stop, and give the directory the name of the sink that shall deliver them.",
                    dir.display()
                );
            }
        }
        Ok(Err(failure)) => error!("Cannot see whether rows wait in {}: {failure}", data_dir.path.display()),
        // The process is ending.
        Err(_) => {}
    }
}

/// The sinks, directories and bytes of spools that are of no sink in `ids`.
fn left(data_dir: &DataDir, ids: &BTreeSet<String>) -> io::Result<Vec<(String, PathBuf, u64)>> {
    let files = &data_dir.files;
    let mut left = Vec::new();
    for sink in if_there(files.list(&data_dir.path.join(DIR_NAME)))?.unwrap_or_default() {
        let id = sink.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if sink.kind != FileKind::Dir || ids.contains(&id) {
            continue;
        }
        let mut bytes = 0;
        for lane in files.list(&sink.path)? {
            if lane.kind == FileKind::Dir {
                bytes += files.list(&lane.path)?.iter().filter_map(segment_bytes).sum::<u64>();
            }
        }
        if bytes > 0 {
            left.push((id, sink.path, bytes));
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_of_a_sink_that_is_not_there_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        for (sink, bytes) in [("here", 5), ("gone", 7), ("empty", 0)] {
            let lane = dir.path().join("spool").join(sink).join("dcr-1+Custom-A_CL");
            std::fs::create_dir_all(&lane).unwrap();
            std::fs::write(lane.join("lock"), "").unwrap();
            std::fs::write(lane.join("000000000000.spool"), vec![0; bytes]).unwrap();
        }
        let found = left(&dir.path().into(), &["here".to_owned()].into()).unwrap();
        assert_eq!(found, [("gone".to_owned(), dir.path().join("spool/gone"), 7)]);
        assert!(left(&dir.path().join("none").into(), &BTreeSet::new()).unwrap().is_empty());
    }
}
