//! The `lockgate` binary: starts the runtime and hands over to the library.

use std::process::ExitCode;

use lockgate::cli;
use lockgate::error::{self, Error, ExitStatus};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(arguments) => run(arguments).into(),
        Err(status) => status.into(),
    }
}

fn run(arguments: cli::Arguments) -> ExitStatus {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(arguments, &mut cli::stdout())),
        Err(error) => Err(Error::Internal(format!("no runtime: {error}"))),
    };
    result.unwrap_or_else(|error| report(&error))
}

/// Reports why it did not work, unless the output is closed.
fn report(error: &Error) -> ExitStatus {
    if error.is_broken_pipe() {
        return ExitStatus::Agreed;
    }
    // When standard error is gone as well, only the exit code is left.
    drop(error::print_last(error));
    error.exit_code()
}
