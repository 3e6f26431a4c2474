/**
 * What a viewer wants of a live stream: `"low"`, pictures as soon as they come, or `"smooth"`, held back a little so that
 * an uneven network does not show.
 */
export type Latency = "low" | "smooth";
/**
 * Leaves the header extension out of an own description by which a sender asks for pictures to be shown at once; it
 * then sends none, and the browser decides how long to hold them back.
 */
export declare function withoutPlayoutDelay(description: string): string;
