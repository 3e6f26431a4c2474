import type { Latency } from "./latency.js";
/** How to connect and what to be. */
export interface GstWebRTCConfig {
    /** What other peers are told of this one. Default: null. */
    meta: object | null;
    /** Default: `ws://127.0.0.1:8443`. */
    signalingServerUrl: string;
    /**
     * The longest first wait, in milliseconds, before a lost connection is tried again; further waits double up to
     * 10 s, and chance shortens each by up to a half. 0 or less: it is not tried again. Default: 2500.
     */
    reconnectionTimeout: number;
    /**
     * Whether sessions whose media flows outlive the connection to the signalling server. When false, they are closed
     * with it, as in gstwebrtc-api 3.0.0. Default: true.
     */
    keepSessions: boolean;
    /**
     * How live streams are played: `"low"`, pictures as soon as they come if the sender wants that, or `"smooth"`, held
     * back a little so that an uneven network does not show. Concerns what is played, not what is sent. Default: `"low"`.
     */
    latency: Latency;
    /** Replaces the default as a whole: Google's public STUN servers and `bundlePolicy: "max-bundle"`. */
    webrtcConfig: RTCConfiguration;
}
export declare const DEFAULT_CONFIG: Readonly<GstWebRTCConfig>;
