use super::*;

/// A program that is called `vector` and does what `script` says.
fn program(dir: &Path, script: &str) -> PathBuf {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/tests/fake_vector.sh");
    std::os::unix::fs::symlink(program, dir.join("vector")).unwrap();
    std::fs::write(dir.join("script"), script).unwrap();
    dir.join("vector")
}

fn environment(variables: &[(&str, &Path)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), value.to_str().unwrap().to_owned())).collect()
}

async fn find(script: &str) -> Result<Binary, BinaryError> {
    let dir = tempfile::tempdir().unwrap();
    Binary::find(Some(&program(dir.path(), script)), &BTreeMap::new(), &Clock::system()).await
}

#[test]
fn what_is_given_goes_before_the_environment_and_that_before_the_path() {
    let [given, variable, first, second] = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let [given, variable, second] = [given, variable, second].map(|dir| (program(dir.path(), ""), dir));
    // It is on the PATH and has the name, but nobody can run it.
    std::fs::write(first.path().join("vector"), "").unwrap();
    let path = std::env::join_paths([first.path(), second.1.path()]).unwrap();
    let both = environment(&[("VECTOR_BIN", &variable.0), ("PATH", Path::new(&path))]);
    let path = environment(&[("VECTOR_BIN", Path::new("")), ("PATH", Path::new(&path))]);
    assert_eq!(locate(Some(&given.0), &both).unwrap(), given.0);
    assert_eq!(locate(None, &both).unwrap(), variable.0);
    assert_eq!(locate(None, &path).unwrap(), second.0);
}

#[test]
fn what_cannot_be_found_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plain"), "").unwrap();
    let cases = [
        (environment(&[]), "https://vector.dev/docs/setup/installation/ or name it with --vector-bin"),
        (environment(&[("PATH", dir.path())]), "no vector on the PATH"),
        (
            environment(&[("VECTOR_BIN", &dir.path().join("gone"))]),
            "gone is not there. It is named by the environment",
        ),
        (environment(&[("VECTOR_BIN", &dir.path().join("plain"))]), "plain cannot be executed"),
        (environment(&[("VECTOR_BIN", dir.path())]), "name the file `vector` in it"),
    ];
    for (environment, expected) in cases {
        let error = locate(None, &environment).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(
        locate(Some(Path::new("/gone")), &BTreeMap::new()).unwrap_err().to_string().ends_with("--vector-bin")
    );
}

#[tokio::test]
async fn the_version_is_read_and_judged() {
    let cases = [
        ("vector 0.57.0 (x86_64-unknown-linux-gnu 53b2d11 2026-09-01)", Ok(((0, 57, 0), false))),
        ("vector 0.57.12", Ok(((0, 57, 12), false))),
        ("vector 0.58.0-nightly (x)", Ok(((0, 58, 0), true))),
        ("vector 0.40.0", Ok(((0, 40, 0), true))),
        ("vector 1.2.3", Ok(((1, 2, 3), true))),
        ("vector 0.39.2", Err("is too old: install 0.40 or later")),
        ("vector 0.57", Err("is not Vector")),
        ("vectorize 3.0.0", Err("it ended with exit status: 0 and said \"vectorize 3.0.0\"")),
        ("", Err("is not Vector")),
    ];
    for (line, expected) in cases {
        match (find(&format!("echo '{line}'")).await, expected) {
            (Ok(binary), Ok((version, warned))) => {
                assert_eq!((binary.version, binary.warning().is_some()), (version, warned), "{line}");
            }
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, _) => panic!("{line}: {found:?}"),
        }
    }
    let error = find("echo vector 0.57.0; exit 3").await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3"), "{error}");
}

#[tokio::test]
async fn what_cannot_run_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vector");
    std::fs::write(&path, "neither a program nor a script").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = Binary::find(Some(&path), &BTreeMap::new(), &Clock::system()).await.unwrap_err().to_string();
    assert!(error.contains("cannot be run") && error.contains("built for this machine"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_not_waited_for() {
    let error = find("exec sleep 1000").await.unwrap_err().to_string();
    assert!(error.contains("did not end within 10 s. Is it Vector"), "{error}");
}

#[tokio::test]
async fn what_vector_says_about_a_configuration_is_told_without_the_noise() {
    let script = r#"
        [ "$1" = --version ] && { echo vector 0.57.0; exit; }
        printf '√ Loaded ["c.yaml"]\n\nTransform errors\n----------------\nx Transform "r": \nerror[E204]\n\n\n'
        echo "$@"
        echo 'a log line' >&2
        exit 78"#;
    let dir = tempfile::tempdir().unwrap();
    let binary =
        Binary::find(Some(&program(dir.path(), script)), &BTreeMap::new(), &Clock::system()).await.unwrap();
    let told = binary.validate(Path::new("c.yaml"), true).await.unwrap_err().to_string();
    assert_eq!(
        told,
        "Transform errors\nx Transform \"r\":\nerror[E204]\n\n\n--color never validate --no-environment \
         --dangerously-allow-env-var-interpolation --config-yaml c.yaml"
    );
}

#[test]
fn a_version_that_does_not_know_the_argument_is_not_given_it() {
    let binary = |version| Binary { path: "vector".into(), version, clock: Clock::system() };
    assert!(binary((0, 57, 0)).interpolation(true).is_some());
    assert!(binary((0, 57, 0)).interpolation(false).is_none());
    assert!(binary((0, 56, 9)).interpolation(true).is_none());
}

#[tokio::test]
async fn the_real_vector_tells_a_wrong_configuration() {
    let Ok(binary) = Binary::find(None, &std::env::vars().collect(), &Clock::system()).await else {
        // Past the test runner, which hides what tests print that pass.
        let line = b"\nSKIPPED: there is no Vector: set VECTOR_BIN, or put it on the PATH\n";
        std::io::Write::write_all(&mut std::io::stderr(), line).unwrap();
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("vector.yaml");
    let text =
        "sources: {in: {type: demo_logs, format: json}}\nsinks: {out: {type: blackhole, inputs: [in]}}\n";
    std::fs::write(&config, text).unwrap();
    for allow_env in [false, true] {
        binary.validate(&config, allow_env).await.unwrap();
    }
    std::fs::write(&config, text.replace("[in]", "[inn]")).unwrap();
    let told = binary.validate(&config, false).await.unwrap_err().to_string();
    assert!(told.ends_with("x Input \"inn\" for sink \"out\" doesn't match any components."), "{told}");
}
