//! What keeps an incident the same in Defender and in Sentinel: the two vocabularies, the three-way merge, and what both
//! sides agreed on last. Pure: who reads, who writes and where it is kept is said elsewhere.
//!
//! | file | what it is for |
//! |---|---|
//! | `field` | sides, and the fields that are kept in sync |
//! | `snapshot`, `defender`, `sentinel` | what an incident's event says about those fields, in its own side's words |
//! | `unreadable` | why a text says nothing of an incident |
//! | `mapping`, `owners` | one side's words in the other's |
//! | `record` | what is known of one incident on both sides: the agreed values, which comment is a copy of which |
//! | `merge` | what must be written on a side, and why |
//! | `comment` | which comments must be copied |

pub mod comment;
pub mod defender;
pub mod field;
pub mod mapping;
pub mod merge;
pub mod options;
pub mod owners;
pub mod record;
pub mod sentinel;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod unreadable;
