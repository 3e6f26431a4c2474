//! The admin API of a build without the feature `admin`: a configuration that asks for it is refused.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use super::config::{AdminConfig, AdminSocket};
use crate::accept::AcceptContext;
use crate::error::StartError;
use crate::state::ServerState;

const ABSENT: StartError = StartError::NotBuilt { feature: "admin" };

/// There is none.
pub(crate) enum AdminListener {}

impl AdminListener {
    pub(crate) async fn check(_: &AdminConfig, _: bool) -> Result<(), StartError> {
        Err(ABSENT)
    }

    pub(crate) async fn open(
        _: AdminConfig,
        _: Option<TcpListener>,
        _: &AcceptContext,
        _: &ServerState,
    ) -> Result<Self, StartError> {
        Err(ABSENT)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match *self {}
    }

    pub(crate) fn url(&self) -> String {
        match *self {}
    }

    pub(crate) async fn serve(&self) {
        match *self {}
    }
}

/// There is none either.
pub(crate) enum AdminSocketListener {}

impl AdminSocketListener {
    pub(crate) fn check(_: &AdminSocket) -> Result<(), StartError> {
        Err(ABSENT)
    }

    pub(crate) fn open(
        _: &AdminSocket,
        _: &AcceptContext,
        _: &ServerState,
    ) -> Result<Self, StartError> {
        Err(ABSENT)
    }

    pub(crate) fn path(&self) -> &Path {
        match *self {}
    }

    pub(crate) async fn serve(&self) {
        match *self {}
    }
}
