//! Microsoft Defender XDR incidents into Vector, and any log into Microsoft Sentinel.
//!
//! A file names only modules on lower rows of this map; `tests/structure.rs` checks it.
//!
//! | row | module | what it is for |
//! |---|---|---|
//! | 7 | `cli` | one file a subcommand |
//! | 7 | [`simulator`] | fake Entra ID, Graph and Logs Ingestion over real sockets, for `demo`, `simulate` and the tests |
//! | 1 | [`clock`], [`secret`] | leaves anyone may use |

pub mod clock;
pub mod pipeline;
pub mod secret;
pub mod simulator;
