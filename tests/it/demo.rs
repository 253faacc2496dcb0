//! The demo, as a stranger types it.

use crate::harness::{PATIENCE, program};

#[tokio::test]
async fn the_demo_ends_by_itself_and_says_that_every_row_arrived_exactly_once() {
    let arguments = ["demo", "--seconds", "4", "--incidents", "120", "--changes-per-minute", "300"];
    let output = tokio::time::timeout(PATIENCE, program().args(arguments).output()).await.unwrap().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.ends_with("Every row arrived exactly once.\n"), "{stdout}");
    // Not a terminal: plain lines.
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
    assert!(stdout.lines().filter(|line| line.starts_with("things happen: ")).count() >= 2, "{stdout}");
}
