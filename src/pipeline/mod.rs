//! Loads pipeline files.
