/**
 * Asks for stereo in an answer wherever the offer sends Opus in stereo. Chromium plays Opus in mono unless the answer
 * says `stereo=1` (RFC 7587, 7.1), and does not say so of itself.
 */
export function answerStereo(offer: string, answer: string): string {
  const stereo = new Set<string>();
  for (const [, payload] of offer.matchAll(/^a=fmtp:(\d+) .*sprop-stereo=1/gm)) {
    if (payload !== undefined && new RegExp(`^a=rtpmap:${payload} opus/`, "im").test(offer)) {
      stereo.add(payload);
    }
  }
  return answer.replace(/^(a=fmtp:(\d+) )(.*)$/gm, (line, start: string, payload: string, parameters: string) =>
    stereo.has(payload) && !/(?:^|[;\s])stereo=/.test(parameters) ? `${start}stereo=1;${parameters}` : line,
  );
}
