//! Exit codes of sysexits(3).

use std::io::ErrorKind;
use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: it did what it was for.
    Fine,
    /// 1: it ran, and what it was to show did not happen.
    Failed,
    /// 64: the arguments are wrong.
    Usage,
    /// 65: what it was given to work on is wrong.
    Data,
    /// 69: something it needs is not to be had, such as a port.
    Unavailable,
    /// 73: a file or directory cannot be made.
    CannotCreate,
    /// 77: not permitted.
    NoPermission,
    /// 78: the configuration is wrong.
    Config,
}

impl Exit {
    /// The code for a system call that failed while starting.
    pub fn of(error: &std::io::Error) -> Self {
        if error.kind() == ErrorKind::PermissionDenied { Self::NoPermission } else { Self::Unavailable }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Usage => 64,
            Exit::Data => 65,
            Exit::Unavailable => 69,
            Exit::CannotCreate => 73,
            Exit::NoPermission => 77,
            Exit::Config => 78,
        })
    }
}
