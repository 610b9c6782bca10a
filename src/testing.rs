//! What the tests and the fuzz targets use of the rooms. It must not be used in `src/`: it is no interface of the
//! program.
#![allow(missing_docs, reason = "each item is documented in its own room")]

pub mod auth {
    pub use crate::auth::{Error, METHODS};
}
pub mod ci {
    pub use crate::ci::SYSTEMS;
}
pub mod claims {
    pub use crate::claims::{Claims, Unusable};

    pub mod change {
        pub use crate::claims::change::change;
    }
    pub mod demands {
        pub use crate::claims::demands::{Extent, Row, Verdict, evaluate};
    }
    pub mod entry {
        pub use crate::claims::entry::jobs;
    }
    pub mod role {
        pub use crate::claims::role::Role;
    }
}
pub mod cli {
    pub use crate::cli::{command, parse};
}
pub mod cloud {
    pub mod aws {
        pub use crate::cloud::aws::Error;
    }
    pub mod gitlab {
        pub use crate::cloud::gitlab::Error;
    }
    pub mod scaleway {
        pub use crate::cloud::scaleway::{Error, ServerErrors};
    }
}
pub mod config {
    pub use crate::config::{Error, RotationError};

    pub mod setup {
        pub use crate::config::setup::Error;
    }
}
pub mod credentials {
    pub use crate::credentials::{Credentials, IssuedBy, Variable};
}
pub mod emit {
    pub use crate::emit::{Error, FORMATS, Format, Options, find};

    pub mod sink {
        pub use crate::emit::sink::{AFTER_A_CUT, Error, Failure};
    }
}
pub mod env {
    pub use crate::env::NotText;
}
pub mod error {
    pub use crate::error::{Code, Error};
}
pub mod exec {
    pub mod background {
        pub use crate::exec::background::Error;
    }
    pub mod limits {
        pub use crate::exec::limits::TooLarge;
    }
    pub mod mask {
        pub use crate::exec::mask::{Filter, MARK, Patterns};
    }
}
pub mod http {
    pub use crate::http::{
        Answer, Ca, Call, Cause, Endpoint, Error, Judgement, Pem, Proxy, Settings, Tls, is_loopback,
    };
}
pub mod input {
    pub use crate::input::Seems;
}
pub mod merge {
    pub use crate::merge::{Error, FORMS, Form, merged};
}
pub mod ledger {
    pub use crate::ledger::Ledger;

    pub mod state {
        pub use crate::ledger::state::{Configured, Content, Entry, Error, Seal, StateFile};
    }
}
pub mod options {
    pub use crate::options::*;
}
pub mod policy {
    pub use crate::policy::{Error, FILE, MachinePolicy, Refused};
}
pub mod process {
    pub use crate::process::ignores;
}
pub mod provider {
    pub use crate::provider::{Effect, Error, Failed, Need, PROVIDERS, Settings, aws, scaleway};
}
pub mod reference {
    pub use crate::reference::{Fault, Reference, Value, parse};
}
pub mod scan {
    pub use crate::scan::{Error, Lines};
}
pub mod secret {
    pub use crate::secret::Secret;
}
pub mod session {
    pub use crate::session::Error;
}
pub mod shutdown {
    pub use crate::shutdown::{Shutdown, Stopped};
}
pub mod text {
    pub use crate::text::LONGEST_TEXT;
}
pub mod vault {
    pub use crate::vault::{Data, Envelope, Error, Server, ServerErrors, WithHints, judge, now, readable};
}
