/**
 * Offers, answers and candidates of one peer connection, done one after the other in the order in which they came.
 *
 * Candidates that come before the description that they belong to wait for it. The first failure ends the work, except
 * that of a single candidate: another may do.
 */
import type { Candidate, SessionDescription } from "./protocol.js";
/** More candidates than this before a description are dropped. */
export declare const MAX_EARLY_CANDIDATES = 256;
/** A peer that sends more descriptions than this before the first of them is dealt with is cut off. */
export declare const MAX_WAITING_DESCRIPTIONS = 16;
export interface NegotiationHandlers {
    description(description: SessionDescription): void;
    candidate(candidate: Candidate): void;
    failed(error: unknown): void;
}
export declare class Negotiation {
    #private;
    /** Called with an offer and its answer, before that is applied. */
    answering: (offer: string, answer: string) => void;
    /** Changes an own offer before it is applied and sent. */
    mungeOffer: (offer: string) => string;
    /** Changes an answer before it is applied and sent. */
    munge: (offer: string, answer: string) => string;
    constructor(connection: RTCPeerConnection, handlers: NegotiationHandlers);
    offer(options?: RTCOfferOptions): void;
    /** @param prepare is called between an offer and its answer, to add what is to be sent */
    receiveDescription(description: SessionDescription, prepare?: () => void): void;
    receiveCandidate(candidate: Candidate): void;
    /** Nothing is told any more. */
    stop(): void;
}
