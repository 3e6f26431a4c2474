//! The command line of `wigwag serve`. Flags are for the common settings; the file and the environment have all.

use std::env;
use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::flags::FLAGS;
use super::settings::{Settings, find};
use super::sources::{FromFlag, Sources};
use super::value::Given;

/// What `wigwag serve` is told.
#[derive(Args, Debug)]
pub struct ServeArguments {
    /// Address or name to listen on ("::" is every address, IPv4 and IPv6) [default: 0.0.0.0]
    #[arg(long, value_parser = of("host"), help_heading = LISTENING)]
    host: Option<String>,

    /// TCP port; 0 lets the system choose one, which is printed [default: 8443]
    #[arg(short, long, value_parser = of("port"), help_heading = LISTENING)]
    port: Option<String>,

    /// TCP port for the text protocol (HELLO, SESSION, ROOM) alone, at any path, besides /text on the port above; 0
    /// lets the system choose one, which is printed
    #[arg(long, value_name = "PORT", value_parser = of("text_port"), help_heading = LISTENING)]
    text_port: Option<String>,

    /// TCP port for the admin API, which is on the loopback interface unless admin.host says otherwise [default: none]
    #[arg(long, value_name = "PORT", value_parser = of("admin.port"), help_heading = LISTENING)]
    admin_port: Option<String>,

    /// Unix socket for the admin API, for the user of the server alone; needs no token [default: none]
    #[arg(long, value_name = "PATH", help_heading = LISTENING)]
    admin_socket: Option<String>,

    /// Certificate and chain (PEM): serves wss and https
    #[arg(short, long, value_name = "FILE", help_heading = TLS)]
    cert: Option<String>,

    /// Private key of the certificate (PEM, not encrypted)
    #[arg(short, long, value_name = "FILE", help_heading = TLS)]
    key: Option<String>,

    /// Orders a certificate for this name (ACME) in the place of --cert and --key; repeat it, or use commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new(), help_heading = TLS)]
    acme_domain: Vec<String>,

    /// Asks clients for certificates from these authorities (PEM)
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    client_ca: Option<String>,

    /// Silence after which a client is pinged, in seconds or as "500ms"; it has 30 s to answer [default: 30]
    #[arg(long, value_name = "TIME", value_parser = of("limits.ping_interval"), help_heading = CLIENTS)]
    keepalive_timeout: Option<String>,

    /// Lets browsers connect from pages of this origin too, such as `https://example.org`, besides those of the same host
    /// and of the browser's machine; "*": from any; repeat it, or use commas
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = of("allowed_origins"), help_heading = CLIENTS)]
    allowed_origin: Vec<String>,

    /// Lets browsers ask for the server by this name too, such as `cam.example.org` or `*.example.org`, besides addresses and
    /// the names of the machine and the certificate; "*": by any; repeat it, or use commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = of("allowed_hosts"), help_heading = CLIENTS)]
    allowed_host: Vec<String>,

    /// Lets pages of this origin show the page in a frame, such as `https://home.example`; repeat it, or use commas
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = of("page.frame_ancestors"), help_heading = CLIENTS)]
    frame_ancestor: Vec<String>,

    /// Lets links to the page name a signalling server at this host, such as `*.example.org`, besides the page's own host; for
    /// others the page asks first; repeat it, or use commas
    #[arg(long, value_name = "HOST", value_delimiter = ',', value_parser = of("page.signalling_hosts"), help_heading = CLIENTS)]
    page_signalling_host: Vec<String>,

    /// Believes proxies in this network, such as 10.0.0.0/8, whose requests they bring; repeat it, or use commas
    #[arg(long, value_name = "NETWORK", value_delimiter = ',', value_parser = of("trusted_proxies"), help_heading = CLIENTS)]
    trusted_proxy: Vec<String>,

    /// Lets only producers call passive consumers; the reference lets any peer
    #[arg(long, help_heading = CLIENTS)]
    only_producers_call_consumers: bool,

    /// Lines of the log: "text" for people, "json" for programs [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = of("log_format"), help_heading = OPERATION)]
    log_format: Option<String>,

    /// Settings in TOML; flags and environment variables (WIGWAG_PORT, WIGWAG_LIMITS_MAX_PEERS) go before them
    #[arg(long, value_name = "FILE", help_heading = OPERATION)]
    config: Option<PathBuf>,

    #[command(flatten)]
    instead: Instead,
}

/// What to do instead of serving.
#[derive(Args, Debug)]
#[group(multiple = false)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Instead {
    /// Checks settings, certificate and addresses without listening, and prints what is in force and whence it came
    #[arg(long, help_heading = INSTEAD)]
    pub(super) check: bool,

    /// Prints a settings file with every setting and its default
    #[arg(long, help_heading = INSTEAD)]
    pub(super) print_config: bool,

    /// Asks the server that runs with these settings on this machine whether it lives; exit code 0 if so
    #[arg(long, help_heading = INSTEAD)]
    pub(super) check_health: bool,
}

const LISTENING: &str = "Listening";
const TLS: &str = "TLS";
const CLIENTS: &str = "Clients";
const OPERATION: &str = "Operation";
const INSTEAD: &str = "Instead of serving";

impl ServeArguments {
    /// Where the settings are to be read from, now and at each reload.
    pub(super) fn sources(&self) -> Sources {
        Sources::new(self.config.clone(), self.flags(), env::vars_os())
    }

    pub(super) fn instead(&self) -> &Instead {
        &self.instead
    }

    fn flags(&self) -> Vec<FromFlag> {
        let list = |items: &[String]| (!items.is_empty()).then(|| items.join(","));
        let switch = |on: bool| on.then(|| "true".to_owned());
        let values = [
            self.host.clone(),
            self.port.clone(),
            self.text_port.clone(),
            self.admin_port.clone(),
            self.admin_socket.clone(),
            self.cert.clone(),
            self.key.clone(),
            list(&self.acme_domain),
            self.client_ca.clone(),
            self.keepalive_timeout.clone(),
            list(&self.allowed_origin),
            list(&self.allowed_host),
            list(&self.frame_ancestor),
            list(&self.page_signalling_host),
            list(&self.trusted_proxy),
            switch(self.only_producers_call_consumers),
            self.log_format.clone(),
        ];
        FLAGS
            .into_iter()
            .zip(values)
            .filter_map(|((key, flag), value)| {
                Some(FromFlag {
                    key,
                    flag,
                    value: value?,
                })
            })
            .collect()
    }
}

/// Reads a flag as its setting would be, so that a mistake is one of the command line.
fn of(key: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync {
    move |value| {
        let setting = find(key).expect("a flag is for a setting");
        let given = Given::Word(value.to_owned());
        (setting.read)(&mut Settings::default(), &given, None)?;
        Ok(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArguments,
    }

    /// What a flag's setting shows after a command line.
    fn shown(flag: &str, line: &[&str]) -> String {
        let line = Line::try_parse_from([&["serve"], line].concat()).expect("a command line");
        let [from] = line.serve.flags().try_into().expect("one flag");
        assert_eq!(from.flag, flag);
        let setting = find(from.key).expect("a setting");
        let mut settings = Settings::default();
        (setting.read)(&mut settings, &Given::Word(from.value), None).expect("a value");
        (setting.show)(&settings).expect("a value")
    }

    #[test]
    fn every_flag_reaches_its_setting() {
        for (_, flag) in FLAGS {
            let (value, expected) = match flag {
                "host" => ("::1", "\"::1\""),
                "port" | "text-port" | "admin-port" => ("1", "1"),
                "admin-socket" | "cert" | "key" | "client-ca" => ("file.pem", "\"file.pem\""),
                "acme-domain" => ("a,b", "[\"a\", \"b\"]"),
                "keepalive-timeout" => ("5", "\"5s\""),
                "allowed-origin" => ("null", "[\"null\"]"),
                "allowed-host" => ("*.a,b", "[\"*.a\", \"b\"]"),
                "frame-ancestor" => ("http://a:*", "[\"http://a:*\"]"),
                "page-signalling-host" => ("a", "[\"a\"]"),
                "trusted-proxy" => ("10.0.0.0/8", "[\"10.0.0.0/8\"]"),
                "log-format" => ("json", "\"json\""),
                "only-producers-call-consumers" => ("", "true"),
                other => panic!("--{other} is not tried"),
            };
            let long = format!("--{flag}");
            let line = [long.as_str(), value];
            let words = if value.is_empty() { 1 } else { 2 };
            assert_eq!(shown(flag, &line[..words]), expected, "--{flag}");
        }
    }

    #[test]
    fn a_list_is_given_by_commas_or_again_and_again() {
        let line = ["--acme-domain", "a,b", "--acme-domain", "c"];
        assert_eq!(shown("acme-domain", &line), "[\"a\", \"b\", \"c\"]");
    }

    #[test]
    fn an_order_of_a_certificate_for_nobody_is_refused() {
        for none in ["", ",", "a,", ",a"] {
            let line = Line::try_parse_from(["serve", "--acme-domain", none]);
            assert!(line.is_err(), "\"{none}\"");
        }
    }

    #[test]
    fn help_tells_the_defaults_as_they_are() {
        let command = Line::command();
        for (key, flag) in FLAGS {
            let argument = command
                .get_arguments()
                .find(|of| of.get_long() == Some(flag));
            let help = argument
                .and_then(|of| of.get_help())
                .expect("help")
                .to_string();
            let told = help
                .split_once("[default: ")
                .map(|(_, rest)| rest.trim_end_matches(']'));
            let setting = find(key).expect("a setting");
            let default = (setting.show)(&Settings::default());
            if let (Some(told), Some(default)) = (told, default) {
                let default = default.trim_matches('"').to_owned();
                // The one time among them is in seconds.
                let default = default.strip_suffix('s').unwrap_or(&default);
                assert_eq!(told, default, "--{flag}");
            }
        }
    }
}
