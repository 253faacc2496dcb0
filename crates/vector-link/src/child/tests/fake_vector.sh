#!/bin/sh
# A program for tests to link to, that does what the file `script` beside the link says. Tests do not write programs
# themselves: one that another thread of the test has just written cannot be run while a third one starts a process.
cd "$(dirname "$0")" || exit 1
. ./script
