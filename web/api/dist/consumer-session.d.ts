import { type Refusal } from "./refusals.js";
import { WebRTCSession } from "./webrtc-session.js";
/**
 * A session that plays what a producer sends.
 *
 * Beside the events of every session: `streamsChanged`, and `mediaRefused` when this browser takes none of the codecs of
 * something that the producer offers. `remoteControllerChanged` is not sent yet.
 */
export declare class ConsumerSession extends WebRTCSession {
    #private;
    /** The streams that the producer sends now. */
    get streams(): MediaStream[];
    /** What the producer offers and this browser does not take. */
    get refusals(): Refusal[];
    /** Always null: remote control of the producer is not part of this version. */
    readonly remoteController: null;
    /** Whether answers ask for stereo where the producer offers it, which Chromium does not of itself. Default: false. */
    set mungeStereoHack(enable: boolean);
    /** Asks the producer to send. False if the session is closed or there is no connection to the signalling server. */
    connect(): boolean;
}
