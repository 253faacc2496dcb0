//! The simulator as a client sees it.
