/**
 * Asks for stereo in an answer wherever the offer sends Opus in stereo. Chromium plays Opus in mono unless the answer
 * says `stereo=1` (RFC 7587, 7.1), and does not say so of itself.
 */
export declare function answerStereo(offer: string, answer: string): string;
