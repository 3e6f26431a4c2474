/** Media of an offer that this browser does not take. */
export interface Refusal {
    readonly kind: "audio" | "video";
    /** The codecs that were offered, as session descriptions name them: `H264`, `opus`. */
    readonly codecs: readonly string[];
}
/** The media sections of an offer that its answer refuses (RFC 3264, section 6: by port 0). */
export declare function refusals(offer: string, answer: string): Refusal[];
