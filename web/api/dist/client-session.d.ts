import { WebRTCSession } from "./webrtc-session.js";
/** A session in which this page sends to one consumer. */
export declare class ClientSession extends WebRTCSession {
    #private;
}
