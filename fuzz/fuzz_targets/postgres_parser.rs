#![no_main]

#[path = "../postgres_parser.rs"]
mod postgres_parser;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| postgres_parser::postgres_parser(bytes));
