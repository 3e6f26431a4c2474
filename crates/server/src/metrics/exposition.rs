//! The counters as text, in the OpenMetrics format that Prometheus reads.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::counters::{ByReason, Counter, Metrics, Protocol, ProtocolMetrics};
use super::snapshot::Snapshot;

/// All metrics as text.
pub(crate) fn exposition(metrics: Arc<Metrics>, snapshot: Snapshot) -> String {
    let mut registry = Registry::with_prefix("wigwag");
    registry.register_collector(Box::new(Scrape { metrics, snapshot }));
    let mut written = String::new();
    text::encode(&mut written, &registry).expect("a String takes everything");
    written
}

#[derive(Debug)]
struct Scrape {
    metrics: Arc<Metrics>,
    snapshot: Snapshot,
}

type Written = Result<(), fmt::Error>;

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Written {
        let mut out = Writer(encoder);
        self.write_server(&mut out)?;
        self.write_present(&mut out)?;
        self.write_traffic(&mut out)?;
        self.write_tls(&mut out)?;
        self.write_ends(&mut out)
    }
}

impl Scrape {
    fn write_server(&self, out: &mut Writer<'_>) -> Written {
        let metrics = &self.metrics;
        let version = env!("CARGO_PKG_VERSION");
        let build = [("version", version, 1)];
        out.gauges("build_info", "Always 1; its label is the version", build)?;
        let started = "When the server started, in seconds since 1970";
        out.time("start_time_seconds", started, metrics.started())?;
        let queue = "Messages that waited for one peer, the most since the start";
        let most = metrics.queue_messages.get();
        out.gauge("queue_messages_high_water", queue, most)?;
        let queue = "Bytes that waited for one peer, the most since the start";
        let most = metrics.queue_bytes.get();
        out.gauge("queue_bytes_high_water", queue, most)
    }

    fn write_present(&self, out: &mut Writer<'_>) -> Written {
        let Snapshot {
            connections,
            addresses,
            held_bytes,
            json,
            text,
            tls: _,
        } = &self.snapshot;
        out.gauge("connections", "Connections now, of any kind", *connections)?;
        let known = "Addresses whose connections are counted now";
        out.gauge("addresses", known, *addresses)?;
        let held = "Bytes held for messages that came in part or wait for slow readers";
        out.gauge("held_bytes", held, *held_bytes)?;
        let both = |json, text| [("protocol", "json", json), ("protocol", "text", text)];
        let peers = both(json.peers, text.peers);
        out.gauges("peers", "Peers connected now", peers)?;
        let sessions = both(json.sessions, text.sessions);
        out.gauges("sessions", "Sessions running now", sessions)?;
        out.gauge("producers", "Producers connected now", json.producers)?;
        let consumers = "Passive consumers connected now";
        out.gauge("consumers", consumers, json.consumers)?;
        out.gauge("listeners", "Listeners connected now", json.listeners)?;
        let meta = "Bytes of the metas of all peers now";
        out.gauge("meta_bytes", meta, json.meta_bytes)?;
        out.gauge("rooms", "Rooms with members now", text.rooms)
    }

    fn write_traffic(&self, out: &mut Writer<'_>) -> Written {
        out.per_protocol(self, "messages_received", "Messages received", |of| {
            &of.messages_received
        })?;
        out.per_protocol(
            self,
            "received_bytes",
            "Bytes of the messages received",
            |of| &of.bytes_received,
        )?;
        out.per_protocol(self, "messages_sent", "Messages sent", |of| {
            &of.messages_sent
        })?;
        out.per_protocol(self, "sent_bytes", "Bytes of the messages sent", |of| {
            &of.bytes_sent
        })?;
        out.per_protocol(
            self,
            "messages_malformed",
            "Messages that could not be understood",
            |of| &of.malformed,
        )
    }

    fn write_tls(&self, out: &mut Writer<'_>) -> Written {
        let Some(tls) = &self.snapshot.tls else {
            return Ok(());
        };
        let failed = "TLS handshakes that failed or took too long";
        out.family("tls_handshakes_failed", failed, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&tls.handshakes_failed, None)?;
        if let Some(expires) = tls.certificate_expires {
            let until = "Until when the certificate is valid, in seconds since 1970";
            out.time("tls_certificate_expires_seconds", until, expires)?;
        }
        Ok(())
    }

    fn write_ends(&self, out: &mut Writer<'_>) -> Written {
        let metrics = &self.metrics;
        let accepted = "Connections accepted, of any kind";
        out.counter("connections_accepted", accepted, &metrics.accepted)?;
        let waits = "Times that the next connection had to wait for a place";
        out.counter("accept_waits", waits, &metrics.accept_waits)?;
        let errors = "Times that accepting failed";
        out.by_reason("accept_errors", errors, &metrics.accept_errors)?;
        let refused = "Connections and requests refused before there was a WebSocket";
        out.by_reason("refused", refused, &metrics.refused)?;
        let unanswered = "Of those refused, who came so often that there was no answer";
        out.counter("refused_unanswered", unanswered, &metrics.unanswered)?;
        out.per_protocol(
            self,
            "peers_connected",
            "WebSocket connections welcomed",
            |of| &of.connected,
        )?;
        let ended = "WebSocket connections that ended, by the limit or by what else was the reason";
        let mut family = out.family("closed", ended, MetricType::Counter)?;
        for protocol in Protocol::ALL {
            for (reason, count) in self.metrics.of(protocol).closed.iter() {
                let labels = [("protocol", protocol.name()), ("reason", reason)];
                family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let close = "WebSockets whose client did not take the reason of their end in time";
        out.counter("close_timeouts", close, &metrics.close_timeouts)
    }
}

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn family<'a>(
        &'a mut self,
        name: &'a str,
        help: &str,
        kind: MetricType,
    ) -> Result<prometheus_client::encoding::MetricEncoder<'a>, fmt::Error> {
        self.0
            .encode_descriptor(name, &format!("{help}."), None, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: usize) -> Written {
        self.family(name, help, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    fn time(&mut self, name: &str, help: &str, time: SystemTime) -> Written {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.family(name, help, MetricType::Gauge)?
            .encode_gauge(&since.as_secs_f64())
    }

    fn gauges<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: [(&str, &str, usize); N],
    ) -> Written {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        for (label, of, value) in values {
            family.encode_family(&[(label, of)])?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, counter: &Counter) -> Written {
        self.family(name, help, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&counter.get(), None)
    }

    fn by_reason(&mut self, name: &str, help: &str, counters: &ByReason) -> Written {
        let mut family = self.family(name, help, MetricType::Counter)?;
        for (reason, count) in counters.iter() {
            family
                .encode_family(&[("reason", reason)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn per_protocol(
        &mut self,
        scrape: &Scrape,
        name: &str,
        help: &str,
        counter: impl Fn(&ProtocolMetrics) -> &Counter,
    ) -> Written {
        let mut family = self.family(name, help, MetricType::Counter)?;
        for protocol in Protocol::ALL {
            let count = counter(scrape.metrics.of(protocol)).get();
            family
                .encode_family(&[("protocol", protocol.name())])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::snapshot::TlsSnapshot;
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/limits-and-metrics.md");

    fn rendered() -> String {
        let tls = TlsSnapshot {
            handshakes_failed: 0,
            certificate_expires: Some(UNIX_EPOCH),
        };
        let snapshot = Snapshot {
            tls: Some(tls),
            ..Snapshot::default()
        };
        exposition(Arc::new(Metrics::new()), snapshot)
    }

    /// The names in the first column of the page's tables that begin like a metric.
    fn documented() -> BTreeSet<&'static str> {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| row.split(['`', '{']).next())
            .filter(|name| name.starts_with("wigwag_"))
            .collect()
    }

    #[test]
    fn the_page_lists_exactly_the_metrics_that_there_are() {
        let text = rendered();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let names: BTreeSet<_> = samples
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();
        assert_eq!(documented(), names);
    }

    #[test]
    fn every_reason_is_on_the_page() {
        for line in rendered().lines() {
            if let Some((_, rest)) = line.split_once("reason=\"") {
                let reason = rest.split('"').next().expect("a value");
                assert!(PAGE.contains(&format!("{reason}`")), "{reason}");
            }
        }
    }

    #[test]
    fn it_is_as_prometheus_reads_it() {
        let text = rendered();
        assert!(text.ends_with("# EOF\n"));
        assert!(text.contains("# TYPE wigwag_messages_received counter\n"));
        assert!(text.contains("wigwag_messages_received_total{protocol=\"json\"} 0\n"));
        assert!(text.contains("wigwag_closed_total{protocol=\"text\",reason=\"max_peers\"} 0\n"));
        assert!(text.contains(concat!(
            "wigwag_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1\n"
        )));
    }

    #[test]
    fn a_reason_that_was_forgotten_is_counted_as_another() {
        let metrics = Metrics::new();
        metrics.refused.count("no such reason");
        let counted: Vec<_> = metrics
            .refused
            .iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(counted, [("other", 1)]);
    }
}
