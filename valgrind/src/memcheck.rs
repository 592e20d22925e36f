//! What memcheck is told and what its answer means.
//!
//! Called by the `memory` program.

use std::ffi::OsString;
use std::path::Path;

use tidegate_tests::fuzz::child::Ended;

use crate::Failure;

/// Arguments that make any error and any definite leak an exit code, and send the report to a file.
pub fn arguments(report: &Path) -> Vec<OsString> {
    let mut log: OsString = "--log-file=".into();
    log.push(report);
    let code = format!("--error-exitcode={ERROR_CODE}");
    vec![log, code.into(), "--leak-check=full".into(), "--errors-for-leak-kinds=definite".into()]
}

/// Whether a run that ended so was free of errors.
///
/// # Errors
/// It was not; the sentence holds memcheck's report.
pub fn verdict(ended: Ended, report: &str) -> Result<(), Failure> {
    match ended {
        Ended::Code(0) => Ok(()),
        Ended::Code(ERROR_CODE) => Err(format!("memcheck found errors:\n{report}")),
        other => Err(format!("the worker ended by {other} under memcheck:\n{report}")),
    }
}

/// Of no meaning to the worker.
const ERROR_CODE: i32 = 99;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_0_is_free_of_errors() {
        assert!(verdict(Ended::Code(0), "").is_ok());
        assert!(verdict(Ended::Code(99), "Invalid read").is_err_and(|said| said.contains("Invalid read")));
        assert!(verdict(Ended::Signal(11), "").is_err());
    }
}
