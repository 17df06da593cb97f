//! `pgmarch`: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    pgmarch::main(std::env::args_os())
}
