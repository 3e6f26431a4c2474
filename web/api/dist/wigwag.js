// api/src/config.ts
var e = {
	meta: null,
	signalingServerUrl: "ws://127.0.0.1:8443",
	reconnectionTimeout: 2500,
	keepSessions: !0,
	latency: "low",
	webrtcConfig: {
		iceServers: [{ urls: ["stun:stun.l.google.com:19302", "stun:stun1.l.google.com:19302"] }],
		bundlePolicy: "max-bundle"
	}
}, t = class {
	#e;
	#t;
	#n;
	constructor(e, t) {
		this.#e = e, this.#t = Math.max(e, t), this.#n = e;
	}
	connectionEnded(e) {
		e >= this.#t && (this.#n = this.#e);
	}
	wait(e) {
		let t = this.#n * (1 - e / 2);
		return this.#n = Math.min(this.#n * 2, this.#t), t;
	}
}, n = 1e4, r = 1e3, i = class {
	#e;
	#t;
	#n;
	#r = null;
	#i;
	#a = !1;
	constructor(e, r, i) {
		this.#e = e, this.#t = i, this.#n = r > 0 ? new t(r, n) : null, this.#o();
	}
	send(e) {
		let t = this.#r;
		return t?.readyState === WebSocket.OPEN ? t.bufferedAmount > 4194304 ? (t.close(), !1) : (t.send(JSON.stringify(e)), !0) : !1;
	}
	close() {
		this.#a = !0, clearTimeout(this.#i), this.#r?.close(r), this.#r = null;
	}
	#o() {
		let e = new WebSocket(this.#e), t = Date.now();
		this.#r = e;
		let n = () => this.#r === e;
		e.addEventListener("open", () => {
			n() && this.#t.opened();
		}), e.addEventListener("message", ({ data: e }) => {
			n() && typeof e == "string" && this.#t.received(e);
		}), e.addEventListener("close", () => {
			n() && (this.#r = null, this.#n?.connectionEnded(Date.now() - t), this.#t.lost(), this.#s());
		});
	}
	#s() {
		this.#n && !this.#a && (this.#i = setTimeout(() => this.#o(), this.#n.wait(Math.random())));
	}
}, a = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
function o(e) {
	return e.replace(/^a=extmap:(\S+) (\S+)(?: .*)?\r?\n?/gm, (e, t, n) => n === a ? "" : e);
}
// api/src/refusals.ts
var s = /* @__PURE__ */ new Set([
	"rtx",
	"red",
	"ulpfec",
	"flexfec-03",
	"telephone-event",
	"cn"
]);
function c(e, t) {
	let n = l(t);
	return l(e).flatMap((e, t) => {
		let [r] = e.split(" ", 1), i = n[t]?.split(" ", 2)[1];
		if (r !== "audio" && r !== "video" || i !== "0") return [];
		let a = [...e.matchAll(/^a=rtpmap:\d+ ([^/\s]+)/gm)].map(([, e = ""]) => e);
		return [{
			kind: r,
			codecs: [...new Set(a)].filter((e) => !s.has(e.toLowerCase()))
		}];
	});
}
function l(e) {
	return e.split(/^m=/m).slice(1);
}
// api/src/session-state.ts
var u = Object.freeze({
	idle: 0,
	connecting: 1,
	streaming: 2,
	closed: 3
});
// api/src/stereo.ts
function d(e, t) {
	let n = /* @__PURE__ */ new Set();
	for (let [, t] of e.matchAll(/^a=fmtp:(\d+) .*sprop-stereo=1/gm)) t !== void 0 && RegExp(`^a=rtpmap:${t} opus/`, "im").test(e) && n.add(t);
	return t.replace(/^(a=fmtp:(\d+) )(.*)$/gm, (e, t, r, i) => n.has(r) && !/(?:^|[;\s])stereo=/.test(i) ? `${t}stereo=1;${i}` : e);
}
var f = class {
	#e;
	#t;
	#n = [];
	#r = !1;
	#i = 0;
	#a = !1;
	#o = Promise.resolve();
	answering = () => {};
	mungeOffer = (e) => e;
	munge = (e, t) => t;
	constructor(e, t) {
		this.#e = e, this.#t = t, e.addEventListener("icecandidate", ({ candidate: e }) => {
			e && !this.#a && t.candidate({
				candidate: e.candidate,
				sdpMLineIndex: e.sdpMLineIndex ?? 0
			});
		});
	}
	offer(e) {
		this.#l(async () => {
			let { type: t, sdp: n = "" } = await this.#e.createOffer(e);
			await this.#e.setLocalDescription({
				type: t,
				sdp: this.mungeOffer(n)
			}), this.#c("offer");
		});
	}
	receiveDescription(e, t = () => {}) {
		this.#i >= 16 ? this.#u(/* @__PURE__ */ Error("too many session descriptions at once")) : (this.#i += 1, this.#l(async () => {
			if (--this.#i, await this.#e.setRemoteDescription(e), this.#r = !0, this.#n.splice(0).forEach(this.#s), e.type === "offer") {
				t();
				let { type: n, sdp: r = "" } = await this.#e.createAnswer();
				this.answering(e.sdp, r), await this.#e.setLocalDescription({
					type: n,
					sdp: this.munge(e.sdp, r)
				}), this.#c("answer");
			}
		}));
	}
	receiveCandidate(e) {
		this.#r ? this.#s(e) : this.#n.length < 256 && this.#n.push(e);
	}
	stop() {
		this.#a = !0;
	}
	#s = (e) => {
		this.#a || this.#e.addIceCandidate(e).catch(() => {});
	};
	#c(e) {
		this.#a || this.#t.description({
			type: e,
			sdp: this.#e.localDescription?.sdp ?? ""
		});
	}
	#l(e) {
		this.#o = this.#o.then(() => this.#a ? void 0 : e()).catch((e) => this.#u(e));
	}
	#u(e) {
		this.#a || (this.#a = !0, this.#t.failed(e));
	}
}, p = 3e4, m = class extends EventTarget {
	#e;
	#t;
	#n = "";
	#r = u.idle;
	#i = null;
	#a = null;
	#o;
	#s = [];
	#c = !0;
	constructor(e, t) {
		super(), this.#e = e, this.#t = t;
	}
	get peerId() {
		return this.#e;
	}
	get sessionId() {
		return this.#n;
	}
	get state() {
		return this.#r;
	}
	get rtcPeerConnection() {
		return this.#i;
	}
	close(e) {
		if (this.#r === u.closed) return;
		let t = this.#r === u.idle;
		this.#r = u.closed, clearTimeout(this.#o), !t && this.#n !== "" && (e !== void 0 && this.#d({
			type: "endSessionV1_1",
			sessionId: this.#n,
			error: e
		}), this.#d({
			type: "endSession",
			sessionId: this.#n
		})), this.dispatchEvent(new Event("stateChanged")), this.#a?.stop(), this.#i && (this.#i.close(), this.#i = null, this.dispatchEvent(new Event("rtcPeerConnectionChanged"))), this.#t.closed(this), this.dispatchEvent(new Event("closed"));
	}
	get isWaitingForId() {
		return this.#r !== u.idle && this.#n === "" && this.#c;
	}
	started(e) {
		this.#n = e, this.#s.splice(0).forEach((t) => this.#d({
			type: "peer",
			sessionId: e,
			ice: t
		}));
	}
	receive(e) {
		switch (e.type) {
			case "description":
				this.negotiate().receiveDescription(e.description, () => this.beforeAnswer());
				break;
			case "candidate":
				this.negotiate().receiveCandidate(e.candidate);
				break;
			case "endSession": this.#c = !1, e.error === null ? this.close() : this.fail(e.error);
		}
	}
	signallingLost(e) {
		this.#c = !1;
		let t = this.#i?.connectionState;
		(!e || t !== "connected" && t !== "disconnected") && this.close();
	}
	fail(e, t) {
		this.#r !== u.closed && (this.dispatchEvent(new ErrorEvent("error", {
			message: e,
			error: t ?? Error(e)
		})), this.close(t === void 0 ? e : `${e}: ${h(t)}`));
	}
	beforeAnswer() {}
	prepare(e, t) {}
	described(e) {
		this.#d({
			type: "peer",
			sessionId: this.#n,
			sdp: e
		});
	}
	send(e) {
		return this.#d(e);
	}
	enter(e) {
		e > this.#r && (this.#r = e, this.#l(), this.dispatchEvent(new Event("stateChanged")));
	}
	negotiate() {
		if (this.#a) return this.#a;
		let e = new RTCPeerConnection(this.#t.webrtcConfig), t = new f(e, {
			description: (e) => this.described(e),
			candidate: (e) => this.#u(e),
			failed: (e) => this.fail("the session could not be negotiated", e)
		});
		return this.#i = e, this.#a = t, e.addEventListener("connectionstatechange", () => {
			e.connectionState === "connected" ? clearTimeout(this.#o) : e.connectionState === "failed" && this.fail("the media connection failed");
		}), this.prepare(e, t), this.dispatchEvent(new Event("rtcPeerConnectionChanged")), t;
	}
	#l() {
		this.#o ??= setTimeout(() => {
			this.#i?.connectionState !== "connected" && this.fail("no media connection came about in time");
		}, p);
	}
	#u(e) {
		this.#n === "" ? this.#s.length < 256 && this.#s.push(e) : this.#d({
			type: "peer",
			sessionId: this.#n,
			ice: e
		});
	}
	#d(e) {
		return this.#c && this.#t.send(e);
	}
};
function h(e) {
	return e instanceof Error ? e.message : String(e);
}
// api/src/consumer-session.ts
var g = class extends m {
	#e;
	#t;
	#n = [];
	#r = !1;
	#i = [];
	constructor(e, t, n) {
		super(e, t), this.#e = n, this.#t = t.latency;
	}
	get streams() {
		return [...this.#n];
	}
	get refusals() {
		return [...this.#i];
	}
	remoteController = null;
	set mungeStereoHack(e) {
		this.#r = e;
	}
	connect() {
		return this.state === u.idle ? this.#e ? (this.enter(u.connecting), this.#o(this.#e), !0) : this.#a({}) : this.state !== u.closed;
	}
	prepare(e, t) {
		let n = this.#t === "smooth", r = (e) => n ? o(e) : e;
		t.mungeOffer = r, t.munge = (e, t) => r(this.#r ? d(e, t) : t), t.answering = (e, t) => {
			this.#i = c(e, t), this.#i.length > 0 && this.dispatchEvent(new Event("mediaRefused"));
		}, e.addEventListener("track", ({ track: e, streams: t }) => this.#s(e, t));
	}
	described(e) {
		e.type === "offer" && this.sessionId === "" ? this.#a({ offer: e.sdp }) : super.described(e);
	}
	#a(e) {
		return this.send({
			type: "startSession",
			peerId: this.peerId,
			...e
		}) ? (this.enter(u.connecting), !0) : (this.fail("there is no connection to the signalling server"), !1);
	}
	#o({ offerToReceiveAudio: e, offerToReceiveVideo: t, ...n }) {
		let r = this.negotiate();
		for (let [n, r] of [["video", t], ["audio", e]]) r && this.rtcPeerConnection?.addTransceiver(n, { direction: "recvonly" });
		r.offer(n);
	}
	#s(e, t) {
		if (this.state !== u.closed) {
			for (let n of t.length > 0 ? t : [this.#l(e)]) this.#n.includes(n) || (this.#n.push(n), n.addEventListener("removetrack", () => this.#u(n)));
			this.enter(u.streaming), this.dispatchEvent(new Event("streamsChanged"));
		}
	}
	#c = null;
	#l(e) {
		return this.#c ??= new MediaStream(), this.#c.addTrack(e), this.#c;
	}
	#u(e) {
		e.getTracks().length === 0 && (this.#n = this.#n.filter((t) => t !== e)), this.dispatchEvent(new Event("streamsChanged"));
	}
}, _ = class {
	#e = /* @__PURE__ */ new Map();
	all() {
		return [...this.#e.values()];
	}
	put(e, t) {
		let n = this.#e.get(e);
		if (n ? v(n.meta, t) : this.#e.size >= 1e4) return [];
		let r = Object.freeze({
			id: e,
			meta: Object.freeze(t)
		});
		return this.#e.set(e, r), [{
			change: n ? "changed" : "added",
			peer: r
		}];
	}
	remove(e) {
		let t = this.#e.get(e);
		return this.#e.delete(e), t ? [{
			change: "removed",
			peer: t
		}] : [];
	}
	replace(e) {
		let t = new Set(e.map(({ id: e }) => e));
		return [...this.all().filter(({ id: e }) => !t.has(e)).flatMap(({ id: e }) => this.remove(e)), ...e.flatMap(({ id: e, meta: t }) => this.put(e, t))];
	}
};
function v(e, t) {
	return JSON.stringify(e) === JSON.stringify(t);
}
function y(e) {
	if (e.length > 16777216) return null;
	let t;
	try {
		t = JSON.parse(e);
	} catch {
		return null;
	}
	return w(t) ? b(t) : null;
}
function b(e) {
	let { type: t, peerId: n, sessionId: r } = e;
	switch (t) {
		case "welcome": return T(n) ? {
			type: t,
			peerId: n
		} : null;
		case "peerStatusChanged": return T(n) && Array.isArray(e.roles) ? {
			type: t,
			peerId: n,
			roles: e.roles.filter(T),
			meta: C(e.meta)
		} : null;
		case "list": return {
			type: t,
			role: "producer",
			peers: S(e.producers)
		};
		case "listConsumers": return {
			type: "list",
			role: "consumer",
			peers: S(e.consumers)
		};
		case "startSession": return T(n) && T(r) ? {
			type: t,
			peerId: n,
			sessionId: r,
			offer: T(e.offer) ? e.offer : null
		} : null;
		case "sessionStarted": return T(n) && T(r) ? {
			type: t,
			peerId: n,
			sessionId: r
		} : null;
		case "endSession":
		case "endSessionV1_1": return T(r) ? {
			type: "endSession",
			sessionId: r,
			error: T(e.error) ? e.error : null
		} : null;
		case "peer": return T(r) ? x(r, e) : null;
		case "error": return {
			type: t,
			details: T(e.details) ? e.details : ""
		};
		default: return null;
	}
}
function x(e, { sdp: t, ice: n }) {
	if (w(t)) {
		let { type: n, sdp: r } = t;
		return (n === "offer" || n === "answer") && T(r) ? {
			type: "description",
			sessionId: e,
			description: {
				type: n,
				sdp: r
			}
		} : null;
	}
	if (w(n)) {
		let { candidate: t, sdpMLineIndex: r } = n;
		return T(t) && typeof r == "number" ? {
			type: "candidate",
			sessionId: e,
			candidate: {
				candidate: t,
				sdpMLineIndex: r
			}
		} : null;
	}
	return null;
}
function S(e) {
	return Array.isArray(e) ? e.filter(w).flatMap(({ id: e, meta: t }) => T(e) ? [{
		id: e,
		meta: C(t)
	}] : []) : [];
}
function C(e) {
	return w(e) ? e : {};
}
function w(e) {
	return typeof e == "object" && !!e && !Array.isArray(e);
}
function T(e) {
	return typeof e == "string";
}
// api/src/conversation.ts
var E = class {
	#e = {
		producer: new _(),
		consumer: new _()
	};
	#t;
	#n = "";
	#r = !1;
	constructor(e) {
		this.#t = e;
	}
	get clientId() {
		return this.#r ? this.#n : "";
	}
	peers(e) {
		return this.#e[e].all();
	}
	declare(e) {
		return this.#t = e, this.#n === "" ? [] : [this.#o()];
	}
	receive(e) {
		let t = y(e);
		if (t === null) return [];
		switch (t.type) {
			case "welcome": return this.#a(t.peerId);
			case "peerStatusChanged": return t.peerId === this.#n ? this.#s(t.roles) : this.#c(t.peerId, t.roles, t.meta);
			case "list": return D(t.role, this.#e[t.role].replace(t.peers.filter(this.#i)));
			case "error": return [{
				type: "serverError",
				details: t.details
			}];
			default: return [{
				type: "session",
				message: t
			}];
		}
	}
	lost() {
		return this.#r = !1, ["producer", "consumer"].flatMap((e) => D(e, this.#e[e].replace([])));
	}
	#i = ({ id: e }) => e !== this.#n;
	#a(e) {
		return this.#n === "" ? (this.#n = e, [{
			type: "send",
			message: {
				type: "setProtocolVersion",
				version: "v1_1"
			}
		}, this.#o()]) : [];
	}
	#o() {
		return {
			type: "send",
			message: {
				type: "setPeerStatus",
				peerId: this.#n,
				...this.#t
			}
		};
	}
	#s(e) {
		let t = {
			type: "declared",
			roles: e
		};
		return this.#r || !e.includes("listener") ? [t] : (this.#r = !0, [
			{
				type: "registered",
				clientId: this.#n
			},
			{
				type: "send",
				message: { type: "list" }
			},
			{
				type: "send",
				message: { type: "listConsumers" }
			},
			t
		]);
	}
	#c(e, t, n) {
		return ["producer", "consumer"].flatMap((r) => {
			let i = this.#e[r];
			return D(r, t.includes(r) ? i.put(e, n) : i.remove(e));
		});
	}
};
function D(e, t) {
	return t.map((t) => ({
		type: "peer",
		role: e,
		...t
	}));
}
// api/src/client-session.ts
var O = class extends m {
	#e;
	constructor(e, t, n, r) {
		super(e, n), this.#e = r, this.started(t);
	}
	begin(e) {
		this.enter(u.streaming);
		let t = this.negotiate();
		e === null ? (this.#t(), t.offer()) : t.receiveDescription({
			type: "offer",
			sdp: e
		}, () => this.#t());
	}
	#t() {
		for (let e of this.#e.getTracks()) this.rtcPeerConnection?.addTrack(e, this.#e);
	}
}, k = class extends EventTarget {
	#e;
	#t;
	#n = /* @__PURE__ */ new Set();
	#r;
	#i = u.idle;
	constructor(e, t, n) {
		super(), this.#e = e, this.#t = t, this.#r = n;
	}
	get stream() {
		return this.#e;
	}
	get state() {
		return this.#i;
	}
	start() {
		return this.#i === u.idle ? (this.#a(u.connecting), this.#t.declare() ? !0 : (this.#o("there is no connection to the signalling server"), this.close(), !1)) : this.#i !== u.closed;
	}
	close() {
		if (this.#i === u.closed) return;
		let e = this.isWanted;
		this.#a(u.closed);
		for (let e of this.#e.getTracks()) e.stop();
		for (let e of [...this.#n]) e.close();
		this.#t.producerClosed(), e && this.#t.declare(), this.dispatchEvent(new Event("closed"));
	}
	get isWanted() {
		return this.#i === u.connecting || this.#i === u.streaming;
	}
	registered() {
		if (!this.isWanted) return;
		this.#a(u.streaming);
		let e = this.#r;
		this.#r = null, e !== null && !this.#t.send({
			type: "startSession",
			peerId: e
		}) && this.#o("the consumer could not be called: there is no connection to the signalling server");
	}
	signallingLost(e) {
		if (!e) this.close();
		else for (let t of [...this.#n]) t.signallingLost(e);
	}
	startSession(e, t, n) {
		let r = new O(e, t, this.#t, this.#e);
		r.addEventListener("error", (t) => {
			let { message: n, error: r } = t;
			this.#o(`with consumer ${e}: ${n}`, r);
		}), r.addEventListener("closed", () => {
			this.#n.delete(r) && this.dispatchEvent(new CustomEvent("clientConsumerRemoved", { detail: r }));
		}), this.#n.size >= 100 ? (this.#t.send({
			type: "endSessionV1_1",
			sessionId: t,
			error: "the producer takes no more consumers"
		}), this.#t.send({
			type: "endSession",
			sessionId: t
		})) : (this.#n.add(r), this.#t.opened(r), this.dispatchEvent(new CustomEvent("clientConsumerAdded", { detail: r })), r.begin(n));
	}
	#a(e) {
		e > this.#i && (this.#i = e, this.dispatchEvent(new Event("stateChanged")));
	}
	#o(e, t = Error(e)) {
		this.dispatchEvent(new ErrorEvent("error", {
			message: e,
			error: t
		}));
	}
}, A = class {
	static SessionState = u;
	#e;
	#t;
	#n = /* @__PURE__ */ new Set();
	#r = /* @__PURE__ */ new Set();
	#i;
	#a = /* @__PURE__ */ new Map();
	#o = /* @__PURE__ */ new Map();
	#s;
	#c = null;
	#l = !1;
	constructor(t = {}) {
		this.#e = {
			...e,
			...t
		}, this.#i = {
			webrtcConfig: this.#e.webrtcConfig,
			latency: this.#e.latency,
			send: (e) => this.#t.send(e),
			closed: (e) => this.#_(e)
		}, this.#s = new E(this.#f()), this.#t = new i(this.#e.signalingServerUrl, this.#e.reconnectionTimeout, {
			opened: () => this.#s = new E(this.#f()),
			received: (e) => this.#p(this.#s.receive(e)),
			lost: () => this.#g()
		});
	}
	get clientId() {
		return this.#s.clientId;
	}
	setMeta(e) {
		this.#e.meta = e, this.#p(this.#s.declare(this.#f()));
	}
	close() {
		if (!this.#l) {
			this.#c?.close();
			for (let e of [...this.#a.values()]) e.close();
			this.#l = !0, this.#t.close(), this.#g();
		}
	}
	registerConnectionListener(e) {
		let t = N(e?.connected) && N(e.disconnected);
		return t && this.#n.add(e), t;
	}
	unregisterConnectionListener(e) {
		return this.#n.delete(e);
	}
	unregisterAllConnectionListeners() {
		this.#n.clear();
	}
	registerPeerListener(e) {
		let { producerAdded: t, producerChanged: n, producerRemoved: r, consumerAdded: i, consumerChanged: a, consumerRemoved: o } = e ?? {}, s = [
			t,
			n,
			r,
			i,
			a,
			o
		].some(N);
		return s && this.#r.add(e), s;
	}
	unregisterPeerListener(e) {
		return this.#r.delete(e);
	}
	unregisterAllPeerListeners() {
		this.#r.clear();
	}
	getAvailableProducers() {
		return this.#s.peers("producer");
	}
	getAvailableConsumers() {
		return this.#s.peers("consumer");
	}
	createProducerSession(e) {
		return this.#d(e, null);
	}
	createProducerSessionForConsumer(e, t) {
		return typeof t == "string" && t !== "" ? this.#d(e, t) : null;
	}
	createConsumerSession(e) {
		return this.#u(e, null);
	}
	createConsumerSessionWithOfferOptions(e, t) {
		return this.#u(e, t);
	}
	#u(e, t) {
		if (typeof e != "string" || e === "") return null;
		let n = this.#a.get(e);
		if (n || this.clientId === "") return n ?? null;
		let r = new g(e, this.#i, t);
		return this.#a.set(e, r), r;
	}
	#d(e, t) {
		return e instanceof MediaStream ? this.#c ? this.#c.stream === e ? this.#c : null : this.clientId === "" ? null : (this.#c = new k(e, {
			...this.#i,
			declare: () => this.#p(this.#s.declare(this.#f())),
			opened: (e) => void this.#o.set(e.sessionId, e),
			producerClosed: () => void (this.#c = null)
		}, t), this.#c) : null;
	}
	#f() {
		let { meta: e } = this.#e;
		return {
			roles: this.#c?.isWanted ? ["listener", "producer"] : ["listener"],
			meta: typeof e == "object" ? e : null
		};
	}
	#p(e) {
		let t = !0;
		for (let n of e) switch (n.type) {
			case "send":
				t = this.#t.send(n.message) && t;
				break;
			case "registered":
				M(this.#n, (e) => e.connected(n.clientId));
				break;
			case "declared":
				n.roles.includes("producer") && this.#c?.registered();
				break;
			case "peer":
				M(this.#r, (e) => e[j[n.role][n.change]]?.(n.peer));
				break;
			case "session":
				this.#m(n.message);
				break;
			case "serverError": this.#h(n.details);
		}
		return t;
	}
	#m(e) {
		if (e.type === "startSession") this.#c?.isWanted ? this.#c.startSession(e.peerId, e.sessionId, e.offer) : this.#t.send({
			type: "endSession",
			sessionId: e.sessionId
		});
		else if (e.type === "sessionStarted") {
			let t = this.#a.get(e.peerId);
			t?.isWaitingForId ? (this.#o.set(e.sessionId, t), t.started(e.sessionId)) : this.#t.send({
				type: "endSession",
				sessionId: e.sessionId
			});
		} else this.#o.get(e.sessionId)?.receive(e);
	}
	#h(e) {
		for (let t of this.#a.values()) if (t.isWaitingForId && e.includes(t.peerId)) {
			t.fail(e);
			return;
		}
		[...this.#n].some(({ error: e }) => N(e)) || console.error(`the signalling server refused something: ${e}`), M(this.#n, (t) => t.error?.(e));
	}
	#g() {
		let e = this.#s.lost();
		this.#o.clear();
		for (let e of [...this.#a.values()]) e.signallingLost(this.#e.keepSessions);
		this.#c?.signallingLost(this.#e.keepSessions), this.#p(e), M(this.#n, (e) => e.disconnected());
	}
	#_(e) {
		this.#o.delete(e.sessionId), this.#a.get(e.peerId) === e && this.#a.delete(e.peerId);
	}
}, j = {
	producer: {
		added: "producerAdded",
		changed: "producerChanged",
		removed: "producerRemoved"
	},
	consumer: {
		added: "consumerAdded",
		changed: "consumerChanged",
		removed: "consumerRemoved"
	}
};
function M(e, t) {
	for (let n of [...e]) try {
		t(n);
	} catch (e) {
		console.error(e);
	}
}
function N(e) {
	return typeof e == "function";
}
export { O as ClientSession, g as ConsumerSession, A as GstWebRTCAPI, A as default, k as ProducerSession, u as SessionState, m as WebRTCSession };
